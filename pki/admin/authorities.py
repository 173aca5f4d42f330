"""The page of CAs: state, contents, succession, CRL and files."""

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.contrib import admin
from django.db.models import Q
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy, gettext_noop

from pki.admin.authority_creation import CreateCA
from pki.admin.authority_import import ImportCA
from pki.admin.authority_operations import MakeCRL, MakeSuccessor, has_key_here
from pki.admin.certificate_states import EXPIRING, live_in_words, newest_of
from pki.admin.decoded import extensions_in_words
from pki.admin.display import EMPTY, chip, code, flag, link, list_of, minute, moment, visible, words
from pki.admin.downloads import Download, file_name, pem_text
from pki.admin.facts import FactAdmin
from pki.admin.filters import OF_THE_NEWEST
from pki.admin.search import Term
from pki.admin.trust_operations import DistrustCA, RetireCA
from pki.authorities.custody import custody_of
from pki.models import CertificateAuthority, CertificateProfile, IssuedCertificate
from pki.models.profile import EVERY_CLIENT_CA

Status = CertificateAuthority.Status


def status_of(ca: CertificateAuthority) -> tuple[str, str]:
    """Return the word for a CA's state now, and the kind of chip that shows it."""
    now = timezone.now()
    if ca.status == Status.REVOKED:
        return "Distrusted", "bad"
    if ca.status == Status.RETIRED:
        return "Retired", "over"
    if ca.not_after <= now:
        return "Expired", "over"
    if ca.status == Status.RETIRING:
        return "Retiring", "past"
    if ca.not_after <= now + EXPIRING:
        return "Expiring", "soon"
    return "Active", "good"


def _pem(ca: CertificateAuthority) -> Download:
    return Download(
        file_name(ca.name, suffix="pem"), "application/x-pem-file", pem_text([ca.certificate])
    )


def _der(ca: CertificateAuthority) -> Download:
    return Download(
        file_name(ca.name, suffix="cer"),
        "application/pkix-cert",
        ca.certificate.public_bytes(Encoding.DER),
    )


def _chain(ca: CertificateAuthority) -> Download:
    return Download(
        file_name(ca.name, suffix="chain.pem"),
        "application/pem-certificate-chain",
        pem_text([ca.certificate, *ca.chain]),
    )


def _crl(ca: CertificateAuthority) -> Download | None:
    """Return the CRL on record, because a GET must not sign one."""
    if ca.crl_der is None:
        return None
    return Download(file_name(ca.name, suffix="crl"), "application/pkix-crl", bytes(ca.crl_der))


