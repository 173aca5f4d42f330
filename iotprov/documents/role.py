"""The role with which AWS IoT provisions devices (JITP), in each target's account.

A person who may change this role, or who may have AWS IoT carry out a template with it, can give
devices any policy. The role therefore trusts only AWS IoT, only on behalf of this account, and may
only register things: https://docs.aws.amazon.com/iot/latest/developerguide/jit-provisioning.html
"""

import json
from dataclasses import dataclass
from typing import Any

from iotprov.client import account_of, calling, is_code, partition_of
from iotprov.conf import IoTTarget, iot_settings, setting_name
from pki.aws.ownership import refuse_of_another, tags_of
from pki.conf import pki_settings
from pki.operators.errors import OperatorError, RemoteFailure

DESCRIPTION = "Made by the EST server: AWS IoT provisions devices with it (JITP)."
"""Marks the roles that this server made. A role with another description is never changed."""

SERVICE = "iot.amazonaws.com"


@dataclass(frozen=True, slots=True)
class ProvisioningRole:
    """The role at a target, with the changes to it and warnings for the operator."""

    arn: str
    changes: tuple[str, ...] = ()
    """What was changed, or in a dry run would be: ``attach POLICY to the role NAME``."""
    warnings: tuple[str, ...] = ()
    is_new: bool = False


def trust_policy(account: str) -> dict[str, Any]:
    """Return the trust policy: AWS IoT may assume the role, only for ``account``.

    The condition prevents the confused deputy problem.
    """
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": SERVICE},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"aws:SourceAccount": account}},
            }
        ],
    }


def registration_policy_arn(partition: str) -> str:
    """Return the ARN of the managed policy for registering things, certificates and policies."""
    return f"arn:{partition}:iam::aws:policy/service-role/AWSIoTThingsRegistration"


def ensure_role(target: IoTTarget, *, dry_run: bool = False) -> ProvisioningRole:
    """Make the role if it is missing, and repair it if this server made it.

    A role from elsewhere, such as the CDK sample's, is used as it is, since others may rely on it.
    Warnings say what is too wide about it. With ``dry_run`` nothing is changed. Raises
    ``OperatorError`` for a role of another project or that AWS IoT cannot assume, and
    ``RemoteFailure``.
    """
    # Step 1: a missing role is made.
    name = iot_settings().provisioning_role_name
    account, partition = account_of(target), partition_of(target)
    expected_policy, expected_trust = registration_policy_arn(partition), trust_policy(account)
    found = _find(target, name)
    if found is None:
        if dry_run:
            arn = f"arn:{partition}:iam::{account}:role/{name}"
        else:
            arn = _create(target, name, account)
            _attach(target, name, expected_policy)
        return ProvisioningRole(arn, (f"make the role {name}",), is_new=True)

    # Step 2: what an existing one may do, and who may assume it.
    refuse_of_another(
        f"The role {name}",
        tags_of(found.get("Tags", [])),
        pki_settings().project_name,
        f"Take {setting_name('provisioning_role_name')} out of the configuration, or set it to a "
        "name of this project's own.",
    )
    is_ours = found.get("Description") == DESCRIPTION
    attached = _attached(target, name)
    warnings = [
        f"The role {name} has {arn} attached as well. AWS IoT needs only {expected_policy}."
        for arn in attached
        if arn != expected_policy
    ]
    changes = []
    if is_ours:
        if found["AssumeRolePolicyDocument"] != expected_trust:
            changes.append(f"let only AWS IoT, and only for this account, assume the role {name}")
            if not dry_run:
                _set_trust(target, name, expected_trust)
        if expected_policy not in attached:
            changes.append(f"attach {expected_policy} to the role {name}")
            if not dry_run:
                _attach(target, name, expected_policy)
    else:
        warnings += _trust_warnings(name, found["AssumeRolePolicyDocument"], expected_trust)
        if expected_policy not in attached:
            warnings.append(
                f"The role {name} was not made by this server, and lacks {expected_policy}. Attach "
                "that policy, unless the role has other policies that allow the same."
            )
    return ProvisioningRole(str(found["Arn"]), tuple(changes), tuple(warnings))


def _find(target: IoTTarget, name: str) -> dict[str, Any] | None:
    try:
        with calling(target, "iam", "GetRole") as iam:
            role: dict[str, Any] = iam.get_role(RoleName=name)["Role"]
            return role
    except RemoteFailure as error:
        if is_code(error, "NoSuchEntity"):
            return None
        raise


def _create(target: IoTTarget, name: str, account: str) -> str:
    tags = [{"Key": key, "Value": value} for key, value in iot_settings().tags]
    with calling(target, "iam", "CreateRole") as iam:
        made = iam.create_role(
            RoleName=name,
            Description=DESCRIPTION,
            AssumeRolePolicyDocument=json.dumps(trust_policy(account)),
            **({"Tags": tags} if tags else {}),
        )
        return str(made["Role"]["Arn"])


def _attach(target: IoTTarget, name: str, policy_arn: str) -> None:
    with calling(target, "iam", "AttachRolePolicy") as iam:
        iam.attach_role_policy(RoleName=name, PolicyArn=policy_arn)


def _set_trust(target: IoTTarget, name: str, trust: dict[str, Any]) -> None:
    with calling(target, "iam", "UpdateAssumeRolePolicy") as iam:
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))


def _attached(target: IoTTarget, name: str) -> list[str]:
    """Return the ARNs of the managed policies attached to the role."""
    with calling(target, "iam", "ListAttachedRolePolicies") as iam:
        pages = iam.get_paginator("list_attached_role_policies").paginate(RoleName=name)
        return [one["PolicyArn"] for page in pages for one in page["AttachedPolicies"]]


def _trust_warnings(name: str, trust: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    """Return what is too wide about the trust of a role that this server did not make."""
    statements = trust.get("Statement", [])
    allowing = [
        one
        for one in (statements if isinstance(statements, list) else [statements])
        if one.get("Effect") == "Allow"
    ]
    trusted = {principal for one in allowing for principal in _principals(one)}
    if SERVICE not in trusted:
        raise OperatorError(
            f"The role {name} does not trust {SERVICE}, so AWS IoT cannot provision with it. "
            f"Choose another {setting_name('provisioning_role_name')}, and this server makes it."
        )
    warnings = []
    if others := sorted(trusted - {SERVICE}):
        warnings.append(
            f"The role {name} was not made by this server, and trusts {', '.join(others)} as well. "
            "Take them out of its trust policy."
        )
    condition = expected["Statement"][0]["Condition"]
    if not all("aws:SourceAccount" in json.dumps(one.get("Condition", {})) for one in allowing):
        warnings.append(
            f"The role {name} was not made by this server, and its trust is not limited to this "
            f"account. Add the condition {json.dumps(condition)} in IAM."
        )
    return warnings


def _principals(statement: dict[str, Any]) -> list[str]:
    principal = statement.get("Principal")
    named = principal.values() if isinstance(principal, dict) else [principal]
    return [
        str(name) for one in named for name in (one if isinstance(one, list) else [one]) if name
    ]
