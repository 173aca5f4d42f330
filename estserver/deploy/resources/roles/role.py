"""An IAM role with its policy, inline or one of AWS's, and nothing besides."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from estserver.deploy.deployment import Deployment, StageName
from estserver.deploy.engine.calls import Call, ask, ask_all, ask_if_any
from estserver.deploy.engine.steps import DONE, Plan, Step
from estserver.deploy.rights.statements import Document
from pki.aws.ownership import tags_of
from pki.operators.errors import OperatorError

POLICY_NAME = "est-server"


@dataclass(frozen=True, slots=True)
class SeenRole:
    """A role as IAM holds it."""

    arn: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    trust: Any = None
    policies: Mapping[str, Any] = field(default_factory=dict)
    attached: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Role(Step[SeenRole]):
    """A role with its trust and one policy. Any other policy is taken from it."""

    deployment: Deployment
    role: str
    purpose: str
    trust: Document
    policy: Document | None
    stage: StageName | None = None
    managed_policy: str = ""
    """ARN of a policy of AWS's that it has attached; "" for none."""

    advice = {
        "MalformedPolicyDocument": "This is a bug of the EST server. Report it with the dry run's "
        "output.",
    }

    @property
    def name(self) -> str:
        """The step's name, as plans and messages show it."""
        return f"role {self.role}"

    def look(self) -> SeenRole:
        """Read the role with its policies."""
        answer = ask_if_any("iam", "GetRole", RoleName=self.role)
        if answer is None:
            return SeenRole()
        role = answer["Role"]
        names = ask_all("iam", "ListRolePolicies", "PolicyNames", RoleName=self.role)
        attached = ask_all(
            "iam", "ListAttachedRolePolicies", "AttachedPolicies", RoleName=self.role
        )
        return SeenRole(
            arn=role["Arn"],
            tags=tags_of(ask_all("iam", "ListRoleTags", "Tags", RoleName=self.role)),
            trust=role["AssumeRolePolicyDocument"],
            policies={
                name: ask("iam", "GetRolePolicy", RoleName=self.role, PolicyName=name)[
                    "PolicyDocument"
                ]
                for name in names
            },
            attached=frozenset(each["PolicyArn"] for each in attached),
        )

    def plan(self, seen: SeenRole) -> Plan:
        """Make the role, and set what differs. Rights that were added by hand are taken away.

        Raises ``OperatorError`` for a role that this tool did not make.
        """
        self.refuse_of_another(seen)
        if seen.arn and not self.deployment.is_ours(seen.tags):
            raise OperatorError(
                f"The role {self.role} exists and was not made by this tool. Delete it, or set "
                "another DeploymentOptions.projectName."
            )
        calls = []
        if not seen.arn:
            calls.append(self._create())
        elif seen.trust != self.trust:
            calls.append(
                self._call(
                    "UpdateAssumeRolePolicy",
                    "its trust policy differs",
                    PolicyDocument=_json(self.trust),
                )
            )
        policy = self.desired_policy(seen)
        missing = {**seen.tags, **self._tags()} != seen.tags
        if seen.arn and missing:
            calls.append(self._call("TagRole", "tags are missing", Tags=self._tag_list()))
        if policy is not None and seen.policies.get(POLICY_NAME) != policy:
            calls.append(
                self._call(
                    "PutRolePolicy",
                    self.reason_of_policy(),
                    PolicyName=POLICY_NAME,
                    PolicyDocument=_json(policy),
                )
            )
        wanted = {POLICY_NAME} if policy is not None else set()
        for name in sorted(seen.policies.keys() - wanted):
            reason = f"the policy {name} gives it more rights"
            calls.append(self._call("DeleteRolePolicy", reason, PolicyName=name))
        if self.managed_policy and self.managed_policy not in seen.attached:
            reason = f"it has no policy {self.managed_policy}"
            calls.append(self._call("AttachRolePolicy", reason, PolicyArn=self.managed_policy))
        for arn in sorted(seen.attached - {self.managed_policy}):
            reason = f"{arn} gives it more rights"
            calls.append(self._call("DetachRolePolicy", reason, PolicyArn=arn))
        return Plan(tuple(calls))

    def refuse_of_another(self, seen: SeenRole) -> None:
        """Raise ``OperatorError`` for a role of another project in the account (threat T60)."""
        self.deployment.refuse_of_another(
            f"The role {self.role}",
            seen.tags,
            "Set another DeploymentOptions.projectName, or another Properties."
            "iotProvisioningRoleName if it is that role.",
        )

    def reason_of_policy(self) -> str:
        """Return why the inline policy is set, as a phrase for the plan."""
        return "its policy differs"

    def desired_policy(self, seen: SeenRole) -> Document | None:
        """Return the inline policy that it is to have; ``None`` for none."""
        return self.policy

    def undo(self, seen: SeenRole) -> Plan:
        """Delete the role with its policies, if this tool made it."""
        if not self.deployment.is_ours(seen.tags):
            return DONE
        calls = [
            self._call("DeleteRolePolicy", f"its policy {name}", PolicyName=name)
            for name in sorted(seen.policies)
        ]
        calls += [
            self._call("DetachRolePolicy", f"its policy {arn}", PolicyArn=arn)
            for arn in sorted(seen.attached)
        ]
        reason = f"the role {self.role} was made by aws_deploy"
        return Plan((*calls, self._call("DeleteRole", reason)))

    def _create(self) -> Call:
        return self._call(
            "CreateRole",
            f"there is no role {self.role}",
            Description=self.purpose,
            AssumeRolePolicyDocument=_json(self.trust),
            Tags=self._tag_list(),
        )

    def _call(self, operation: str, reason: str, **parameters: Any) -> Call:
        return Call("iam", operation, reason, {"RoleName": self.role, **parameters})

    def _tags(self) -> dict[str, str]:
        return self.deployment.tags(self.stage or "shared")

    def _tag_list(self) -> list[dict[str, str]]:
        return self.deployment.tag_list(self.stage or "shared")


def _json(document: Document) -> str:
    return json.dumps(document, separators=(",", ":"))
