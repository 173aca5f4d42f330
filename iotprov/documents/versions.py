"""The provisioning template and the IoT policy: versions on record, and the text for a target.

What an operator edits is a new version; the newest is in force. Before there is any, the files of
the configuration are.
"""

import json
from typing import Any

from django.db.models import Max

from iotprov import client
from iotprov.conf import IoTTarget, iot_settings
from iotprov.documents.validation import check_document
from iotprov.exceptions import DocumentError
from iotprov.json_text.located import NotJSON, read_json
from iotprov.json_text.placeholders import fill
from iotprov.models import DocumentVersion
from iotprov.template.jitp import read_file
from iotprov.template.reader import POLICY
from pki.operators.errors import OperatorError
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.record.transactions import in_write_transaction

Kind = DocumentVersion.Kind


def name_of(kind: str) -> str:
    """The document's name in AWS IoT, as the configuration has it."""
    chosen = iot_settings()
    return chosen.policy_name if kind == Kind.POLICY else chosen.template_name


def current(kind: str) -> DocumentVersion | None:
    """The newest version on record; ``None`` while the file is in force."""
    return DocumentVersion.objects.filter(kind=kind, name=name_of(kind)).order_by("-number").first()


def body_of_file(kind: str) -> str:
    """The text of the configured file. Raises ``DocumentError`` when it can't be read."""
    chosen = iot_settings()
    return read_file(chosen.policy_path if kind == Kind.POLICY else chosen.template_path)


def body_in_force(kind: str) -> str:
    """What AWS should hold, placeholders unfilled: the newest version's text, or the file's.

    Raises ``DocumentError`` when there is no version and the file can't be read.
    """
    version = current(kind)
    return version.body if version else body_of_file(kind)


def add_version(kind: str, body: str, *, actor: Actor, reason: str) -> DocumentVersion:
    """Put a new version in force. Nothing is pushed yet.

    Raises ``DocumentError`` naming each error (``iotprov.documents.validation``), and
    ``OperatorError`` without a reason, or when the text is the one in force.
    """
    if not reason.strip():
        raise OperatorError("say why the document changes: a reason is kept with each version")
    check_document(kind, body)
    return in_write_transaction(lambda: _write_version(kind, body, actor, reason.strip()))


def roll_back(kind: str, number: int, *, actor: Actor, reason: str) -> DocumentVersion:
    """Put an old version's text in force again, as a new version.

    Raises ``OperatorError`` when there is no such version, and what ``add_version`` raises.
    """
    found = DocumentVersion.objects.filter(kind=kind, name=name_of(kind), number=number).first()
    if found is None:
        raise OperatorError(f"{name_of(kind)} has no version {number}")
    reason = f"{reason.strip()} (back to v{number})" if reason.strip() else ""
    return add_version(kind, found.body, actor=actor, reason=reason)


def _write_version(kind: str, body: str, actor: Actor, reason: str) -> DocumentVersion:
    name = name_of(kind)
    before = current(kind)
    if before is not None and before.body == body:
        raise OperatorError(f"{before} has this very text already: there is nothing to change")
    newest = DocumentVersion.objects.filter(kind=kind, name=name).aggregate(Max("number"))
    version = DocumentVersion.objects.create(
        kind=kind,
        name=name,
        number=(newest["number__max"] or 0) + 1,
        body=body,
        reason=reason[:500],
        created_by=actor.name[:200],
    )
    audit_trail.record(
        f"add-iot-{kind}-version",
        actor=actor,
        target=f"iot-{kind}:{name}",
        reason=reason,
        before={"number": before.number, "body": before.body} if before else None,
        after={"number": version.number, "body": body},
    )
    return version


def filled(kind: str, body: str, *, account: str, region: str, partition: str) -> dict[str, Any]:
    """The document for one account and region, as data.

    ``<ACCOUNT_ID>`` and ``<REGION>`` are filled inside of string values, an empty PolicyName of a
    template becomes our policy's name. Raises ``DocumentError`` for what isn't a JSON object, or
    a value that isn't an account number, a region or a partition.
    """
    try:
        document = fill(read_json(body).data, account=account, region=region, partition=partition)
    except NotJSON as error:
        raise DocumentError(f"the {Kind(kind).noun} can't be used: {error}") from error
    if not isinstance(document, dict):
        raise DocumentError(f"the {Kind(kind).noun} can't be used: it is no JSON object")
    if kind == Kind.TEMPLATE:
        _name_policies(document)
    return document


def _name_policies(template: dict[str, Any]) -> None:
    resources = template.get("Resources")
    for resource in resources.values() if isinstance(resources, dict) else ():
        if not isinstance(resource, dict) or resource.get("Type") != POLICY:
            continue
        properties = resource.get("Properties")
        if isinstance(properties, dict) and properties.get("PolicyName") == "":
            properties["PolicyName"] = iot_settings().policy_name


def body_for(kind: str, target: IoTTarget, body: str | None = None) -> str:
    """The text that ``target`` gets: of ``body``, or of what is in force.

    Raises ``DocumentError`` as ``filled`` does, and ``RemoteFailure`` when account or region of
    the target can't be had.
    """
    document = filled(
        kind,
        body_in_force(kind) if body is None else body,
        account=client.account_of(target),
        region=client.region_of(target),
        partition=client.partition_of(target),
    )
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
