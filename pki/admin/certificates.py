"""Certificates: found by whatever is at hand, shown with their whole story, revoked."""

import csv
import datetime
from collections.abc import Iterator
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from pki.admin.decoded import extensions_in_words
from pki.admin.display import EMPTY, chip, code, link, list_of, minute, moment, utc, visible, words
from pki.admin.downloads import Download, Export, Lines, csv_cell, file_name, pem_text
from pki.admin.facts import FactAdmin
from pki.admin.filters import ChoiceFilter, titled
from pki.admin.revocation import DenyDevice, Revoke, SettleIntents, revoke_selected
from pki.admin.search import Term, starts_with
from pki.denylist.entries import entries_naming
from pki.denylist.kinds import RequestIdentifiers
from pki.models import AuditEvent, IssuedCertificate

_CERTIFICATE = "certificate:"  # before the serial number in an audit row's target

State = IssuedCertificate.State

EXPIRING = datetime.timedelta(days=30)
"""How long before its end a certificate is called expiring."""

_STATES = {
    State.INTENT: ("Intent", "open"),
    State.SUPERSEDED: ("Superseded", "past"),
    State.REVOKED: ("Revoked", "bad"),
    State.VOID: ("Void", "over"),
}


def status_of(row: IssuedCertificate) -> tuple[str, str]:
    """The word for a certificate's state now, and the kind of chip that shows it."""
    now = timezone.now()
    if row.state in _STATES and (row.state != State.SUPERSEDED or row.not_after > now):
        return _STATES[State(row.state)]
    if row.not_after <= now:
        return "Expired", "over"
    if row.not_after <= now + EXPIRING:
        return "Expiring", "soon"
    return "Active", "good"


def _expires(days: int) -> Q:
    now = timezone.now()
    return Q(
        state=State.ISSUED, not_after__gt=now, not_after__lte=now + datetime.timedelta(days=days)
    )


class StatusFilter(ChoiceFilter):
    """By the words that the chips show."""

    title = "status"
    parameter_name = "status"
    choices_offered = {
        "active": (
            "Active",
            lambda: Q(state=State.ISSUED, not_after__gt=timezone.now() + EXPIRING),
        ),
        "expiring-7": ("Expiring within 7 days", lambda: _expires(7)),
        "expiring": ("Expiring within 30 days", lambda: _expires(EXPIRING.days)),
        "expiring-90": ("Expiring within 90 days", lambda: _expires(90)),
        "expired": (
            "Expired",
            lambda: Q(
                state__in=[State.ISSUED, State.SUPERSEDED],
                not_after__lte=timezone.now(),
            ),
        ),
        "superseded": (
            "Superseded",
            lambda: Q(state=State.SUPERSEDED, not_after__gt=timezone.now()),
        ),
        "revoked": ("Revoked", lambda: Q(state=State.REVOKED)),
        "intent": ("Intent", lambda: Q(state=State.INTENT)),
        "void": ("Void", lambda: Q(state=State.VOID)),
    }


def _file(row: IssuedCertificate, suffix: str, media_type: str, contents: bytes) -> Download:
    name = file_name(row.common_name, row.serial_number, suffix=suffix)
    return Download(name, media_type, contents)


def _pem(row: IssuedCertificate) -> Download | None:
    if row.der is None:
        return None
    return _file(row, "pem", "application/x-pem-file", row.pem.encode())


def _der(row: IssuedCertificate) -> Download | None:
    if row.der is None:
        return None
    return _file(row, "cer", "application/pkix-cert", bytes(row.der))


def _chain(row: IssuedCertificate) -> Download | None:
    if row.der is None:
        return None
    return _file(row, "chain.pem", "application/pem-certificate-chain", pem_text(_with_chain(row)))


def _pkcs7(row: IssuedCertificate) -> Download | None:
    if row.der is None:
        return None
    bundle = pkcs7.serialize_certificates(_with_chain(row), Encoding.DER)
    return _file(row, "p7b", "application/pkcs7-mime", bundle)


