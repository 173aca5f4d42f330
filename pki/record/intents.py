"""Make intents, the rows of certificates about to be signed, and void those that are left over."""

import datetime
import logging
import uuid
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.db.models import QuerySet
from django.utils import timezone

from pki.csr.check import ParsedCSR
from pki.csr.subjects import name_text
from pki.csr.thing_names import fold_name, fold_serial
from pki.encoding.certificates import serial_number_text
from pki.encoding.der import fingerprint_of_der
from pki.exceptions import AuthorityUnavailable
from pki.models import IssuedCertificate, hot_path_rows
from pki.reasons import Reason
from pki.record import audit_trail
from pki.record.audit_trail import SYSTEM, Actor
from pki.record.snapshot import AuthoritySnapshot
from pki.record.transactions import in_no_transaction, in_write_transactions
from pki.signers.certificate_contents import random_serial_number

logger = logging.getLogger(__name__)

BACKDATING = datetime.timedelta(minutes=5)
"""How long before its making a certificate begins to be valid, because devices' clocks are late."""

CLOCK_TOLERANCE = datetime.timedelta(minutes=10)
"""How far an external PKI's clock may be off when its certificate is checked."""

ABANDONED_AFTER = datetime.timedelta(hours=1)
"""The age at which an intent counts as abandoned. No request takes so long, nor its repetition."""

State = IssuedCertificate.State


def new_intent(
    csr: ParsedCSR,
    authority: AuthoritySnapshot,
    *,
    subject: x509.Name,
    common_name: str,
    san: x509.SubjectAlternativeName | None,
    validity: datetime.timedelta,
    now: datetime.datetime,
    device_serial: str | None = None,
) -> IssuedCertificate:
    """Return a row for a certificate to be signed, not saved yet.

    ``device_serial`` is the device's serial number, unless the CSR's own says it.
    It ends after ``validity``, but never after its CA, because the path would break (RFC 5280 6.1).
    Raises ``AuthorityUnavailable`` when the CA cannot issue any more.
    """
    not_after = min(now + validity, authority.issuer.not_after)
    ca = authority.row
    if not_after <= now or ca.status != ca.Status.ACTIVE or not ca.can_sign:
        logger.error("CA %s can't issue: status %s, until %s", ca, ca.status, ca.not_after)
        raise AuthorityUnavailable(Reason.CA_UNAVAILABLE)
    serial = csr.device_serial if device_serial is None else device_serial
    row = hot_path_rows.new_row(
        IssuedCertificate,
        {
            "ca_id": ca.pk,
            "serial_number": serial_number_text(random_serial_number()),
            "common_name": common_name,
            "name_folded": fold_name(common_name),
            "device_serial": serial,
            "serial_folded": fold_serial(serial),
            "subject": name_text(subject)[:1000],
            "san": _san_text(san)[:2000],
            "key_algorithm": csr.key_algorithm,
            "key_sha256": csr.key_sha256,
            "not_before": (now - BACKDATING).replace(microsecond=0),
            "not_after": not_after.replace(microsecond=0),
            "csr_der": csr.der,
            "created_at": now,
        },
    )
    row.ca = ca
    return row


def _san_text(san: x509.SubjectAlternativeName | None) -> str:
    return ", ".join(str(name.value) for name in san or ())


def issued_columns(certificate: x509.Certificate, now: datetime.datetime) -> dict[str, object]:
    """Return the columns of an issued certificate. An external PKI may differ from the intent."""
    der = certificate.public_bytes(Encoding.DER)
    return {
        "state": State.ISSUED,
        "der": der,
        "fingerprint_sha256": fingerprint_of_der(der),
        "serial_number": serial_number_text(certificate.serial_number),
        "not_before": certificate.not_valid_before_utc,
        "not_after": certificate.not_valid_after_utc,
        "issued_at": now,
    }


