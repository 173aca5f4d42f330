"""AWS's common rules in front of both APIs, without the two that turn proper devices away."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from estserver.deploy.deployment import Deployment, StageName
from estserver.deploy.engine.calls import Answer, Call, ask, ask_if_any
from estserver.deploy.engine.compare import covers
from estserver.deploy.engine.steps import DONE, Plan, Step
from estserver.deploy.rights.statements import ResourceRights, allow
from estserver.deploy.zappa.stage import api_id_of
from pki.aws.ownership import tags_of
from pki.operators.errors import OperatorError

RULE_SET = "AWSManagedRulesCommonRuleSet"
COUNTED: Mapping[str, str] = {
    "NoUserAgent_HEADER": "embedded EST clients send no User-Agent",
    "SizeRestrictions_BODY": "it blocks bodies over 8 KB, and a denylist CSV is larger; the "
    "server has limits of its own",
}
"""Rules that count and do not block, with the reason."""
_PAGE = 100


def rules(deployment: Deployment) -> list[dict[str, Any]]:
    """Return the access list's rules."""
    return [
        {
            "Name": "common",
            "Priority": 0,
            "Statement": {
                "ManagedRuleGroupStatement": {
                    "VendorName": "AWS",
                    "Name": RULE_SET,
                    "RuleActionOverrides": [
                        {"Name": name, "ActionToUse": {"Count": {}}} for name in COUNTED
                    ],
                }
            },
            "OverrideAction": {"None": {}},
            "VisibilityConfig": _visibility(f"{deployment.web_acl}-common"),
        }
    ]


def _visibility(metric: str) -> dict[str, Any]:
    return {
        "SampledRequestsEnabled": True,
        "CloudWatchMetricsEnabled": True,
        "MetricName": metric,
    }


@dataclass(frozen=True, slots=True)
class SeenAcl:
    """The access list as WAF holds it."""

    acl_id: str = ""
    arn: str = ""
    lock_token: str = ""
    held: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


def find_acl(name: str) -> SeenAcl:
    """Find the regional access list of that name. Raises ``RemoteFailure``."""
    marker: dict[str, str] = {}
    while True:
        page = ask("wafv2", "ListWebACLs", Scope="REGIONAL", Limit=_PAGE, **marker)
        listed = page.get("WebACLs", [])
        for each in listed:
            if each["Name"] == name:
                return _acl(name, each["Id"], each["ARN"])
        if len(listed) < _PAGE or not page.get("NextMarker"):
            return SeenAcl()
        marker = {"NextMarker": page["NextMarker"]}


def _acl(name: str, acl_id: str, arn: str) -> SeenAcl:
    answer = ask_if_any("wafv2", "GetWebACL", Scope="REGIONAL", Name=name, Id=acl_id)
    if answer is None:
        return SeenAcl()
    tags = ask("wafv2", "ListTagsForResource", ResourceARN=arn)["TagInfoForResource"]["TagList"]
    return SeenAcl(acl_id, arn, answer["LockToken"], answer["WebACL"], tags_of(tags))


@dataclass(frozen=True)
class WebAcl(Step[SeenAcl]):
    """The access list that both stages share."""

    deployment: Deployment
    name = "WAF"

    def look(self) -> SeenAcl:
        """Read the access list."""
        return find_acl(self.deployment.web_acl)

    def plan(self, seen: SeenAcl) -> Plan:
        """Make the access list, or set its rules; return nothing when wafEnabled is false."""
        if not self.deployment.config.deployment.waf_enabled:
            if not seen.acl_id:
                return DONE
            note = f"wafEnabled is false, and the access list {self.deployment.web_acl} still "
            return Plan(notes=(f"{note}exists. Delete it in the console to save its price.",))
        wanted = {
            "Scope": "REGIONAL",
            "DefaultAction": {"Allow": {}},
            "Rules": rules(self.deployment),
            "VisibilityConfig": _visibility(self.deployment.web_acl),
        }
        named = {"Name": self.deployment.web_acl}
        if not seen.acl_id:
            parameters = {**named, **wanted, "Tags": self.deployment.tag_list()}
            reason = f"there is no access list {self.deployment.web_acl}"
            return Plan((Call("wafv2", "CreateWebACL", reason, parameters),))
        self.deployment.refuse_of_another(
            f"The access list {self.deployment.web_acl}",
            seen.tags,
            "Set another DeploymentOptions.projectName, or set wafEnabled to false.",
        )
        if not self.deployment.is_ours(seen.tags):
            raise OperatorError(
                f"The access list {self.deployment.web_acl} exists and was not made by this "
                "tool. Delete it, set another DeploymentOptions.projectName, or set wafEnabled to "
                "false."
            )
        held = {key: value for key, value in wanted.items() if key != "Scope"}
        if covers(seen.held, held):
            return DONE
        parameters = {**named, **wanted, "Id": seen.acl_id, "LockToken": seen.lock_token}
        return Plan((Call("wafv2", "UpdateWebACL", "its rules differ", parameters),))

    def undo(self, seen: SeenAcl) -> Plan:
        """Delete the access list, if this tool made it."""
        if not self.deployment.is_ours(seen.tags):
            return DONE
        parameters = {
            "Name": self.deployment.web_acl,
            "Scope": "REGIONAL",
            "Id": seen.acl_id,
            "LockToken": seen.lock_token,
        }
        reason = f"the access list {self.deployment.web_acl} was made by aws_deploy"
        return Plan((Call("wafv2", "DeleteWebACL", reason, parameters),))


