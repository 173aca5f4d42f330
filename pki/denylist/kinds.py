"""The kinds of denylist entries: one row for each, which everything about the denylist asks.

To add a kind, add a row to ``KINDS`` and its choice to ``DenylistEntry.Kind`` (a migration). The
check and its SQL, the voiding of intents, the commands, the CSV import, the pages and the drift
report follow. A kind that needs more of a request than ``RequestIdentifiers`` has also adds that to
the class, and to ``EnrollmentRequest.identifiers``, which fills it in.

Each kind is compared with what the request shows of itself, of its client's certificate and of the
certificate to be renewed. An entry that names one of them names the request.
"""

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

from cryptography import x509
from django.db.models import Exists, OuterRef, Q, Subquery, TextChoices

from pki.csr.public_keys import public_key_sha256
from pki.csr.thing_names import fold_name, fold_serial, shown
from pki.denylist.identifiers import RequestIdentifiers
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
from pki.encoding.certificates import fingerprint_of, serial_number_text, signed_part_sha256
from pki.models import DenylistEntry, IssuedCertificate, hot_path_values
from pki.models.denylist import IN_FORCE_SQL
from pki.operators.errors import OperatorError
from pki.reasons import Reason


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
    signed_identifier: Callable[[RequestIdentifiers], str] | None = None
    """What is compared with the entry's ``signed_sha256``, if the kind names certificates."""
    column: str
    """The lookup that finds the certificates which an entry names."""
    enrolled_column: str = ""
    """The lookup that finds the certificates which the entry's subject enrolled, if it enrolls."""
    of_certificate: Callable[[x509.Certificate], str] | None = None
    """How the value is taken from a certificate, if a PEM certificate may stand for it."""

    @property
    def value(self) -> str:
        """Return the kind's name in the database, in commands and in CSV files."""
        return str(self.choice.value)

    @property
    def label(self) -> str:
        """Return the kind's words for people."""
        return str(self.choice.label)

    def names(self, *values: str) -> Q:
        """Return the condition for the certificates that an entry with one of ``values`` names."""
        return self._has(self.column, values)

    @staticmethod
    def _has(column: str, values: Sequence[str]) -> Q:
        if len(values) == 1:
            return Q(**{column: values[0]})
        return Q(**{f"{column}__in": values})

    def concerns(self, value: str) -> Q:
        """Return the condition for the certificates that it names, or whose subject enrolled."""
        if not self.enrolled_column:
            return self.names(value)
        return self.names(value) | Q(**{self.enrolled_column: value}) | _same_client(value)

    def stops(self, *values: str) -> Q:
        """Return the condition for the intents that an entry with one of ``values`` stops.

        It names an intent by the certificate to be signed, the one to be renewed, or the client's.
        An intent does not say all of a client from an external PKI. An entry therefore stops all
        intents of such clients. A client that is not denied repeats its request, and gets a new
        intent.
        """
        client = IssuedCertificate.objects.filter(fingerprint_sha256=OuterRef("client_fingerprint"))
        is_cleared = Exists(client.exclude(self.names(*values)))
        of_client = ~Q(client_fingerprint="") & ~Q(is_cleared)
        of_predecessor = self._has(f"predecessor__{self.column}", values)
        return self.names(*values) | of_predecessor | of_client

    @property
    def conditions(self) -> tuple[str, ...]:
        """Return the parts of ``MATCHING_CONDITION`` for this kind, each with an index."""
        places = ", ".join(["%s"] * len(self.identifiers))
        comparison = f"= {places}" if len(self.identifiers) == 1 else f"IN ({places})"
        conditions = [f"(kind = '{self.value}' AND value {comparison})"]
        if self.signed_identifier is not None:
            conditions.append(f"(kind = '{self.value}' AND signed_sha256 = %s)")
        return tuple(conditions)

    @property
    def compared(self) -> tuple[Callable[[RequestIdentifiers], str], ...]:
        """Return what finds the parameters of ``conditions`` in a request."""
        signed = self.signed_identifier
        return self.identifiers if signed is None else (*self.identifiers, signed)


def _same_client(fingerprint: str) -> Q:
    """Return the condition for what the client enrolled with another signature rewritten.

    One fingerprint is one certificate, whose signed part is the same in each row that names it. As
    single values they leave the database an index for each part of the condition.
    """
    on_record = IssuedCertificate.objects.filter(client_fingerprint=fingerprint)
    denied = DenylistEntry.objects.filter(value=fingerprint)
    return Q(
        client_signed_sha256=Subquery(
            on_record.exclude(client_signed_sha256="").order_by().values("client_signed_sha256")[:1]
        )
    ) | Q(
        client_signed_sha256=Subquery(
            denied.exclude(signed_sha256=None).order_by().values("signed_sha256")[:1]
        )
    )


_TIED_CERTIFICATES: Final = ("client", "client_record", "on_file")
"""The certificates that a request is tied to, as ``RequestIdentifiers`` has them."""


