"""The kinds of denylist entries: one row for each, which everything about the denylist asks.

To add a kind, add a row to ``KINDS`` and its choice to ``DenylistEntry.Kind`` (a migration). The
check and its SQL, the voiding of intents, the commands, the CSV import, the pages and the drift
report follow. A kind that needs more of a request than ``RequestIdentifiers`` has also adds that to
the class, and to ``EnrollmentRequest.identifiers``, which fills it in.
"""

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

from cryptography import x509
from django.db.models import Q, TextChoices

from pki.csr.public_keys import public_key_sha256
from pki.csr.thing_names import fold_name, shown
from pki.denylist.values import (
    DEVICE_SERIAL,
    PEM_CERTIFICATE,
    SERIAL_NUMBER,
    SHA256,
    THING_NAME,
    ValueForm,
    pem_in_file,
    read_certificate,
)
from pki.encoding.certificates import fingerprint_of, serial_number_text
from pki.models import DenylistEntry, IssuedCertificate, hot_path_sql
from pki.operators.errors import OperatorError
from pki.reasons import Reason


@dataclass(frozen=True, slots=True)
class RequestIdentifiers:
    """What one request shows that an entry of the denylist can match."""

    common_name: str
    device_serial: str = ""
    key_sha256: str = ""
    client_fingerprint: str = ""
    client_serial_number: str = ""
    certificate_fingerprint: str = ""
    """The fingerprint of the certificate to be renewed, if there is one."""
    certificate_serial_number: str = ""

    @classmethod
    def of_device(cls, certificate: IssuedCertificate) -> "RequestIdentifiers":
        """Return what a request shows that ``certificate`` itself authenticates."""
        return cls(
            common_name=certificate.common_name,
            device_serial=certificate.device_serial,
            key_sha256=certificate.key_sha256,
            client_fingerprint=certificate.fingerprint_sha256 or "",
            client_serial_number=certificate.serial_number,
        )

    @classmethod
    def of_renewal(cls, certificate: IssuedCertificate) -> "RequestIdentifiers":
        """Return what a renewal of ``certificate`` shows, sent by the client that enrolled it."""
        return cls(
            common_name=certificate.common_name,
            device_serial=certificate.device_serial,
            key_sha256=certificate.key_sha256,
            client_fingerprint=certificate.client_fingerprint,
            certificate_fingerprint=certificate.fingerprint_sha256 or "",
            certificate_serial_number=certificate.serial_number,
        )

    def values(self, at: datetime.datetime) -> list[Any]:
        """Return the parameters of ``MATCHING_CONDITION`` at the time ``at``.

        An identifier that is empty matches no entry, because no entry has an empty value.
        """
        return [
            hot_path_sql.prepared_value(DenylistEntry, "expires_at", at),
            *(identify(self) for kind in KINDS for identify in kind.identifiers),
        ]

    def matching_entries(self) -> frozenset[tuple[str, str]]:
        """Return kind and value of every entry that would match the request."""
        return frozenset(
            (kind.value, value)
            for kind in KINDS
            for identify in kind.identifiers
            if (value := identify(self))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DenylistKind:
    """What one kind of entry is called, what it matches, and how its value is written."""

    choice: TextChoices
    """The choice of ``DenylistEntry.Kind``: the kind's name, and its words for people."""
    refused: str
    """The noun in the refusal "The denylist names this ..."."""
    reason: Reason = Reason.DEVICE_DENIED
    form: ValueForm
    """How a value is normalized."""
    identifiers: tuple[Callable[[RequestIdentifiers], str], ...]
    """The identifiers of a request that are compared with the value."""
    column: str
    """The lookup that finds the certificates which an entry names."""
    enrolled_column: str = ""
    """The lookup that finds the certificates which the entry's subject enrolled, if it enrolls."""
    of_certificate: Callable[[x509.Certificate], str] | None = None
    """How the value is taken from a certificate, if a PEM certificate may stand for it."""
    intents: Callable[[str], Q] | None = None
    """The intents that an entry stops; ``None`` for those that it names by ``column``."""
    waits_for_intents: bool = False
    """Whether every intent is written to before any is made void (``entries.void_intents_of``)."""

    @property
    def value(self) -> str:
        """Return the kind's name in the database, in commands and in CSV files."""
        return str(self.choice.value)

    @property
    def label(self) -> str:
        """Return the kind's words for people."""
        return str(self.choice.label)

    def names(self, value: str) -> Q:
        """Return the condition for the certificates that an entry with ``value`` names."""
        return Q(**{self.column: value})

    def concerns(self, value: str) -> Q:
        """Return the condition for the certificates that it names, or whose subject enrolled."""
        enrolled = Q(**{self.enrolled_column: value}) if self.enrolled_column else Q()
        return self.names(value) | enrolled

    def stops(self, value: str) -> Q:
        """Return the condition for the intents that an entry with ``value`` stops."""
        return self.intents(value) if self.intents else self.names(value)

    @property
    def condition(self) -> str:
        """Return the part of ``MATCHING_CONDITION`` for this kind."""
        places = ", ".join(["%s"] * len(self.identifiers))
        comparison = f"= {places}" if len(self.identifiers) == 1 else f"IN ({places})"
        return f"(kind = '{self.value}' AND value {comparison})"


def _intents_of_client(fingerprint: str) -> Q:
    return Q(client_fingerprint=fingerprint)


def _intents_of_certificate(fingerprint: str) -> Q:
    return _intents_of_client(fingerprint) | Q(predecessor__fingerprint_sha256=fingerprint)


def _intents_of_serial_number(serial_number: str) -> Q:
    """Return the intents of certificates with the number, and of clients that are not on record.

    An intent does not say the serial number of a client from an external PKI. An entry therefore
    stops all intents of such clients. A client that is not denied repeats its request, and gets a
    new intent.
    """
    on_record = IssuedCertificate.objects.exclude(fingerprint_sha256=None)
    fingerprints = on_record.values("fingerprint_sha256")
    named = fingerprints.filter(serial_number=serial_number)
    return (
        Q(predecessor__serial_number=serial_number)
        | Q(client_fingerprint__in=named)
        | ~Q(client_fingerprint__in=fingerprints)
    )


KINDS: tuple[DenylistKind, ...] = (
    DenylistKind(
        choice=DenylistEntry.Kind.COMMON_NAME,
        refused="thing name",
        form=THING_NAME,
        identifiers=(lambda request: fold_name(request.common_name),),
        column="name_folded",
    ),
    DenylistKind(
        choice=DenylistEntry.Kind.DEVICE_SERIAL,
        refused="device's serial number",
        form=DEVICE_SERIAL,
        identifiers=(lambda request: request.device_serial.casefold(),),
        column="device_serial__iexact",
    ),
    DenylistKind(
        choice=DenylistEntry.Kind.KEY,
        refused="public key",
        form=SHA256,
        identifiers=(attrgetter("key_sha256"),),
        column="key_sha256",
        of_certificate=lambda certificate: public_key_sha256(certificate.public_key()),
    ),
    DenylistKind(
        choice=DenylistEntry.Kind.CLIENT,
        refused="client certificate",
        reason=Reason.CLIENT_DENIED,
        form=SHA256,
        identifiers=(attrgetter("client_fingerprint"),),
        column="fingerprint_sha256",
        enrolled_column="client_fingerprint",
        of_certificate=fingerprint_of,
        intents=_intents_of_client,
    ),
    DenylistKind(
        choice=DenylistEntry.Kind.FINGERPRINT,
        refused="certificate",
        form=SHA256,
        identifiers=(attrgetter("client_fingerprint"), attrgetter("certificate_fingerprint")),
        column="fingerprint_sha256",
        of_certificate=fingerprint_of,
        intents=_intents_of_certificate,
    ),
    DenylistKind(
        choice=DenylistEntry.Kind.SERIAL_NUMBER,
        refused="certificate's serial number",
        form=SERIAL_NUMBER,
        identifiers=(attrgetter("client_serial_number"), attrgetter("certificate_serial_number")),
        column="serial_number",
        of_certificate=lambda certificate: serial_number_text(certificate.serial_number),
        intents=_intents_of_serial_number,
        waits_for_intents=True,
    ),
)
"""Every kind, in the order of the statement. SQLite returns matches in that order, and the first
one decides the refusal: an entry for a client comes before one for its certificate."""


def matching_condition(kinds: Sequence[DenylistKind]) -> str:
    """Return the SQL condition for entries in force that match a request (``values``)."""
    conditions = "\n        OR ".join(kind.condition for kind in kinds)
    return f"""
    (expires_at IS NULL OR expires_at > %s) AND (
        {conditions}
    )
"""


MATCHING_CONDITION: Final = matching_condition(KINDS)
"""A condition on ``pki_denylistentry``; its parameters are ``RequestIdentifiers.values``."""


def choices() -> list[tuple[str, str]]:
    """Return name and words of each kind, in the order in which people choose from them."""
    order = {value: place for place, value in enumerate(DenylistEntry.Kind.values)}
    shown_kinds = sorted(KINDS, key=lambda kind: order.get(kind.value, len(order)))
    return [(kind.value, kind.label) for kind in shown_kinds]


def find_kind(name: str) -> DenylistKind:
    """Return the kind with that name. Raises ``OperatorError`` if there is none."""
    for kind in KINDS:
        if kind.value == name:
            return kind
    wanted = ", ".join(value for value, _ in choices())
    raise OperatorError(f"{shown(name)} is not a kind of denylist entry. Use one of: {wanted}.")


def normalize(name: str, value: str) -> str:
    """Return ``value`` as entries of the kind ``name`` store and compare it.

    A PEM certificate may stand for a value that is taken from certificates. Raises
    ``OperatorError`` if there is no such kind, or if the value cannot be one of it.
    """
    kind = find_kind(name)
    value = value.strip()
    if not value:
        raise OperatorError(f"The value is empty. Give the value of the {name} entry.")
    if kind.of_certificate is not None and value.startswith(PEM_CERTIFICATE):
        return kind.of_certificate(read_certificate(value))
    return kind.form.normalize(value)


def value_or_certificate(name: str, argument: str) -> str:
    """Return a command's argument, or the PEM certificate in the file that it names.

    Raises ``OperatorError`` for a file that cannot be read, or that holds no certificate.
    """
    return argument if find_kind(name).of_certificate is None else pem_in_file(argument)
