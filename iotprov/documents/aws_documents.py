"""A document as AWS IoT holds it: read its default version, and write another.

Policies and provisioning templates have five versions each at most; when a sixth is written, the
oldest that isn't in force is deleted first.
"""

from dataclasses import dataclass
from typing import Any

from iotprov.client import calling, is_code
from iotprov.conf import IoTTarget, iot_settings
from pki.operators.errors import RemoteFailure

MAX_VERSIONS = 5

TEMPLATE_DESCRIPTION = "Made by the EST server: provisions devices that enrolled there."


@dataclass(frozen=True, slots=True)
class DefaultVersion:
    """The version of a document that is in force at a target. The rest is of templates alone."""

    body: str
    version: str
    role_arn: str = ""
    is_enabled: bool = True
    template_type: str = "JITP"


@dataclass(frozen=True, slots=True)
class Written:
    """The version that was written, and the one that had to go for it ("": none)."""

    version: str
    removed: str = ""


def read_policy(target: IoTTarget, name: str) -> DefaultVersion | None:
    """The policy at ``target``; ``None`` when there is none. Raises ``RemoteFailure``."""
    try:
        with calling(target, "iot", "GetPolicy") as iot:
            found = iot.get_policy(policyName=name)
    except RemoteFailure as error:
        if is_code(error, "ResourceNotFoundException"):
            return None
        raise
    return DefaultVersion(found["policyDocument"], str(found["defaultVersionId"]))


def create_policy(target: IoTTarget, name: str, body: str) -> Written:
    """Make the policy, with the tags of the configuration. Raises ``RemoteFailure``."""
    with calling(target, "iot", "CreatePolicy") as iot:
        made = iot.create_policy(policyName=name, policyDocument=body, **_tags())
    return Written(str(made["policyVersionId"]))


def superfluous_policy_version(target: IoTTarget, name: str) -> str:
    """The version that has to go before the policy can have another; "" when there is room."""
    with calling(target, "iot", "ListPolicyVersions") as iot:
        return _superfluous(iot.list_policy_versions(policyName=name)["policyVersions"])


def replace_policy(target: IoTTarget, name: str, body: str) -> Written:
    """Put another version of the policy in force. Raises ``RemoteFailure``."""
    removed = superfluous_policy_version(target, name)
    if removed:
        with calling(target, "iot", "DeletePolicyVersion") as iot:
            iot.delete_policy_version(policyName=name, policyVersionId=removed)
    with calling(target, "iot", "CreatePolicyVersion") as iot:
        made = iot.create_policy_version(policyName=name, policyDocument=body, setAsDefault=True)
    return Written(str(made["policyVersionId"]), removed)


def read_provisioning_template(target: IoTTarget, name: str) -> DefaultVersion | None:
    """The template at ``target``; ``None`` when there is none. Raises ``RemoteFailure``."""
    try:
        with calling(target, "iot", "DescribeProvisioningTemplate") as iot:
            found = iot.describe_provisioning_template(templateName=name)
    except RemoteFailure as error:
        if is_code(error, "ResourceNotFoundException"):
            return None
        raise
    return DefaultVersion(
        found["templateBody"],
        str(found["defaultVersionId"]),
        role_arn=found.get("provisioningRoleArn", ""),
        is_enabled=found.get("enabled", False),
        template_type=found.get("type", "FLEET_PROVISIONING"),  # as AWS: what it was at first
    )


def create_template(target: IoTTarget, name: str, body: str, role_arn: str) -> Written:
    """Make the template for JITP, enabled, with the configuration's tags.

    Raises ``RemoteFailure``.
    """
    with calling(target, "iot", "CreateProvisioningTemplate") as iot:
        made = iot.create_provisioning_template(
            templateName=name,
            description=TEMPLATE_DESCRIPTION,
            templateBody=body,
            enabled=True,
            provisioningRoleArn=role_arn,
            type="JITP",
            **_tags(),
        )
    return Written(str(made["defaultVersionId"]))


def superfluous_template_version(target: IoTTarget, name: str) -> str:
    """The version that has to go before the template can have another; "" when there is room."""
    versions: list[dict[str, Any]] = []
    with calling(target, "iot", "ListProvisioningTemplateVersions") as iot:
        pages = iot.get_paginator("list_provisioning_template_versions")
        for page in pages.paginate(templateName=name):
            versions += page["versions"]
    return _superfluous(versions)


def replace_template(target: IoTTarget, name: str, body: str) -> Written:
    """Put another version of the template in force. Raises ``RemoteFailure``."""
    removed = superfluous_template_version(target, name)
    if removed:
        with calling(target, "iot", "DeleteProvisioningTemplateVersion") as iot:
            iot.delete_provisioning_template_version(templateName=name, versionId=int(removed))
    with calling(target, "iot", "CreateProvisioningTemplateVersion") as iot:
        made = iot.create_provisioning_template_version(
            templateName=name, templateBody=body, setAsDefault=True
        )
    return Written(str(made["versionId"]), removed)


def update_template(target: IoTTarget, name: str, role_arn: str) -> None:
    """Enable the template, with this role. Raises ``RemoteFailure``."""
    with calling(target, "iot", "UpdateProvisioningTemplate") as iot:
        iot.update_provisioning_template(
            templateName=name, enabled=True, provisioningRoleArn=role_arn
        )


def _superfluous(versions: list[dict[str, Any]]) -> str:
    """The oldest version that isn't in force, when there is no room for another."""
    if len(versions) < MAX_VERSIONS:
        return ""
    unused = [int(one["versionId"]) for one in versions if not one["isDefaultVersion"]]
    return str(min(unused))


def _tags() -> dict[str, Any]:
    tags = [{"Key": key, "Value": value} for key, value in iot_settings().tags]
    return {"tags": tags} if tags else {}