def _of_all(
    name: str,
    form: Callable[[str], str] | None = None,
    *,
    places: tuple[str, ...] = _TIED_CERTIFICATES,
) -> tuple[Callable[[RequestIdentifiers], str], ...]:
    """Return what finds ``name`` of the CSR and of each certificate that the request is tied to."""
    found = [attrgetter(path) for path in (name, *(f"{place}.{name}" for place in places))]
    return tuple(found if form is None else (_compared(each, form) for each in found))


def _compared(
    identify: Callable[[RequestIdentifiers], str], form: Callable[[str], str]
) -> Callable[[RequestIdentifiers], str]:
    return lambda request: form(identify(request))


KINDS: tuple[DenylistKind, ...] = (
    DenylistKind(
        choice=DenylistEntry.Kind.COMMON_NAME,
        refused="thing name",
        form=THING_NAME,
        identifiers=_of_all("common_name", fold_name, places=("client", "on_file")),
        column="name_folded",
    ),
    DenylistKind(
        choice=DenylistEntry.Kind.DEVICE_SERIAL,
        refused="device's serial number",
        form=DEVICE_SERIAL,
        identifiers=_of_all("device_serial", fold_serial),
        column="serial_folded",
    ),
    DenylistKind(
        choice=DenylistEntry.Kind.KEY,
        refused="public key",
        form=SHA256,
        identifiers=_of_all("key_sha256", places=("client", "on_file")),
        column="key_sha256",
        of_certificate=lambda certificate: public_key_sha256(certificate.public_key()),
    ),
    DenylistKind(
        choice=DenylistEntry.Kind.CLIENT,
        refused="client certificate",
        reason=Reason.CLIENT_DENIED,
        form=SHA256,
        identifiers=(attrgetter("client.fingerprint"), attrgetter("client.other_fingerprint")),
        signed_identifier=attrgetter("client.signed_sha256"),
        column="fingerprint_sha256",
        enrolled_column="client_fingerprint",
        of_certificate=fingerprint_of,
    ),
    DenylistKind(
        choice=DenylistEntry.Kind.FINGERPRINT,
        refused="certificate",
        form=SHA256,
        identifiers=(
            attrgetter("client.fingerprint"),
            attrgetter("client.other_fingerprint"),
            attrgetter("on_file.fingerprint"),
        ),
        signed_identifier=attrgetter("client.signed_sha256"),
        column="fingerprint_sha256",
        of_certificate=fingerprint_of,
    ),
    DenylistKind(
        choice=DenylistEntry.Kind.SERIAL_NUMBER,
        refused="certificate's serial number",
        form=SERIAL_NUMBER,
        identifiers=(attrgetter("client.serial_number"), attrgetter("on_file.serial_number")),
        column="serial_number",
        of_certificate=lambda certificate: serial_number_text(certificate.serial_number),
    ),
)
"""Every kind, in the order of the statement. SQLite returns matches in that order, and the first
one decides the refusal: an entry for a client comes before one for its certificate."""


def matching_condition(kinds: Sequence[DenylistKind]) -> str:
    """Return the SQL condition for entries in force that match a request (``values``)."""
    conditions = "\n        OR ".join(part for kind in kinds for part in kind.conditions)
    return f"""
    {IN_FORCE_SQL} AND (
        {conditions}
    )
"""


def compared_identifiers(
    kinds: Sequence[DenylistKind],
) -> tuple[Callable[[RequestIdentifiers], str], ...]:
    """Return what finds the parameters of ``matching_condition`` in a request, in its order."""
    return tuple(identify for kind in kinds for identify in kind.compared)


MATCHING_CONDITION: Final = matching_condition(KINDS)
"""A condition on ``pki_denylistentry``; its parameters are those of ``matching_values``."""


COMPARED: Final = compared_identifiers(KINDS)
"""What finds the identifiers of a request that ``MATCHING_CONDITION`` compares."""
_TIMES: Final = IN_FORCE_SQL.count("%s")


def matching_values(request: RequestIdentifiers, at: datetime.datetime) -> list[Any]:
    """Return the parameters of ``MATCHING_CONDITION`` for a request at the time ``at``.

    An identifier that is empty matches no entry, because no entry has an empty value.
    """
    now = hot_path_values.prepared_value(DenylistEntry, "expires_at", at)
    return [*[now] * _TIMES, *[identify(request) for identify in COMPARED]]


def matching_entries(request: RequestIdentifiers) -> frozenset[tuple[str, str]]:
    """Return kind and value of every entry that would match the request."""
    return frozenset(
        (kind.value, value)
        for kind in KINDS
        for identify in kind.identifiers
        if (value := identify(request))
    )


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


def signed_part(name: str, value: str) -> str | None:
    """Return the SHA-256 of the signed part of a PEM certificate that stands for a value.

    None for another text, and for a kind that does not name certificates.
    """
    value = value.strip()
    if find_kind(name).signed_identifier is None or not value.startswith(PEM_CERTIFICATE):
        return None
    return signed_part_sha256(read_certificate(value))


def value_or_certificate(name: str, argument: str) -> str:
    """Return a command's argument, or the PEM certificate in the file that it names.

    Raises ``OperatorError`` for a file that cannot be read, or that holds no certificate.
    """
    return argument if find_kind(name).of_certificate is None else pem_in_file(argument)
