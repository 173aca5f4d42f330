"""The denylist: who may not enroll, asked before an intent is written and again when it is issued.

A deny takes effect in two commits. The first makes the entry visible, so that from then on no
intent becomes issued; the second turns the intents it names void, which waits for any that was
being issued at that moment. When ``deny`` has returned, no certificate is issued to what it names.
"""

import datetime
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.db.models import Exists, Q, QuerySet

from pki import audit
from pki.audit import Actor
from pki.exceptions import DeviceDenied, OperatorError
from pki.intents import void_intents
from pki.keys import public_key_sha256
from pki.models import DenylistEntry, IssuedCertificate
from pki.names import fold_name
from pki.reasons import Reason
from pki.transactions import in_write_transaction

Kind = DenylistEntry.Kind

_HEX = frozenset("0123456789abcdef")

_LONGEST_VALUE = 128  # characters, as the columns have them; SQLite wouldn't say
_LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class Subjects:
    """Everything about one request that the denylist may name."""

    common_name: str
    device_serial: str = ""
    key_sha256: str = ""
    client_fingerprint: str = ""
    client_serial_number: str = ""
    certificate_fingerprint: str = ""
    """Of the certificate to be renewed, when there is one."""
    certificate_serial_number: str = ""

    def condition(self) -> Q:
        """The entries that would stop this request, as a condition on ``DenylistEntry``."""
        fingerprints = [self.client_fingerprint, self.certificate_fingerprint]
        serial_numbers = [self.client_serial_number, self.certificate_serial_number]
        condition = Q(kind=Kind.COMMON_NAME, value=fold_name(self.common_name))
        for kind, values in (
            (Kind.DEVICE_SERIAL, [self.device_serial.casefold()]),
            (Kind.KEY, [self.key_sha256]),
            (Kind.CLIENT, [self.client_fingerprint]),
            (Kind.FINGERPRINT, fingerprints),
            (Kind.SERIAL_NUMBER, serial_numbers),
        ):
            present = [value for value in values if value]
            if present:
                condition |= Q(kind=kind, value__in=present)
        return condition

    def denied(self) -> Exists:
        """True in SQL when the denylist names any of this; for conditional updates."""
        return Exists(DenylistEntry.objects.in_force().filter(self.condition()))


def check_denylist(subjects: Subjects) -> None:
    """Raise ``DeviceDenied`` when an entry in force names any of ``subjects``."""
    entry = DenylistEntry.objects.in_force().filter(subjects.condition()).first()
    if entry is not None:
        raise denied_by(entry)


def denied_by(entry: DenylistEntry) -> DeviceDenied:
    """The refusal for an entry. The operator's own words stay here: they aren't for devices."""
    kind = Kind(entry.kind)
    reason = Reason.CLIENT_DENIED if kind == Kind.CLIENT else Reason.DEVICE_DENIED
    return DeviceDenied(reason, f"the denylist names this {_SUBJECT_WORDS[kind]}")


_SUBJECT_WORDS = {
    Kind.COMMON_NAME: "thing name",
    Kind.DEVICE_SERIAL: "device's serial number",
    Kind.FINGERPRINT: "certificate",
    Kind.SERIAL_NUMBER: "certificate's serial number",
    Kind.KEY: "public key",
    Kind.CLIENT: "client certificate",
}


def deny(
    kind: str,
    value: str,
    *,
    reason: str,
    actor: Actor,
    expires_at: datetime.datetime | None = None,
) -> bool:
    """Put ``value`` on the denylist; returns whether it wasn't there with these terms already.

    Raises ``OperatorError`` for a value that can't be of this kind, or an empty reason.
    """
    value = normalize(kind, value)
    check_reason(reason)

    def write_entry() -> bool:
        return write(kind, value, reason=reason, actor=actor, expires_at=expires_at)

    added = in_write_transaction(write_entry)
    void_intents_of([(kind, value)], actor=actor)
    return added


def check_reason(reason: str) -> None:
    """Raise ``OperatorError`` for a reason that says nothing, or can't be stored."""
    if not reason.strip():
        raise OperatorError("a denylist entry needs a reason: whoever reads it later will ask")
    if len(reason) > _LONGEST_REASON or "\0" in reason:
        raise OperatorError(
            f"the reason has {len(reason)} characters: wanted at most {_LONGEST_REASON}, no NUL"
        )


def write(
    kind: str,
    value: str,
    *,
    reason: str,
    actor: Actor,
    expires_at: datetime.datetime | None,
) -> bool:
    """Add or change one normalized entry, in the caller's transaction."""
    existing = DenylistEntry.objects.filter(kind=kind, value=value).first()
    terms = {"reason": reason, "expires_at": expires_at and expires_at.isoformat()}
    if existing is None:
        DenylistEntry.objects.create(
            kind=kind, value=value, reason=reason, created_by=actor.name, expires_at=expires_at
        )
        before = None
    elif (existing.reason, existing.expires_at) == (reason, expires_at):
        return False
    else:
        before = {
            "reason": existing.reason,
            "expires_at": existing.expires_at and existing.expires_at.isoformat(),
        }
        existing.reason, existing.expires_at = reason, expires_at
        existing.save()
    audit.record(
        "deny", actor=actor, target=f"{kind}:{value}", reason=reason, before=before, after=terms
    )
    return True


