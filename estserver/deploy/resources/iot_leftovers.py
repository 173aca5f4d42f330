"""What `aws_destroy --with-iot` removes from AWS IoT: registered CAs, template and policy.

`iotprov` makes and updates them; this step only removes them. It never touches things and device
certificates, which are the fleet's.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from estserver.deploy.deployment import Deployment
from estserver.deploy.engine.calls import Call, ask, ask_all, ask_if_any
from estserver.deploy.engine.steps import DONE, Plan, Step
from estserver.deploy.rights.statements import ResourceRights, allow
from pki.aws.ownership import tags_of


@dataclass(frozen=True, slots=True)
class SeenIoT:
    """What AWS IoT holds with the installation's tag."""

    authorities: Mapping[str, bool]
    """Ids of registered CAs, and whether each is active."""
    template: str = ""
    policy: str = ""
    policy_targets: tuple[str, ...] = ()
    policy_versions: tuple[str, ...] = ()
    """All but the default one, which goes with the policy."""


@dataclass(frozen=True)
class IoTLeftovers(Step[SeenIoT]):
    """Registered CAs, provisioning template and policy that carry the installation's tag."""

    deployment: Deployment
    name = "AWS IoT"

    def look(self) -> SeenIoT:
        """Read what AWS IoT holds."""
        values = self.deployment.config.properties
        authorities = {
            str(each["certificateId"]): each["status"] == "ACTIVE"
            for each in ask_all("iot", "ListCACertificates", "certificates")
            if self._is_ours(each["certificateArn"])
        }
        name = values.iot_template_name
        template = ask_if_any("iot", "DescribeProvisioningTemplate", templateName=name)
        has_template = template is not None and self._is_ours(template["templateArn"])
        policy = ask_if_any("iot", "GetPolicy", policyName=values.iot_policy_name)
        if policy is None or not self._is_ours(policy["policyArn"]):
            return SeenIoT(authorities, name if has_template else "")
        named = {"policyName": values.iot_policy_name}
        versions = ask("iot", "ListPolicyVersions", **named)["policyVersions"]
        return SeenIoT(
            authorities,
            name if has_template else "",
            values.iot_policy_name,
            tuple(ask_all("iot", "ListTargetsForPolicy", "targets", **named)),
            tuple(each["versionId"] for each in versions if not each["isDefaultVersion"]),
        )

    def _is_ours(self, arn: str) -> bool:
        tags = ask_all("iot", "ListTagsForResource", "tags", resourceArn=arn)
        return self.deployment.is_ours(tags_of(tags))

    def plan(self, seen: SeenIoT) -> Plan:
        """Return nothing, because iotprov makes these."""
        return DONE

    def undo(self, seen: SeenIoT) -> Plan:
        """Deregister CAs, delete the template, detach the policy everywhere and delete it."""
        return Plan((*self._authorities(seen), *self._template(seen), *self._policy(seen)))

    def _authorities(self, seen: SeenIoT) -> Iterator[Call]:
        for certificate_id, is_active in seen.authorities.items():
            named = {"certificateId": certificate_id}
            reason = f"the CA {certificate_id[:16]} was registered by register_ca"
            if is_active:
                yield Call(
                    "iot",
                    "UpdateCACertificate",
                    f"{reason}, and an active CA cannot be deleted",
                    {**named, "newStatus": "INACTIVE", "newAutoRegistrationStatus": "DISABLE"},
                )
            yield Call("iot", "DeleteCACertificate", reason, named)

    def _template(self, seen: SeenIoT) -> Iterator[Call]:
        if seen.template:
            reason = f"the template {seen.template} was made by sync_template"
            parameters: dict[str, Any] = {"templateName": seen.template}
            yield Call("iot", "DeleteProvisioningTemplate", reason, parameters)

    def _policy(self, seen: SeenIoT) -> Iterator[Call]:
        if not seen.policy:
            return
        named = {"policyName": seen.policy}
        for target in seen.policy_targets:
            yield Call(
                "iot",
                "DetachPolicy",
                f"{target} loses its rights in AWS IoT",
                {**named, "target": target},
            )
        for version in seen.policy_versions:
            reason = f"version {version} of the policy {seen.policy}"
            yield Call("iot", "DeletePolicyVersion", reason, {**named, "policyVersionId": version})
        reason = f"the policy {seen.policy} was made by sync_policy"
        yield Call("iot", "DeletePolicy", reason, named)


def rights(deployment: Deployment) -> ResourceRights:
    """Return the rights for `aws_destroy --with-iot`.

    Everything else in AWS IoT is done by the admin's function.
    """
    values = deployment.config.properties
    return ResourceRights(
        remove=[
            allow("LookAtIoT", ["iot:ListCACertificates"], "*"),
            allow(
                "RemoveFromIoT",
                [
                    "iot:DeleteCACertificate",
                    "iot:DeletePolicy",
                    "iot:DeletePolicyVersion",
                    "iot:DeleteProvisioningTemplate",
                    "iot:DescribeProvisioningTemplate",
                    "iot:DetachPolicy",
                    "iot:GetPolicy",
                    "iot:ListPolicyVersions",
                    "iot:ListTagsForResource",
                    "iot:ListTargetsForPolicy",
                    "iot:UpdateCACertificate",
                ],
                [
                    deployment.arn("iot", "cacert/*"),
                    deployment.arn("iot", "cert/*"),
                    deployment.arn("iot", f"policy/{values.iot_policy_name}"),
                    deployment.arn("iot", f"provisioningtemplate/{values.iot_template_name}"),
                ],
            ),
        ]
    )
