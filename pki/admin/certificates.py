"""The page of certificates: search, state, contents, history and files."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy, gettext_noop

from pki.admin.certificate_downloads import chain, csr, csv_lines, der, pem, pkcs7_bundle
from pki.admin.certificate_filters import (
    CAFilter,
    LabelFilter,
    LintFilter,
    MadeFilter,
    OperationFilter,
    ProfileFilter,
    RequestFilter,
    StatusFilter,
)
from pki.admin.certificate_operations import DenyDevice, Revoke, SettleIntents, revoke_selected
from pki.admin.certificate_states import status_of
from pki.admin.decoded import csr_in_words, extensions_in_words, findings_in_words, tree_of
from pki.admin.display import EMPTY, chip, code, link, list_of, minute, moment, utc, visible, words
from pki.admin.downloads import Export
from pki.admin.facts import FactAdmin
from pki.admin.filters import day_range
from pki.admin.key_file_operation import DownloadKeyFile
from pki.admin.matching_operations import ExportMatching, RevokeMatching
from pki.admin.rebind_operation import RebindNames
from pki.admin.release_operation import ReleaseName
from pki.denylist.entries import entries_naming
from pki.denylist.identifiers import RequestIdentifiers
from pki.encoding.lint import lint
from pki.models import AuditEvent, IssuedCertificate
from pki.search.terms import Term, hex_starts_with, starts_with

_CERTIFICATE = "certificate:"  # precedes the serial number in the target of an audit event

State = IssuedCertificate.State


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
        LintFilter,  # last: it looks at what the others leave
    )
    list_select_related = ("ca", "profile")
    search_fields = ("serial_number",)
    search_help_text = gettext_noop(
        "A serial number (hex, with or without colons, or its first six digits, or decimal), an "
        "ARN, a SHA-256 of certificate, key or client certificate, the beginning of a name, a "
        "device serial number, a request id"
    )
    empty_words = gettext_noop(
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
            gettext_noop("Certificate"),
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
        (gettext_noop("CSR"), ("csr", "csr_tree")),
        (
            gettext_noop("Story"),
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
            gettext_noop("Who asked"),
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

    @admin.display(description=gettext_lazy("status"), ordering="state")
    def status(self, row: IssuedCertificate) -> SafeString:
        """Show the state."""
        return chip(*status_of(row))

    @admin.display(description=gettext_lazy("denylist"))
    def denied_by(self, row: IssuedCertificate) -> str:
        """Link to the entries in force that would stop a renewal by the same client."""
        entries = entries_naming(RequestIdentifiers.of_renewal(row))
        links = [(chip("Denied", "bad"), link(entry)) for entry in entries]
        return format_html_join(", ", "{} {}", links) or "not on it"

    @admin.display(description=gettext_lazy("CA"))
    def ca_link(self, row: IssuedCertificate) -> str:
        """Link to the CA that signed it."""
        return link(row.ca)

    @admin.display(description=gettext_lazy("profile"))
    def profile_link(self, row: IssuedCertificate) -> str:
        """Link to the profile version under which it was issued."""
        return link(row.profile)

    @admin.display(description=gettext_lazy("extensions"))
    def extensions(self, row: IssuedCertificate) -> str:
        """Show the extensions in words."""
        return extensions_in_words(row.to_x509()) if row.der else EMPTY

    @admin.display(description=gettext_lazy("lint"))
    def findings(self, row: IssuedCertificate) -> str:
        """Show what is not as RFC 5280 and TLS clients ask."""
        if not row.der:
            return EMPTY
        return findings_in_words(lint(row.to_x509(), row.ca.certificate))

    @admin.display(description=gettext_lazy("ASN.1 tree"))
    def tree(self, row: IssuedCertificate) -> str:
        """Show every value of the certificate."""
        return tree_of(row.to_der()) if row.der else EMPTY

    @admin.display(description=gettext_lazy("what it asked for"))
    def csr(self, row: IssuedCertificate) -> str:
        """Show the CSR in words."""
        return csr_in_words(bytes(row.csr_der))

    @admin.display(description=gettext_lazy("ASN.1 tree"))
    def csr_tree(self, row: IssuedCertificate) -> str:
        """Show every value of the CSR."""
        return tree_of(bytes(row.csr_der))

    @admin.display(description=gettext_lazy("replaces"))
    def predecessor_link(self, row: IssuedCertificate) -> str:
        """Link to the certificate that it renewed."""
        return link(row.predecessor)

    @admin.display(description=gettext_lazy("replaced by"))
    def replacement_links(self, row: IssuedCertificate) -> str:
        """Link to the certificates that renewed it."""
        # By the name, which has an index: a renewal keeps it.
        rows = row.replacements.filter(name_folded=row.name_folded).order_by("created_at")
        rows = rows.defer("der", "csr_der")
        return format_html_join(", ", "{}", ((link(other),) for other in rows)) or EMPTY

    @admin.display(description=gettext_lazy("audit trail"))
    def events(self, row: IssuedCertificate) -> str:
        """Show its events in the audit trail."""
        events = AuditEvent.objects.filter(target=f"certificate:{row.serial_number}")
        lines = (
            (utc(event.at), event.action, visible(event.actor), visible(event.reason))
            for event in events.order_by("at")
        )
        return format_html("<ul>{}</ul>", format_html_join("", "<li>{} {} {} {}</li>", lines))

    @admin.display(description=gettext_lazy("client certificate, SHA-256"))
    def client_link(self, row: IssuedCertificate) -> str:
        """Link to a search for the client's own certificate, and for those that it enrolled."""
        return _search_link(row.client_fingerprint)

    @admin.display(description=gettext_lazy("request id"))
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