@admin.register(CertificateAuthority)
class CertificateAuthorityAdmin(FactAdmin):
    """Device CAs and client CAs."""

    list_display = (
        "status_chip",
        words("name"),
        "purpose",
        words("subject"),
        minute("not_after", "valid until"),
        "key_algorithm",
        "signs",
    )
    list_display_links = (list_display[1],)
    list_filter = ("purpose", "status")
    search_fields = ("name",)
    search_help_text = gettext_noop(
        "The beginning of a name or subject, a serial number, a SHA-256"
    )
    empty_words = gettext_noop(
        "There is no CA yet, so nothing can be issued. Run `manage.py bootstrap_cas`: it makes "
        "or imports what the configuration asks for. Or create or import one here."
    )
    operations = (CreateCA, ImportCA, MakeSuccessor, MakeCRL, RetireCA, DistrustCA)
    downloads = {
        "pem": ("PEM", _pem),
        "der": ("DER", _der),
        "chain": ("chain (PEM)", _chain),
        "crl": ("CRL", _crl),
    }
    groups = (
        (
            None,
            (
                "status_chip",
                words("name"),
                "purpose",
                words("subject"),
                "certificates",
                "profiles",
                "accepting_profiles",
                moment("untrusted_since", "trusted until"),
                flag("are_certificates_stopped", "certificates are INACTIVE in AWS IoT"),
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
                "extensions",
                "chain_shown",
            ),
        ),
        (
            gettext_noop("Key"),
            (
                "signs",
                "custody",
                words("key_reference", "key reference"),
                flag(
                    "is_every_certificate_recorded", "refuses certificates that are not on record"
                ),
            ),
        ),
        (gettext_noop("Succession"), ("predecessor", "successors", "cross_shown")),
        (gettext_noop("CRL"), ("crl_number", moment("crl_made_at", "signed"))),
    )

    def search_condition(self, term: Term) -> Q:
        """Search without regard to indexes, because there are few CAs."""
        return (
            Q(name__istartswith=term.text)
            | Q(subject__icontains=term.text)
            | Q(serial_number__in=term.serial_numbers)
            | Q(fingerprint_sha256=term.sha256 or "-")
            | Q(key_sha256=term.sha256 or "-")
        )

    def audit_term(self, row: CertificateAuthority) -> str:
        """Return the target of the CA's events."""
        return f"ca:{row.name}"

    @admin.display(description=gettext_lazy("status"), ordering="status")
    def status_chip(self, ca: CertificateAuthority) -> SafeString:
        """Show the state."""
        return chip(*status_of(ca))

    @admin.display(description=gettext_lazy("signs"), ordering="signer")
    def signs(self, ca: CertificateAuthority) -> str:
        """Show where its key is."""
        if not ca.signer:
            return "nothing: trusted only"
        if has_key_here(ca):
            return f"through {ca.signer}"
        return f"elsewhere, through {ca.signer}"

    @admin.display(description=gettext_lazy("kept by"))
    def custody(self, ca: CertificateAuthority) -> str:
        """Show the signer's alias, and where it has the key."""
        return visible(custody_of(ca.signer)) if ca.signer else EMPTY

    @admin.display(description=f"live certificates{OF_THE_NEWEST}")
    def certificates(self, ca: CertificateAuthority) -> str:
        """Show how many are live, with a link to the list."""
        return format_html(
            '<a href="{}">{}</a>',
            list_of(IssuedCertificate, ca__id__exact=str(ca.pk)),
            live_in_words(newest_of(ca, IssuedCertificate.objects.all())),
        )

    @admin.display(description=gettext_lazy("profiles in force"))
    def profiles(self, ca: CertificateAuthority) -> str:
        """Link to the profiles in force for which it signs."""
        rows = CertificateProfile.objects.filter(ca=ca).exclude(active_label=None)
        return format_html_join(", ", "{}", ((link(row),) for row in rows)) or EMPTY

    @admin.display(description=gettext_lazy("profiles that accept its clients"))
    def accepting_profiles(self, ca: CertificateAuthority) -> str:
        """Link to the profiles in force that clients of this CA may use."""
        if ca.purpose != ca.Purpose.CLIENT:
            return EMPTY
        rows = [
            row
            for row in CertificateProfile.objects.exclude(active_label=None)
            if {ca.name, EVERY_CLIENT_CA} & {*row.client_cas}
        ]
        return format_html_join(", ", "{}", ((link(row),) for row in rows)) or EMPTY

    @admin.display(description=gettext_lazy("extensions"))
    def extensions(self, ca: CertificateAuthority) -> str:
        """Show the extensions in words."""
        return extensions_in_words(ca.certificate)

    @admin.display(description=gettext_lazy("chain above it"))
    def chain_shown(self, ca: CertificateAuthority) -> str:
        """Show the subjects of the chain, the root last."""
        return _subjects(ca.chain) or "none: it is its own root"

    @admin.display(description=gettext_lazy("cross-certificates"))
    def cross_shown(self, ca: CertificateAuthority) -> str:
        """Show how many there are."""
        count = len(ca.cross_certificates)
        return f"{count} (OldWithNew, NewWithOld)" if count else EMPTY

    @admin.display(description=gettext_lazy("succeeds"))
    def predecessor(self, ca: CertificateAuthority) -> str:
        """Link to the CA before it."""
        return link(ca.successor_of)

    @admin.display(description=gettext_lazy("succeeded by"))
    def successors(self, ca: CertificateAuthority) -> str:
        """Link to the CAs after it."""
        return format_html_join(", ", "{}", ((link(one),) for one in ca.successors.all())) or EMPTY


def _subjects(chain: list[x509.Certificate]) -> str:
    return format_html_join(", ", "{}", ((visible(one.subject.rfc4514_string()),) for one in chain))