def _with_chain(row: IssuedCertificate) -> list[x509.Certificate]:
    return [row.to_x509(), row.ca.certificate, *row.ca.chain]


def _csr(row: IssuedCertificate) -> Download:
    return _file(row, "csr", "application/pkcs10", bytes(row.csr_der))


_EXPORTED = (
    "common_name",
    "serial_number",
    "fingerprint_sha256",
    "state",
    "not_before",
    "not_after",
    "ca__name",
    "profile__name",
    "operation",
    "subject",
    "san",
    "device_serial",
    "key_algorithm",
    "client_fingerprint",
    "request_id",
    "revoked_at",
    "revocation_reason",
)


def _csv_lines(rows: QuerySet[IssuedCertificate]) -> Iterator[str]:
    writer = csv.writer(Lines())
    yield writer.writerow(_EXPORTED)
    for values in rows.values_list(*_EXPORTED).iterator():
        yield writer.writerow([csv_cell(_text(value)) for value in values])


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).isoformat()
    return str(value)


@admin.register(IssuedCertificate)
class IssuedCertificateAdmin(FactAdmin):
    """Every certificate that was signed or about to be."""

    list_display = (
        "status",
        words("common_name", "name"),
        code("serial_number", "serial number", characters=10),
        "ca",
        "profile",
        minute("not_after", "valid until"),
        minute("created_at", "made"),
    )
    list_display_links = (list_display[1],)
    list_filter = (
        StatusFilter,
        "operation",
        ("ca", titled("CA", admin.RelatedFieldListFilter)),
        ("profile__name", titled("profile", admin.AllValuesFieldListFilter)),
        ("created_at", titled("when it was made", admin.DateFieldListFilter)),
    )
    list_select_related = ("ca", "profile")
    search_fields = ("serial_number",)
    search_help_text = (
        "A serial number (hex, with or without colons, or decimal), a SHA-256 of certificate, key "
        "or client certificate, the beginning of a name, a device serial number, a request id"
    )
    empty_words = (
        "No certificate has been issued yet. `manage.py quickstart` prints the lines that enroll "
        "a first device with the test client certificate."
    )
    actions = (revoke_selected,)
    operations = (Revoke, DenyDevice, SettleIntents)
    downloads = {
        "pem": ("PEM", _pem),
        "der": ("DER", _der),
        "chain": ("chain (PEM)", _chain),
        "pkcs7": ("PKCS #7", _pkcs7),
        "csr": ("CSR", _csr),
    }
    export = Export("Download as CSV", "certificates", "csv", "text/csv", _csv_lines)
    groups = (
        (
            None,
            (
                "status",
                words("common_name", "name"),
                "denied_by",
                words("subject"),
                words("san", "SAN"),
                words("device_serial", "device serial number"),
            ),
        ),
        (
            "Certificate",
            (
                code("serial_number", "serial number"),
                code("fingerprint_sha256", "SHA-256"),
                moment("not_before", "valid from"),
                moment("not_after", "valid until"),
                "key_algorithm",
                code("key_sha256", "public key, SHA-256"),
                "ca_link",
                "profile_link",
                "extensions",
            ),
        ),
        (
            "Story",
            (
                "operation",
                moment("created_at", "asked for"),
                moment("issued_at", "issued"),
                moment("superseded_at", "superseded"),
                moment("revoked_at", "revoked"),
                words("revocation_reason", "revocation reason"),
                "predecessor_link",
                "replacement_links",
                "events",
            ),
        ),
        (
            "Who asked",
            (
                words("client_subject", "client"),
                "client_link",
                "source_ip",
                "request_link",
                words("tenant_id", "tenant id"),
            ),
        ),
    )

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Whether the list's actions are offered: the permission that ``Revoke`` asks for."""
        return Revoke.is_allowed(request, IssuedCertificate)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Without the two columns that hold the bytes: a list has no use for them."""
        return super().get_queryset(request).defer("der", "csr_der")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Rows that the term names: each form is an equality or a prefix on an index."""
        term = Term.parse(search_term)
        if not term.text:
            return queryset, False
        if term.sha256:
            # A key is one thing name's; its owner leads to all certificates that were made for it.
            owners = IssuedCertificate.objects.filter(key_owner=term.sha256)
            return queryset.filter(
                Q(fingerprint_sha256=term.sha256)
                | Q(name_folded__in=owners.values("name_folded"))
                | Q(client_fingerprint=term.sha256)
            ), False
        return queryset.filter(
            starts_with("name_folded", term.name)
            | Q(serial_number__in=[*term.serial_numbers, *_serials_of_request(term.text)])
            | Q(device_serial=term.text)
        ), False

    def audit_term(self, row: IssuedCertificate) -> str:
        """Its serial number."""
        return row.serial_number

    @admin.display(description="status", ordering="state")
    def status(self, row: IssuedCertificate) -> SafeString:
        """A chip."""
        return chip(*status_of(row))

    @admin.display(description="denylist")
    def denied_by(self, row: IssuedCertificate) -> str:
        """The entries in force that stop this device."""
        entries = entries_naming(RequestIdentifiers.of_renewal(row))
        links = [(chip("Denied", "bad"), link(entry)) for entry in entries]
        return format_html_join(", ", "{} {}", links) or "not on it"

    @admin.display(description="CA")
    def ca_link(self, row: IssuedCertificate) -> str:
        """The CA that signed it."""
        return link(row.ca)

    @admin.display(description="profile")
    def profile_link(self, row: IssuedCertificate) -> str:
        """The profile version that it was checked against."""
        return link(row.profile)

    @admin.display(description="extensions")
    def extensions(self, row: IssuedCertificate) -> str:
        """In words."""
        return extensions_in_words(row.to_x509()) if row.der else EMPTY

    @admin.display(description="replaces")
    def predecessor_link(self, row: IssuedCertificate) -> str:
        """The certificate that it renewed."""
        return link(row.predecessor)

    @admin.display(description="replaced by")
    def replacement_links(self, row: IssuedCertificate) -> str:
        """The certificates that renewed it."""
        rows = row.replacements.defer("der", "csr_der").order_by("created_at")
        return format_html_join(", ", "{}", ((link(other),) for other in rows)) or EMPTY

    @admin.display(description="audit trail")
    def events(self, row: IssuedCertificate) -> str:
        """What the trail says of it."""
        events = AuditEvent.objects.filter(target=f"certificate:{row.serial_number}")
        lines = (
            (utc(event.at), event.action, visible(event.actor), visible(event.reason))
            for event in events.order_by("at")
        )
        return format_html("<ul>{}</ul>", format_html_join("", "<li>{} {} {} {}</li>", lines))

    @admin.display(description="client certificate, SHA-256")
    def client_link(self, row: IssuedCertificate) -> str:
        """A search for what else that client asked for, and for its own certificate."""
        return _search_link(row.client_fingerprint)

    @admin.display(description="request id")
    def request_link(self, row: IssuedCertificate) -> str:
        """A search for everything that the request led to."""
        return _search_link(row.request_id)


def _search_link(text: str) -> str:
    if not text:
        return EMPTY
    url = list_of(IssuedCertificate, q=text)
    return format_html('<a href="{}"><code>{}</code></a>', url, visible(text))


def _serials_of_request(request_id: str) -> list[str]:
    """The certificates that a request wrote; the audit trail has its id in an index."""
    targets = AuditEvent.objects.filter(
        request_id=request_id, target__startswith=_CERTIFICATE
    ).values_list("target", flat=True)
    return [target.removeprefix(_CERTIFICATE) for target in targets]
