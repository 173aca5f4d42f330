"""The role with which AWS IoT provisions devices (JITP), in each target's account.

Whoever may change this role, or have AWS IoT carry out a template with it, can give devices any
policy. So it trusts AWS IoT alone, on behalf of this account alone, and may register things and
nothing else: https://docs.aws.amazon.com/iot/latest/developerguide/jit-provisioning.html
"""

import json
from dataclasses import dataclass
from typing import Any

from iotprov.client import account_of, calling, is_code, partition_of
from iotprov.conf import IoTTarget, iot_settings, setting_name
from pki.operators.errors import OperatorError, RemoteFailure

DESCRIPTION = "Made by the EST server: AWS IoT provisions devices with it (JITP)."
"""Also how we know a role of ours again: one that somebody else made is never changed."""

SERVICE = "iot.amazonaws.com"


@dataclass(frozen=True, slots=True)
class ProvisioningRole:
    """The role at a target: what was done to it, and what a person should look at."""

    arn: str
    done: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    is_new: bool = False


def trust_policy(account: str) -> dict[str, Any]:
    """Who may assume the role: AWS IoT, for ``account`` (no confused deputy)."""
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
    """The managed policy that lets AWS IoT register things, certificates and policies."""
    return f"arn:{partition}:iam::aws:policy/service-role/AWSIoTThingsRegistration"


def ensure_role(target: IoTTarget, *, dry_run: bool = False) -> ProvisioningRole:
    """Make the role when it is missing, and mend it when it is ours.

    A role that was there before us, as the CDK sample's, is used as it is, for others may rely on
    it; what is too wide about it is said. With ``dry_run`` nothing is changed, and ``done`` says
    what would be. Raises ``OperatorError`` for a role that AWS
    IoT can't assume, and ``RemoteFailure``.
    """
    name = iot_settings().provisioning_role_name
    account, partition = account_of(target), partition_of(target)
    found = _find(target, name)
    if found is None:
        if dry_run:
            arn = f"arn:{partition}:iam::{account}:role/{name}"
            return ProvisioningRole(arn, (f"made the role {name}",), is_new=True)
        arn = _create(target, name, account)
        _attach(target, name, registration_policy_arn(partition))
        return ProvisioningRole(arn, (f"made the role {name}",), is_new=True)
    is_ours = found.get("Description") == DESCRIPTION
    attached = _attached(target, name)
    wanted_policy, wanted_trust = registration_policy_arn(partition), trust_policy(account)
    warnings = [
        f"the role {name} has {arn} attached as well: AWS IoT needs only {wanted_policy}"
        for arn in attached
        if arn != wanted_policy
    ]
    done = []
    if is_ours:
        if found["AssumeRolePolicyDocument"] != wanted_trust:
            done.append(f"set the trust of the role {name} back: AWS IoT, for this account, alone")
            if not dry_run:
                _set_trust(target, name, wanted_trust)
        if wanted_policy not in attached:
            done.append(f"attached {wanted_policy} to the role {name}")
            if not dry_run:
                _attach(target, name, wanted_policy)
    else:
        warnings += _trust_warnings(name, found["AssumeRolePolicyDocument"], wanted_trust)
        if wanted_policy not in attached:
            warnings.append(
                f"the role {name} isn't ours, and lacks {wanted_policy}: attach it, unless "
                "policies of the role's own do the same"
            )
    return ProvisioningRole(str(found["Arn"]), tuple(done), tuple(warnings))


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
    """The ARNs of the managed policies attached to the role."""
    with calling(target, "iam", "ListAttachedRolePolicies") as iam:
        pages = iam.get_paginator("list_attached_role_policies").paginate(RoleName=name)
        return [one["PolicyArn"] for page in pages for one in page["AttachedPolicies"]]


def _trust_warnings(name: str, trust: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """What is too wide about the trust of a role that somebody else made."""
    statements = trust.get("Statement", [])
    allowing = [
        one
        for one in (statements if isinstance(statements, list) else [statements])
        if one.get("Effect") == "Allow"
    ]
    trusted = {who for one in allowing for who in _principals(one)}
    if SERVICE not in trusted:
        raise OperatorError(
            f"the role {name} doesn't trust {SERVICE}, so AWS IoT can't provision with it: choose "
            f"another {setting_name('provisioning_role_name')}, and it is made for you"
        )
    warnings = []
    if others := sorted(trusted - {SERVICE}):
        warnings.append(
            f"the role {name} isn't ours, and trusts {', '.join(others)} as well: take them out"
        )
    condition = wanted["Statement"][0]["Condition"]
    if not all("aws:SourceAccount" in json.dumps(one.get("Condition", {})) for one in allowing):
        warnings.append(
            f"the role {name} isn't ours, and its trust isn't narrowed to this account: add the "
            f"condition {json.dumps(condition)} in IAM"
        )
    return warnings


def _principals(statement: dict[str, Any]) -> list[str]:
    principal = statement.get("Principal")
    named = principal.values() if isinstance(principal, dict) else [principal]
    return [str(who) for one in named for who in (one if isinstance(one, list) else [one]) if who]