def void_intents(intents: QuerySet[IssuedCertificate], *, actor: Actor, why: str) -> int:
    """Make ``intents`` void, in the caller's transaction, and return how many were.

    A signature may exist although no client got it (a crash came in between), so a void serial
    number goes on the CRL. A name or key that an intent owned goes to the oldest certificate of the
    same name that was issued after all. Without one it is free.
    """
    count = 0
    for intent in intents.filter(state=State.INTENT).defer("csr_der", "der"):
        voided = IssuedCertificate.objects.filter(pk=intent.pk, state=State.INTENT).update(
            state=State.VOID,
            name_owner=None,
            key_owner=None,
            current_name=None,
            request_key=None,
            new_name_of=None,
            revoked_at=timezone.now(),
        )
        if not voided:
            continue  # issued while this waited for its row
        count += 1
        _hand_over(intent)
        audit_trail.record(
            "void",
            actor=actor,
            target=f"certificate:{intent.serial_number}",
            reason=why,
            before={"name": intent.common_name},
        )
    return count


def void_in_chunks(
    groups: Sequence[tuple[QuerySet[IssuedCertificate], str]], *, actor: Actor
) -> int:
    """Make intents void, and return how many were. Each group is of intents, and why they are.

    This takes transactions of its own: a fleet whose signer is out of order leaves more intents
    than a database takes at once. None is half void, and a repetition goes on.
    """

    def find() -> list[tuple[uuid.UUID, str]]:
        return [
            (pk, why)
            for intents, why in groups
            for pk in intents.filter(state=State.INTENT).values_list("pk", flat=True)
        ]

    def void(found: Sequence[tuple[uuid.UUID, str]]) -> int:
        reasons = dict(found)
        return sum(
            void_intents(
                IssuedCertificate.objects.filter(
                    pk__in=[pk for pk in reasons if reasons[pk] == why]
                ),
                actor=actor,
                why=why,
            )
            for why in dict.fromkeys(reasons.values())
        )

    return sum(in_write_transactions(in_no_transaction(find), void))


def _hand_over(intent: IssuedCertificate) -> None:
    """Give the name and key that ``intent`` owned to the oldest certificate issued in its place."""
    issued = (
        IssuedCertificate.objects.filter(name_folded=intent.name_folded)
        .exclude(state__in=[State.INTENT, State.VOID])
        .exclude(operation=IssuedCertificate.Operation.CLIENT)  # its common name is no thing's
        .order_by("created_at")
    )
    if intent.name_owner and (heir := _heir_of_name(issued)):
        changes = {"name_owner": intent.name_owner}
        if intent.new_name_of == heir.client_signed_sha256:  # it counts, as the intent did
            changes["new_name_of"] = intent.new_name_of
        IssuedCertificate.objects.filter(pk=heir.pk).update(**changes)
    if intent.key_owner and (heir := issued.filter(key_sha256=intent.key_owner).only("pk").first()):
        IssuedCertificate.objects.filter(pk=heir.pk).update(key_owner=intent.key_owner)


def _heir_of_name(issued: QuerySet[IssuedCertificate]) -> IssuedCertificate | None:
    """Return the certificate that the name was taken over from, if it was, else the oldest one.

    A certificate from before the name's release has no claim to it, unless the name was reserved
    for a client. Then one of these rows says for which.
    """
    heirs = issued.only("pk", "client_signed_sha256").exclude(
        name_released_at__isnull=False, holder_fingerprint=""
    )
    return heirs.exclude(holder_fingerprint="").order_by("-created_at").first() or heirs.first()


def settle_intents(
    *, actor: Actor = SYSTEM, older_than: datetime.timedelta = ABANDONED_AFTER
) -> int:
    """Void every abandoned intent, and return how many there were."""
    abandoned = IssuedCertificate.objects.filter(created_at__lt=timezone.now() - older_than)
    return void_in_chunks(
        [(abandoned, "abandoned: no request took it up again")],
        actor=actor,
    )