def _intents_of(kind: str, value: str) -> QuerySet[IssuedCertificate]:
    """The certificates-to-be that an entry stops."""
    return IssuedCertificate.objects.filter(
        {
            Kind.COMMON_NAME: Q(name_folded=value),
            Kind.DEVICE_SERIAL: Q(device_serial__iexact=value),
            Kind.FINGERPRINT: (
                Q(client_fingerprint=value) | Q(predecessor__fingerprint_sha256=value)
            ),
            Kind.SERIAL_NUMBER: Q(predecessor__serial_number=value),
            Kind.KEY: Q(key_sha256=value),
            Kind.CLIENT: Q(client_fingerprint=value),
        }[Kind(kind)]
    )


def void_intents_of(entries: Iterable[tuple[str, str]], *, actor: Actor) -> None:
    """The second commit of a deny (see above), for (kind, value) pairs."""

    def void_all() -> None:
        for kind, value in entries:
            if kind == Kind.SERIAL_NUMBER:
                _wait_for_intents()
            void_intents(_intents_of(kind, value), actor=actor, why=f"denied: {kind}")

    in_write_transaction(void_all)


def _wait_for_intents() -> None:
    """Let every certificate that is being issued at this moment be issued first.

    A row doesn't say its client's serial number, so which of them an entry names can't be told.
    Writing to each waits for, or collides with, whoever is turning it into a certificate; what is
    issued afterwards has seen the entry.
    """
    intents = IssuedCertificate.objects.filter(state=IssuedCertificate.State.INTENT)
    intents.update(state=IssuedCertificate.State.INTENT)


def allow(kind: str, value: str, *, reason: str, actor: Actor) -> bool:
    """Take ``value`` off the denylist; returns whether it was there.

    Raises ``OperatorError`` for a value that can't be of this kind.
    """
    value = normalize(kind, value)

    def remove_entry() -> bool:
        entry = DenylistEntry.objects.filter(kind=kind, value=value).first()
        if entry is None:
            return False
        audit.record(
            "allow",
            actor=actor,
            target=f"{kind}:{value}",
            reason=reason,
            before={"reason": entry.reason, "created_by": entry.created_by},
        )
        entry.delete()
        return True

    return in_write_transaction(remove_entry)


def normalize(kind: str, value: str) -> str:
    """``value`` as it is stored and compared; raises ``OperatorError`` if it can't be of ``kind``.

    Names are case-folded, on purpose: AWS tells them apart by case, but a deny covers every
    spelling. Hashes and serial numbers lose colons and case; a serial number may be decimal
    (``dec:1234``); a client certificate may be given as PEM text.
    """
    value = value.strip()
    if kind not in Kind.values:
        raise OperatorError(f"{kind!r} isn't a kind of entry; wanted: {', '.join(Kind.values)}")
    if not value:
        raise OperatorError("the value is empty")
    is_certificate = value.startswith("-----BEGIN CERTIFICATE-----")
    if "\0" in value or (len(value) > _LONGEST_VALUE and not is_certificate):
        raise OperatorError(
            f"the value has {len(value)} characters: wanted at most {_LONGEST_VALUE}, no NUL"
        )
    if kind == Kind.COMMON_NAME:
        return fold_name(value)
    if kind == Kind.DEVICE_SERIAL:
        return value.casefold()
    if is_certificate:
        return _from_certificate(kind, value)
    if kind == Kind.SERIAL_NUMBER:
        return normalize_serial_number(value)
    digest = value.replace(":", "").lower()
    if len(digest) != 64 or not _HEX.issuperset(digest):
        raise OperatorError(
            f"{value!r} isn't a SHA-256: wanted 64 hexadecimal digits, colons are fine"
        )
    return digest


def normalize_serial_number(value: str) -> str:
    """A serial number as we store it: lower-case hex without leading zeros.

    Takes hex with or without colons and ``0x``, and decimal as ``dec:1234``. Raises
    ``OperatorError`` for anything else.
    """
    text = value.strip().lower()
    try:
        number = int(text[4:]) if text.startswith("dec:") else int(text.replace(":", ""), 16)
    except ValueError as error:
        raise OperatorError(
            f"{value!r} isn't a serial number: wanted hex digits, or dec: and decimal digits"
        ) from error
    if number <= 0:
        raise OperatorError(f"{value!r} isn't a serial number: wanted one above zero")
    return f"{number:x}"


def _from_certificate(kind: str, pem: str) -> str:
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
    except ValueError as error:
        raise OperatorError(f"the PEM text isn't a certificate: {error}") from error
    if kind == Kind.SERIAL_NUMBER:
        return f"{certificate.serial_number:x}"
    if kind == Kind.KEY:
        return public_key_sha256(certificate.public_key())
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
