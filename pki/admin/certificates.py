"""The page of certificates: search, state, contents, history and files."""

import datetime
from functools import partial
from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import F, Q, QuerySet
from django.db.models.lookups import GreaterThan, In
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from pki.admin.bounded_count import newest, newest_condition
from pki.admin.certificate_downloads import chain, csr, csv_lines, der, pem, pkcs7_bundle
from pki.admin.certificate_operations import DenyDevice, Revoke, SettleIntents, revoke_selected
from pki.admin.decoded import csr_in_words, extensions_in_words, findings_in_words, tree_of
from pki.admin.display import EMPTY, chip, code, link, list_of, minute, moment, utc, visible, words
from pki.admin.downloads import Export
from pki.admin.facts import FactAdmin
from pki.admin.filters import OF_THE_NEWEST, ChoiceFilter, TypedFilter, day_range
from pki.admin.key_file_operation import DownloadKeyFile
from pki.admin.matching_operations import ExportMatching, RevokeMatching
from pki.admin.rebind_operation import RebindNames
from pki.admin.release_operation import ReleaseName
from pki.denylist.entries import entries_naming
from pki.denylist.identifiers import RequestIdentifiers
from pki.encoding.lint import lint
from pki.models import AuditEvent, CertificateAuthority, CertificateProfile, IssuedCertificate
from pki.models.fields import NoIndex, first_identifier
from pki.record.bounded_counts import count_in_words, count_up_to
from pki.search.terms import Term, hex_starts_with, starts_with

_CERTIFICATE = "certificate:"  # precedes the serial number in the target of an audit event

State = IssuedCertificate.State

_STILL_SIGNING = datetime.timedelta(hours=1)
"""How long requests that began before a CA had its successor may still be under way."""

EXPIRING = datetime.timedelta(days=30)
"""How long before its end a certificate is shown as expiring."""

_STATES = {
    State.INTENT: ("Intent", "open"),
    State.SUPERSEDED: ("Superseded", "past"),
    State.REVOKED: ("Revoked", "bad"),
    State.VOID: ("Void", "over"),
}


def status_of(row: IssuedCertificate) -> tuple[str, str]:
    """Return the word for a certificate's state now, and the kind of chip that shows it."""
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
    is_soon = Q(not_after__gt=now, not_after__lte=now + datetime.timedelta(days=days))
    return _in_state(State.ISSUED) & is_soon


def _in_state(*states: State) -> Q:
    """Return the condition for states beside one that has the better index."""
    return Q(In(NoIndex(F("state")), [*states]))


def _outlives(state: State, at: datetime.datetime) -> Q:
    """Return the condition for a state of which most rows outlive ``at``: read in their order."""
    return Q(state=state) & Q(GreaterThan(NoIndex(F("not_after")), at))


class StatusFilter(ChoiceFilter):
    """Certificates by the words that their chips show."""

    title = "status"
    parameter_name = "status"
    choices_offered = {
        "active": (
            "Active",
            lambda: _outlives(State.ISSUED, timezone.now() + EXPIRING),
        ),
        "expiring-7": ("Expiring within 7 days", lambda: _expires(7)),
        "expiring": ("Expiring within 30 days", lambda: _expires(EXPIRING.days)),
        "expiring-90": ("Expiring within 90 days", lambda: _expires(90)),
        "expired": (
            "Expired",
            lambda: _in_state(State.ISSUED, State.SUPERSEDED) & Q(not_after__lte=timezone.now()),
        ),
        "superseded": (
            "Superseded",
            lambda: _outlives(State.SUPERSEDED, timezone.now()),
        ),
        "revoked": ("Revoked", lambda: Q(state=State.REVOKED)),
        "intent": ("Intent", lambda: Q(state=State.INTENT)),
        "void": ("Void", lambda: Q(state=State.VOID)),
    }
    orders = {
        "expiring-7": ("not_after",),
        "expiring": ("not_after",),
        "expiring-90": ("not_after",),
        "expired": ("-not_after",),
    }


class OperationFilter(ChoiceFilter):
    """What the certificate was issued for."""

    title = f"operation{OF_THE_NEWEST}"
    parameter_name = "operation__exact"
    has_index = False
    choices_offered = {
        choice.value: (choice.label, partial(Q, operation=choice.value))
        for choice in IssuedCertificate.Operation
    }


class CAFilter(ChoiceFilter):
    """The CA that signed. Those of a CA that has a successor are older than the successor."""

    title = f"CA{OF_THE_NEWEST}"
    parameter_name = "ca__id__exact"
    has_index = False

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the CAs."""
        return [(str(ca.pk), ca.name) for ca in CertificateAuthority.objects.order_by("name")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the newest certificates of the CA."""
        chosen = [value for value, _ in self.lookup_choices if value == self.value()]
        if not chosen:
            return queryset
        return newest_of(CertificateAuthority.objects.get(pk=chosen[0]), queryset)


def newest_of(ca: CertificateAuthority, rows: QuerySet[Any]) -> QuerySet[Any]:
    """Return those of ``rows`` that ``ca`` signed, among the newest that it may have signed."""
    successor = ca.successors.order_by("created_at").first()
    if successor is not None:
        rows = rows.filter(pk__lt=first_identifier(successor.created_at + _STILL_SIGNING))
    return newest(rows).filter(ca=ca)


