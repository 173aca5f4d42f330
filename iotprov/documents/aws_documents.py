"""Policies and provisioning templates in AWS IoT: read the default version, write another.

A document has five versions at most. Before a sixth is written, the oldest version that is not the
default one is deleted.
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
    """The default version of a document at a target. Only templates have the last three fields."""

    body: str
    version: str
    arn: str
    role_arn: str = ""
    is_enabled: bool = True
    template_type: str = "JITP"


@dataclass(frozen=True, slots=True)
class Written:
    """The version that was written, and the one that was deleted for it ("" for none)."""

    version: str
    removed: str = ""


def read_policy(target: IoTTarget, name: str) -> DefaultVersion | None:
    """Return the policy at ``target``, or ``None``. Raises ``RemoteFailure``."""
    try:
        with calling(target, "iot", "GetPolicy") as iot:
            found = iot.get_policy(policyName=name)
    except RemoteFailure as error:
        if is_code(error, "ResourceNotFoundException"):
            return None
        raise
    return DefaultVersion(
        found["policyDocument"], str(found["defaultVersionId"]), found["policyArn"]
    )


def create_policy(target: IoTTarget, name: str, body: str) -> Written:
    """Make the policy, with the tags of the configuration. Raises ``RemoteFailure``."""
    with calling(target, "iot", "CreatePolicy") as iot:
        made = iot.create_policy(policyName=name, policyDocument=body, **_tags())
    return Written(str(made["policyVersionId"]))


def policy_version_to_delete(target: IoTTarget, name: str) -> str:
    """Return the policy version to delete before another is written, or ""."""
    with calling(target, "iot", "ListPolicyVersions") as iot:
        return _version_to_delete(iot.list_policy_versions(policyName=name)["policyVersions"])


def replace_policy(target: IoTTarget, name: str, body: str) -> Written:
    """Write a version of the policy and make it the default. Raises ``RemoteFailure``."""
    removed = policy_version_to_delete(target, name)
    if removed:
        with calling(target, "iot", "DeletePolicyVersion") as iot:
            iot.delete_policy_version(policyName=name, policyVersionId=removed)
    with calling(target, "iot", "CreatePolicyVersion") as iot:
        made = iot.create_policy_version(policyName=name, policyDocument=body, setAsDefault=True)
    return Written(str(made["policyVersionId"]), removed)


def read_provisioning_template(target: IoTTarget, name: str) -> DefaultVersion | None:
    """Return the template at ``target``, or ``None``. Raises ``RemoteFailure``."""
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
        found["templateArn"],
        role_arn=found.get("provisioningRoleArn", ""),
        is_enabled=found.get("enabled", False),
        template_type=found.get("type", "FLEET_PROVISIONING"),  # AWS's default
    )


def create_template(target: IoTTarget, name: str, body: str, role_arn: str) -> Written:
    """Make the template for JITP, enabled, with the tags of the configuration.

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


def template_version_to_delete(target: IoTTarget, name: str) -> str:
    """Return the template version to delete before another is written, or ""."""
    versions: list[dict[str, Any]] = []
    with calling(target, "iot", "ListProvisioningTemplateVersions") as iot:
        pages = iot.get_paginator("list_provisioning_template_versions")
        for page in pages.paginate(templateName=name):
            versions += page["versions"]
    return _version_to_delete(versions)


def replace_template(target: IoTTarget, name: str, body: str) -> Written:
    """Write a version of the template and make it the default. Raises ``RemoteFailure``."""
    removed = template_version_to_delete(target, name)
    if removed:
        with calling(target, "iot", "DeleteProvisioningTemplateVersion") as iot:
            iot.delete_provisioning_template_version(templateName=name, versionId=int(removed))
    with calling(target, "iot", "CreateProvisioningTemplateVersion") as iot:
        made = iot.create_provisioning_template_version(
            templateName=name, templateBody=body, setAsDefault=True
        )
    return Written(str(made["versionId"]), removed)


def update_template(target: IoTTarget, name: str, role_arn: str) -> None:
    """Enable the template and give it this role. Raises ``RemoteFailure``."""
    with calling(target, "iot", "UpdateProvisioningTemplate") as iot:
        iot.update_provisioning_template(
            templateName=name, enabled=True, provisioningRoleArn=role_arn
        )


def _version_to_delete(versions: list[dict[str, Any]]) -> str:
    """Return the oldest version that is not the default, if there is no room for another."""
    if len(versions) < MAX_VERSIONS:
        return ""
    unused = [int(one["versionId"]) for one in versions if not one["isDefaultVersion"]]
    return str(min(unused))


def _tags() -> dict[str, Any]:
    tags = [{"Key": key, "Value": value} for key, value in iot_settings().tags]
    return {"tags": tags} if tags else {}
