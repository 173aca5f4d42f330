"""The denylist: who may not enroll, asked before an intent is written and again when it is issued.

A deny takes effect in two commits. The first makes the entry visible, so that from then on no
intent becomes issued; the second turns the intents it names void, which waits for any that was
being issued at that moment. When ``deny`` has returned, no certificate is issued to what it names.
"""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from pki.csr.thing_names import fold_name
from pki.denylist.values import normalize
from pki.exceptions import DeviceDenied
from pki.models import DenylistEntry, IssuedCertificate, hot_path_sql
from pki.models.certificate import IssuedCertificateQuerySet
from pki.operators.errors import OperatorError
from pki.reasons import Reason
from pki.record import audit_trail, observers
from pki.record.audit_trail import Actor
from pki.record.intents import void_intents
from pki.record.transactions import in_write_transaction

Kind = DenylistEntry.Kind

_LONGEST_REASON = 500  # characters, as the column has them; SQLite wouldn't say


@dataclass(frozen=True, slots=True)
class RequestIdentifiers:
    """Everything about one request that the denylist may name."""

    common_name: str
    device_serial: str = ""
    key_sha256: str = ""
    client_fingerprint: str = ""
    client_serial_number: str = ""
    certificate_fingerprint: str = ""
    """Of the certificate to be renewed, when there is one."""
    certificate_serial_number: str = ""

    def values(self, at: datetime.datetime) -> list[Any]:
        """The values of ``MATCHING_ENTRY_SQL``. What is empty names nobody: no entry's value is."""
        return [
            hot_path_sql.prepared_value(DenylistEntry, "expires_at", at),
            fold_name(self.common_name),
            self.device_serial.casefold(),
            self.key_sha256,
            self.client_fingerprint,
            self.client_fingerprint,
            self.certificate_fingerprint,
            self.client_serial_number,
            self.certificate_serial_number,
        ]


_IN_FORCE_AND_NAMED = """
    (expires_at IS NULL OR expires_at > %s) AND (
        (kind = 'name' AND value = %s)
        OR (kind = 'device-serial' AND value = %s)
        OR (kind = 'key' AND value = %s)
        OR (kind = 'client' AND value = %s)
        OR (kind = 'fingerprint' AND value IN (%s, %s))
        OR (kind = 'serial' AND value IN (%s, %s))
    )
"""

MATCHING_ENTRY_SQL = f"EXISTS (SELECT 1 FROM pki_denylistentry WHERE {_IN_FORCE_AND_NAMED})"  # noqa: S608
"""SQL that is true when an entry in force names any of ``Subjects.values``."""


def check_denylist(subjects: RequestIdentifiers) -> None:
    """Raise ``DeviceDenied`` when an entry in force names any of ``subjects``."""
    found = entries_naming(subjects)
    if found:
        raise denied_by(Kind(found[0].kind))


def entries_naming(subjects: RequestIdentifiers) -> list[DenylistEntry]:
    """The entries in force that name any of ``subjects``."""
    return hot_path_sql.fetch(DenylistEntry, _IN_FORCE_AND_NAMED, subjects.values(timezone.now()))


def denied_by(kind: Kind) -> DeviceDenied:
    """The refusal for an entry. The operator's own words stay here: they aren't for devices."""
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
    audit_trail.record(
        "deny", actor=actor, target=f"{kind}:{value}", reason=reason, before=before, after=terms
    )
    _tell_observers(kind, value)
    return True


def _tell_observers(kind: str, value: str) -> None:
    for observer in observers.registered():
        observer.denylist_changed(kind, value)


def certificates_named(kind: str, value: str) -> IssuedCertificateQuerySet:
    """The certificates on record that a normalized entry names, in whatever state they are.

    A client's entry names the client's own certificate, not those that it enrolled.
    """
    column = {
        Kind.COMMON_NAME: "name_folded",
        Kind.DEVICE_SERIAL: "device_serial__iexact",
        Kind.FINGERPRINT: "fingerprint_sha256",
        Kind.SERIAL_NUMBER: "serial_number",
        Kind.KEY: "key_sha256",
        Kind.CLIENT: "fingerprint_sha256",
    }[Kind(kind)]
    return IssuedCertificate.objects.filter(**{column: value})


def _intents_of(kind: str, value: str) -> QuerySet[IssuedCertificate]:
    """The certificates-to-be that an entry stops: those it names, and those asked for with them.

    The serial number of a client from a PKI outside isn't on record with its intents. So an entry
    for a serial number takes all of those; who isn't denied asks again, and gets a new intent.
    """
    if kind in (Kind.COMMON_NAME, Kind.DEVICE_SERIAL, Kind.KEY):
        return certificates_named(kind, value)
    if kind == Kind.SERIAL_NUMBER:
        on_record = IssuedCertificate.objects.exclude(fingerprint_sha256=None)
        fingerprints = on_record.values("fingerprint_sha256")
        named = fingerprints.filter(serial_number=value)
        return IssuedCertificate.objects.filter(
            Q(predecessor__serial_number=value)
            | Q(client_fingerprint__in=named)
            | ~Q(client_fingerprint__in=fingerprints)
        )
    stopped = Q(client_fingerprint=value)
    if kind == Kind.FINGERPRINT:
        stopped |= Q(predecessor__fingerprint_sha256=value)
    return IssuedCertificate.objects.filter(stopped)


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
        audit_trail.record(
            "allow",
            actor=actor,
            target=f"{kind}:{value}",
            reason=reason,
            before={"reason": entry.reason, "created_by": entry.created_by},
        )
        entry.delete()
        _tell_observers(kind, value)
        return True

    return in_write_transaction(remove_entry)