def live_in_words(rows: QuerySet[Any]) -> str:
    """Return how many of the newest rows are live. ``newest`` says which rows are read, and how."""
    states = In(NoIndex(F("state")), [State.ISSUED, State.SUPERSEDED])
    is_valid = GreaterThan(NoIndex(F("not_after")), timezone.now())
    return count_in_words(count_up_to(rows.filter(states, is_valid)))


class ProfileFilter(ChoiceFilter):
    """The profile, in any version."""

    title = f"profile{OF_THE_NEWEST}"
    parameter_name = "profile__name"
    has_index = False

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the names of the profiles."""
        names = CertificateProfile.objects.order_by("name").values_list("name", flat=True)
        return [(name, name) for name in names.distinct()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the newest certificates of the profile's versions."""
        if not (name := self.value()):
            return queryset
        versions = [*CertificateProfile.objects.filter(name=name).values_list("pk", flat=True)]
        return newest(queryset).filter(profile__in=versions)


class LabelFilter(ChoiceFilter):
    """The label of the profile, in any version that had it."""

    title = f"label{OF_THE_NEWEST}"
    parameter_name = "profile__label"
    has_index = False

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the labels of the profiles."""
        labels = CertificateProfile.objects.order_by("label").values_list("label", flat=True)
        return [(label, label) for label in labels.distinct() if label]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the newest certificates of the versions with the label."""
        if not (label := self.value()):
            return queryset
        versions = [*CertificateProfile.objects.filter(label=label).values_list("pk", flat=True)]
        return newest(queryset).filter(profile__in=versions)


class MadeFilter(ChoiceFilter):
    """When a certificate was asked for, by its identifier, which begins with the time."""

    title = "when it was made"
    parameter_name = "made"
    choices_offered = {
        "today": ("Today", lambda: _made_since(timezone.now().replace(hour=0, minute=0, second=0))),
        "7-days": ("Past 7 days", lambda: _made_since(timezone.now() - datetime.timedelta(days=7))),
        "30-days": (
            "Past 30 days",
            lambda: _made_since(timezone.now() - datetime.timedelta(days=30)),
        ),
        "365-days": (
            "Past 365 days",
            lambda: _made_since(timezone.now() - datetime.timedelta(days=365)),
        ),
    }


def _made_since(at: datetime.datetime) -> Q:
    return Q(pk__gte=first_identifier(at))


class RequestFilter(TypedFilter):
    """Certificates by who asked for them: the client's certificate, and the address."""

    title = "who asked"
    inputs = (
        ("client", "Client certificate, SHA-256", "text"),
        ("address", "Source IP, among the newest", "text"),
    )

    def condition(self) -> Q:
        """Compare the client by its index, and the address in the newest rows."""
        found = Q()
        if client := self.typed("client"):
            term = Term.parse(client)
            if not term.sha256:
                raise ValidationError("The client is not a SHA-256. Use 64 hexadecimal digits.")
            found &= Q(client_fingerprint=term.sha256)
        if address := self.typed("address"):
            known = Term.parse(address).address
            if not known:
                raise ValidationError(f"{address[:64]!a} is not an IP address.")
            found &= newest_condition(IssuedCertificate.objects.all()) & Q(source_ip=known)
        return found


