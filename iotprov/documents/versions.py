"""The provisioning template and the IoT policy: versions on record, and the text for a target.

Each edit is a new version, and the newest is in force. While there is none, the file that the
configuration names is in force.
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
from iotprov.template.resources import POLICY
from pki.models import Generation
from pki.operators.errors import OperatorError
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.record.transactions import in_write_transaction

Kind = DocumentVersion.Kind


class VersionChanged(OperatorError):
    """Another version has come in force since the text was read that the new one is made from."""

    def __init__(self, version: DocumentVersion) -> None:
        self.version = version
        super().__init__(
            f"{version} by {version.created_by} came in force since you began, so nothing was "
            "saved. Compare the two texts, then save again to put yours in its place."
        )


def name_of(kind: str) -> str:
    """Return the document's name in AWS IoT, by the configuration."""
    chosen = iot_settings()
    return chosen.policy_name if kind == Kind.POLICY else chosen.template_name


def current(kind: str) -> DocumentVersion | None:
    """Return the newest version on record, or ``None`` while the file is in force."""
    return DocumentVersion.objects.filter(kind=kind, name=name_of(kind)).order_by("-number").first()


def body_of_file(kind: str) -> str:
    """Return the text of the configured file. Raises ``DocumentError`` if it cannot be read."""
    chosen = iot_settings()
    return read_file(chosen.policy_path if kind == Kind.POLICY else chosen.template_path)


def body_in_force(kind: str) -> str:
    """Return the text in force, placeholders not filled: the newest version's, or the file's.

    Raises ``DocumentError`` if there is no version and the file cannot be read.
    """
    version = current(kind)
    return version.body if version else body_of_file(kind)


def number_in_force(kind: str) -> int:
    """Return the number of the version in force, or 0 while the file is."""
    version = current(kind)
    return version.number if version else 0


def find_version(kind: str, number: int) -> DocumentVersion:
    """Return the version on record. Raises ``OperatorError`` if there is none."""
    found = DocumentVersion.objects.filter(kind=kind, name=name_of(kind), number=number).first()
    if found is None:
        raise OperatorError(f"{name_of(kind)} has no version {number}. Choose one on record.")
    return found


def add_version(
    kind: str, body: str, *, actor: Actor, reason: str, based_on: int | None = None
) -> DocumentVersion:
    """Put a new version in force. It is not pushed.

    ``based_on`` is the number of the version (0: the file) that a person started from. With it
    ``VersionChanged`` is raised if another one is in force by now. Raises ``DocumentError``, which
    names each error (``iotprov.documents.validation``), and ``OperatorError`` without a reason, or
    if the text is the one in force.
    """
    if not reason.strip():
        raise OperatorError("A new version needs a reason (--reason). The reason is kept with it.")
    check_document(kind, body)
    return in_write_transaction(lambda: _write_version(kind, body, actor, reason.strip(), based_on))


def roll_back(
    kind: str, number: int, *, actor: Actor, reason: str, based_on: int | None = None
) -> DocumentVersion:
    """Put an old version's text in force again, as a new version.

    Raises ``OperatorError`` if there is no such version, and what ``add_version`` raises.
    """
    found = find_version(kind, number)
    reason = f"{reason.strip()} (back to v{number})" if reason.strip() else ""
    return add_version(kind, found.body, actor=actor, reason=reason, based_on=based_on)


def _write_version(
    kind: str, body: str, actor: Actor, reason: str, based_on: int | None
) -> DocumentVersion:
    name = name_of(kind)
    before = current(kind)
    if before is not None and based_on not in (None, before.number):
        raise VersionChanged(before)
    if before is not None and before.body == body:
        raise OperatorError(f"{before} has this very text already. There is nothing to change.")
    newest = DocumentVersion.objects.filter(kind=kind, name=name).aggregate(Max("number"))
    version = DocumentVersion.objects.create(
        kind=kind,
        name=name,
        number=(newest["number__max"] or 0) + 1,
        body=body,
        reason=reason[:500],
        created_by=actor.name[:200],
    )
    if kind == Kind.TEMPLATE:
        Generation.advance()  # each process then reads the template again, for the next enrollment
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
    """Return the document for one account and region, as data.

    ``<ACCOUNT_ID>`` and ``<REGION>`` are filled inside of string values. An empty PolicyName of a
    template becomes the name of the installation's policy. Raises ``DocumentError`` for a text
    that is not a JSON object, or a value that is not an account number, a region or a partition.
    """
    try:
        document = fill(read_json(body).data, account=account, region=region, partition=partition)
    except NotJSON as error:
        raise DocumentError(f"The {Kind(kind).noun} cannot be used. {error}") from error
    if not isinstance(document, dict):
        raise DocumentError(f"The {Kind(kind).noun} cannot be used. It is not a JSON object.")
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
    """Return the text for ``target``: of ``body``, or by default of the text in force.

    Raises ``DocumentError`` as ``filled`` does, and ``RemoteFailure`` if AWS does not give the
    target's account or region.
    """
    document = filled(
        kind,
        body_in_force(kind) if body is None else body,
        account=client.account_of(target),
        region=client.region_of(target),
        partition=client.partition_of(target),
    )
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