@dataclass(frozen=True, slots=True)
class SeenGuard:
    """A stage and the access list in front of it."""

    stage_arn: str
    guarded_by: str
    """The ARN of the access list in front of it; "" for none."""
    own: str
    """The ARN of the deployment's own access list; "" when there is none."""


@dataclass(frozen=True)
class WebAclAssociation(Step[SeenGuard]):
    """The access list in front of one stage."""

    deployment: Deployment
    stage: StageName

    @property
    def name(self) -> str:
        """The step's name, as plans and messages show it."""
        return f"{self.stage}: WAF"

    def look(self) -> SeenGuard:
        """Read which access list is in front of the stage."""
        api_id = api_id_of(self.deployment, self.stage)
        arn = self.deployment.stage_arn(api_id, self.stage)
        answer = ask_if_any("wafv2", "GetWebACLForResource", ResourceArn=arn) or {}
        guarded_by = (answer.get("WebACL") or {}).get("ARN", "")
        return SeenGuard(arn, guarded_by, find_acl(self.deployment.web_acl).arn)

    def plan(self, seen: SeenGuard) -> Plan:
        """Put the deployment's access list in front, or take it away without wafEnabled."""
        if not self.deployment.config.deployment.waf_enabled:
            return self._without(seen, "wafEnabled is false")
        if seen.guarded_by and seen.guarded_by == seen.own:
            return DONE
        if seen.guarded_by:
            return Plan(
                notes=(
                    f"Another access list guards {self.stage} ({seen.guarded_by}), and stays. "
                    f"Check that it only counts {' and '.join(COUNTED)}.",
                )
            )
        arn: Any = seen.own or Answer("wafv2:CreateWebACL", "Summary.ARN")
        parameters = {"WebACLArn": arn, "ResourceArn": seen.stage_arn}
        reason = f"nothing guards the stage {self.stage}"
        return Plan((Call("wafv2", "AssociateWebACL", reason, parameters),))

    def undo(self, seen: SeenGuard) -> Plan:
        """Take the deployment's access list away."""
        return self._without(seen, f"the access list guards the stage {self.stage}")

    def _without(self, seen: SeenGuard, reason: str) -> Plan:
        if not seen.guarded_by or seen.guarded_by != seen.own:
            return DONE
        parameters = {"ResourceArn": seen.stage_arn}
        return Plan((Call("wafv2", "DisassociateWebACL", reason, parameters),))


def rights(deployment: Deployment) -> ResourceRights:
    """Return the rights to the access list, and to put it in front of a stage."""
    access_list = deployment.arn("wafv2", f"regional/webacl/{deployment.web_acl}/*")
    return ResourceRights(
        look=["wafv2:ListWebACLs"],
        deploy=[
            allow(
                "Firewall",
                [
                    "wafv2:AssociateWebACL",
                    "wafv2:CreateWebACL",
                    "wafv2:DisassociateWebACL",
                    "wafv2:GetWebACL",
                    "wafv2:GetWebACLForResource",
                    "wafv2:ListTagsForResource",
                    "wafv2:TagResource",
                    "wafv2:UpdateWebACL",
                ],
                [
                    access_list,
                    deployment.arn("wafv2", "regional/managedruleset/*/*"),
                    deployment.gateway_arn("/restapis/*/stages/*"),
                ],
            )
        ],
        remove=[allow("RemoveFirewall", ["wafv2:DeleteWebACL"], access_list)],
    )
