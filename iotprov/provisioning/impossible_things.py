"""Enrollments that can never become a thing, because the template takes what the subject lacks.

The device gets its certificate all the same: EST has no part in AWS IoT, and the template can be
corrected later. So it is said in the log, on the audit trail and on the certificate's page.
"""

import logging

from cryptography import x509

from iotprov.conf import iot_settings
from iotprov.documents.versions import body_in_force, body_of_file, current
from iotprov.exceptions import DocumentError, TemplateError
from iotprov.json_text.placeholders import with_examples
from iotprov.models import DocumentVersion
from iotprov.provisioning.desired_state import Mode, Operation
from iotprov.template.planned_thing import plan_for_subject
from iotprov.template.reader import parse_template
from pki.models import IssuedCertificate
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.record.snapshot import CASnapshot, latest_snapshot

logger = logging.getLogger(__name__)

ACTION = "no-thing"
"""The audit trail's word for a certificate that AWS IoT makes no thing of."""

_in_force: tuple[CASnapshot, str, str | None] | None = None
"""The template's newest version, with the snapshot and the name under which it was read."""


def uses_template(mode: str) -> bool:
    """Return whether things of a profile in this mode are made by this server's template."""
    return mode == Mode.REGISTER or (mode == Mode.JITP and iot_settings().configure_jitp)


def obstacle(certificate: IssuedCertificate) -> str:
    """Return why AWS IoT makes no thing of the certificate by the template in force, or ""."""
    return obstacle_of_subject(certificate.to_x509().subject, certificate.fingerprint_sha256 or "")


def obstacle_of_subject(subject: x509.Name, certificate_id: str = "") -> str:
    """Return why AWS IoT makes no thing of a certificate with that subject, or "".

    It need not be signed yet.
    """
    try:
        return _obstacle(subject, certificate_id, body_in_force(DocumentVersion.Kind.TEMPLATE))
    except DocumentError:
        return ""


def record_obstacle(certificate: IssuedCertificate) -> None:
    """Say in the log and on the audit trail that a new certificate cannot become a thing.

    Runs in the transaction that issues it, and runs no statement if the certificate can. A renewal
    is not asked: its device has a thing, or was told at its first enrollment.
    """
    profile = certificate.profile
    is_renewal = certificate.operation == Operation.REENROLL
    if is_renewal or profile is None or not uses_template(profile.iot_provisioning):
        return
    try:
        reason = _obstacle(
            certificate.to_x509().subject, certificate.fingerprint_sha256 or "", _known_template()
        )
    except DocumentError:
        return
    if not reason:
        return
    logger.warning("%s cannot become a thing: %s", certificate, reason)
    audit_trail.record(
        ACTION,
        actor=Actor.client(
            certificate.client_fingerprint, certificate.request_id, certificate.source_ip
        ),
        target=f"certificate:{certificate.serial_number}",
        reason=reason[:500],
    )


def _obstacle(subject: x509.Name, certificate_id: str, body: str) -> str:
    """Return why the template of that text makes no thing of the subject, or "".

    A template that cannot be used for any certificate is no obstacle of this one. System checks and
    pushes report it.
    """
    text = with_examples(body)
    try:
        parse_template(text)
    except TemplateError:
        return ""
    try:
        plan_for_subject(text, subject, lambda: certificate_id)
    except TemplateError as error:
        return str(error)
    return ""


def _known_template() -> str:
    """Return the text in force, read again only after a change of template, profile or CA.

    A new version advances ``Generation``, and with it each process's snapshot. Raises
    ``DocumentError`` if there is no text.
    """
    global _in_force  # a cache of one value; replaced whole, never changed
    snapshot, name = latest_snapshot(), iot_settings().template_name
    known = _in_force
    if known is None or known[0] is not snapshot or known[1] != name:
        version = current(DocumentVersion.Kind.TEMPLATE)
        known = (snapshot, name, version.body if version else None)
        _in_force = known if snapshot.generation >= 0 else None
    body = known[2]
    return body_of_file(DocumentVersion.Kind.TEMPLATE) if body is None else body