@admin.register(IssuedCertificate)
class IssuedCertificateAdmin(FactAdmin):
    """Every certificate that was signed, and every intent to sign one."""

    list_display = (
        "status",
        words("common_name", "name", order="name_folded"),
        code("serial_number", "serial number", characters=10),
        "ca",
        "profile",
        minute("not_after", "valid until"),
        minute("created_at", "made", order="id"),
    )
    list_display_links = (list_display[1],)
    list_filter = (
        MadeFilter,  # first: those without an index look at the newest of these
        StatusFilter,
        OperationFilter,
        CAFilter,
        ProfileFilter,
        LabelFilter,
        day_range("not_after", "day on which it ends (UTC)", "ends"),
        RequestFilter,
    )
    list_select_related = ("ca", "profile")
    search_fields = ("serial_number",)
    search_help_text = (
        "A serial number (hex, with or without colons, or its first six digits, or decimal), an "
        "ARN, a SHA-256 of certificate, key or client certificate, the beginning of a name, a "
        "device serial number, a request id"
    )
    empty_words = (
        "No certificate has been issued yet. `manage.py quickstart` prints the lines that enroll "
        "a first device with the test client certificate."
    )
    actions = (revoke_selected,)
    operations = (
        Revoke,
        RevokeMatching,
        ExportMatching,
        DenyDevice,
        ReleaseName,
        DownloadKeyFile,
        SettleIntents,
        RebindNames,
    )
    downloads = {
        "pem": ("PEM", pem),
        "der": ("DER", der),
        "chain": ("chain (PEM)", chain),
        "pkcs7": ("PKCS #7", pkcs7_bundle),
        "csr": ("CSR", csr),
    }
    export = Export("Download as CSV", "certificates", "csv", "text/csv", csv_lines)
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
                "findings",
                "tree",
            ),
        ),
        ("CSR", ("csr", "csr_tree")),
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
        """Return whether the list offers its actions, which need the permission of ``Revoke``."""
        return Revoke.is_allowed(request, IssuedCertificate)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Leave out the two columns with DER, which a list does not show."""
        return super().get_queryset(request).defer("der", "csr_der")

    def search_condition(self, term: Term) -> Q:
        """Compare each form of the term by equality or prefix with a column that has an index."""
        if term.sha256:
            return (
                Q(fingerprint_sha256=term.sha256)
                | Q(key_sha256=term.sha256)
                | Q(client_fingerprint=term.sha256)
            )
        found = (
            starts_with("name_folded", term.name)
            | Q(serial_number__in=[*term.serial_numbers, *_serials_of_request(term.request_id)])
            | Q(serial_folded=term.device_serial)
        )
        if term.serial_beginning and not term.is_common_name:
            found |= hex_starts_with("serial_number", term.serial_beginning)
        return found

    def audit_term(self, row: IssuedCertificate) -> str:
        """Return the serial number."""
        return row.serial_number

    @admin.display(description="status", ordering="state")
    def status(self, row: IssuedCertificate) -> SafeString:
        """Show the state."""
        return chip(*status_of(row))

    @admin.display(description="denylist")
    def denied_by(self, row: IssuedCertificate) -> str:
        """Link to the entries in force that would stop a renewal by the same client."""
        entries = entries_naming(RequestIdentifiers.of_renewal(row))
        links = [(chip("Denied", "bad"), link(entry)) for entry in entries]
        return format_html_join(", ", "{} {}", links) or "not on it"

    @admin.display(description="CA")
    def ca_link(self, row: IssuedCertificate) -> str:
        """Link to the CA that signed it."""
        return link(row.ca)

    @admin.display(description="profile")
    def profile_link(self, row: IssuedCertificate) -> str:
        """Link to the profile version under which it was issued."""
        return link(row.profile)

    @admin.display(description="extensions")
    def extensions(self, row: IssuedCertificate) -> str:
        """Show the extensions in words."""
        return extensions_in_words(row.to_x509()) if row.der else EMPTY

    @admin.display(description="lint")
    def findings(self, row: IssuedCertificate) -> str:
        """Show what is not as RFC 5280 and TLS clients ask."""
        if not row.der:
            return EMPTY
        return findings_in_words(lint(row.to_x509(), row.ca.certificate))

    @admin.display(description="ASN.1 tree")
    def tree(self, row: IssuedCertificate) -> str:
        """Show every value of the certificate."""
        return tree_of(row.to_der()) if row.der else EMPTY

    @admin.display(description="what it asked for")
    def csr(self, row: IssuedCertificate) -> str:
        """Show the CSR in words."""
        return csr_in_words(bytes(row.csr_der))

    @admin.display(description="ASN.1 tree")
    def csr_tree(self, row: IssuedCertificate) -> str:
        """Show every value of the CSR."""
        return tree_of(bytes(row.csr_der))

    @admin.display(description="replaces")
    def predecessor_link(self, row: IssuedCertificate) -> str:
        """Link to the certificate that it renewed."""
        return link(row.predecessor)

    @admin.display(description="replaced by")
    def replacement_links(self, row: IssuedCertificate) -> str:
        """Link to the certificates that renewed it."""
        # By the name, which has an index: a renewal keeps it.
        rows = row.replacements.filter(name_folded=row.name_folded).order_by("created_at")
        rows = rows.defer("der", "csr_der")
        return format_html_join(", ", "{}", ((link(other),) for other in rows)) or EMPTY

    @admin.display(description="audit trail")
    def events(self, row: IssuedCertificate) -> str:
        """Show its events in the audit trail."""
        events = AuditEvent.objects.filter(target=f"certificate:{row.serial_number}")
        lines = (
            (utc(event.at), event.action, visible(event.actor), visible(event.reason))
            for event in events.order_by("at")
        )
        return format_html("<ul>{}</ul>", format_html_join("", "<li>{} {} {} {}</li>", lines))

    @admin.display(description="client certificate, SHA-256")
    def client_link(self, row: IssuedCertificate) -> str:
        """Link to a search for the client's own certificate, and for those that it enrolled."""
        return _search_link(row.client_fingerprint)

    @admin.display(description="request id")
    def request_link(self, row: IssuedCertificate) -> str:
        """Link to a search for everything that came of the request."""
        return _search_link(row.request_id)


def _search_link(text: str) -> str:
    if not text:
        return EMPTY
    url = list_of(IssuedCertificate, q=text)
    return format_html('<a href="{}"><code>{}</code></a>', url, visible(text))


def _serials_of_request(request_id: str) -> list[str]:
    """Return the certificates of a request, by the audit trail's index of request ids."""
    targets = AuditEvent.objects.filter(
        request_id=request_id, target__startswith=_CERTIFICATE
    ).values_list("target", flat=True)
    return [target.removeprefix(_CERTIFICATE) for target in targets]
