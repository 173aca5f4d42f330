"""CAs: where each stands, what it published, and its succession."""

from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django import forms
from django.contrib import admin
from django.contrib.admin import widgets
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from pki.admin.certificates import EXPIRING
from pki.admin.decoded import extensions_in_words
from pki.admin.display import EMPTY, chip, code, flag, link, list_of, minute, moment, visible, words
from pki.admin.downloads import Download, file_name, pem_text
from pki.admin.facts import FactAdmin
from pki.admin.operations import Done, Operation, ReasonForm
from pki.admin.search import Term
from pki.authorities.succeed import make_successor
from pki.models import CertificateAuthority, CertificateProfile, IssuedCertificate
from pki.operators.errors import OperatorError
from pki.record.audit_trail import Actor
from pki.revocation.crl import LIFETIME, make_crl
from pki.signers import KeySigner, get_signer

Status = CertificateAuthority.Status


def status_of(ca: CertificateAuthority) -> tuple[str, str]:
    """The word for where a CA stands now, and the kind of chip that shows it."""
    now = timezone.now()
    if ca.status == Status.REVOKED:
        return "Revoked", "bad"
    if ca.not_after <= now:
        return "Expired", "over"
    if ca.status == Status.RETIRING:
        return "Retiring", "past"
    if ca.not_after <= now + EXPIRING:
        return "Expiring", "soon"
    return "Active", "good"


def _has_key_here(ca: CertificateAuthority) -> bool:
    try:
        return bool(ca.signer) and isinstance(get_signer(ca.signer), KeySigner)
    except OperatorError:  # the configuration doesn't name this signer any more
        return False


class SuccessorForm(ReasonForm):
    """A CA isn't succeeded by a slip of the hand: its name is typed."""

    name = forms.CharField(
        label="Name of the CA",
        widget=widgets.AdminTextInputWidget,
        help_text="Type the name of the CA that is to be succeeded.",
    )
    field_order = ("name", "reason")

    def __init__(self, *args: Any, expected: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.expected = expected

    def clean_name(self) -> str:
        """It has to be this CA's name."""
        name: str = self.cleaned_data["name"]
        if name != self.expected:
            raise forms.ValidationError(f"This isn't the name of the CA, which is {self.expected}.")
        return name


class MakeSuccessor(Operation):
    """A new key and certificate under the same subject."""

    slug = "successor"
    label = "Make a successor"
    is_dangerous = True
    form_class = SuccessorForm

    @classmethod
    def obstacle(cls, row: CertificateAuthority) -> str:
        """Only an active CA whose key is here."""
        if row.status != Status.ACTIVE:
            return f"{row} is {row.status}: only an active CA can have a successor."
        if not _has_key_here(row):
            return f"The key of {row} isn't here: have its PKI make a new CA, and import that."
        return ""

    def get_form_kwargs(self) -> dict[str, Any]:
        """The name that must be typed."""
        return {**super().get_form_kwargs(), "expected": self.row.name}

    def effects(self) -> list[str]:
        """What changes for profiles and devices."""
        ca: CertificateAuthority = self.row
        live = IssuedCertificate.objects.filter(ca=ca).live().count()
        profiles = [str(one) for one in ca.profiles.exclude(active_label=None)]
        effects = [
            f"A new CA of the same subject, with a key of its own ({ca.key_algorithm}), "
            f"signs in place of {ca.name} from now on.",
            f"{ca.name} signs nothing any more. It stays trusted and published until "
            f"{ca.not_after:%Y-%m-%d}: certificates that it signed and that are still live "
            f"({live}) go on to work.",
        ]
        if profiles:
            effects.append(f"A new version of each profile follows: {', '.join(profiles)}.")
        if ca.purpose == ca.Purpose.DEVICE:
            effects += [
                "Devices get both certificates from cacerts, with the cross-certificates "
                "between them (RFC 4210 4.4).",
                "AWS IoT doesn't know the new CA before it is registered there: certificates "
                "that it signs can't be provisioned until then.",
            ]
        else:
            effects.append(
                "Clients with certificates of the new CA are let in once the truststore of the "
                "EST domain holds it (a local server: at its next start)."
            )
        return effects

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """As ``manage.py bootstrap_cas --force``, for this one CA."""
        successor = make_successor(self.row, actor=actor, reason=form.cleaned_data["reason"])
        return Done(f"{successor} succeeds {self.row}, which stays trusted.", successor)


class CRLForm(forms.Form):
    """Nothing is asked."""


class MakeCRL(Operation):
    """Sign a new CRL before the old one is due."""

    slug = "make-crl"
    label = "Sign a new CRL"
    form_class = CRLForm

    @classmethod
    def obstacle(cls, row: CertificateAuthority) -> str:
        """The key has to be here."""
        if not _has_key_here(row):
            return f"The key of {row} isn't here: get the CRL from its PKI."
        return ""

    def effects(self) -> list[str]:
        """How long the list is."""
        revoked = IssuedCertificate.objects.filter(ca=self.row, not_after__gt=timezone.now())
        return [
            f"{self.row} signs a list of what is revoked and not expired "
            f"({revoked.exclude(revoked_at=None).count()} serial numbers), good for "
            f"{LIFETIME.days} days. The EST side makes one by itself whenever it is asked and "
            "the last isn't fresh."
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """As ``manage.py crl``."""
        make_crl(self.row)
        return Done(f"{self.row} signed a new CRL.", self.row)


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
    """The CRL on record; a GET signs none."""
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
    search_help_text = "The beginning of a name or subject, a serial number, a SHA-256"
    empty_words = (
        "There is no CA yet, so nothing can be issued. Run `manage.py bootstrap_cas`: it makes "
        "or imports what the configuration asks for."
    )
    operations = (MakeSuccessor, MakeCRL)
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
                "extensions",
                "chain_shown",
            ),
        ),
        (
            "Key",
            (
                "signs",
                words("signer"),
                words("key_reference", "key reference"),
                flag("is_every_certificate_recorded", "refuses what isn't on record"),
            ),
        ),
        ("Succession", ("predecessor", "successors", "cross_shown")),
        ("CRL", ("crl_number", moment("crl_made_at", "signed"))),
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """There are few CAs: only the forms of a term matter here."""
        term = Term.parse(search_term)
        if not term.text:
            return queryset, False
        return queryset.filter(
            Q(name__istartswith=term.text)
            | Q(subject__icontains=term.text)
            | Q(serial_number__in=term.serial_numbers)
            | Q(fingerprint_sha256=term.sha256 or "-")
            | Q(key_sha256=term.sha256 or "-")
        ), False

    def audit_term(self, row: CertificateAuthority) -> str:
        """Its name."""
        return f"ca:{row.name}"

    @admin.display(description="status", ordering="status")
    def status_chip(self, ca: CertificateAuthority) -> SafeString:
        """A chip."""
        return chip(*status_of(ca))

    @admin.display(description="signs", ordering="signer")
    def signs(self, ca: CertificateAuthority) -> str:
        """Where its key is."""
        if not ca.signer:
            return "nothing: trusted only"
        if _has_key_here(ca):
            return f"through {ca.signer}"
        return f"elsewhere, through {ca.signer}"

    @admin.display(description="live certificates")
    def certificates(self, ca: CertificateAuthority) -> str:
        """How many are live, with the list."""
        return format_html(
            '<a href="{}">{}</a>',
            list_of(IssuedCertificate, ca__id__exact=str(ca.pk)),
            IssuedCertificate.objects.filter(ca=ca).live().count(),
        )

    @admin.display(description="profiles in force")
    def profiles(self, ca: CertificateAuthority) -> str:
        """Those that it signs for."""
        rows = CertificateProfile.objects.filter(ca=ca).exclude(active_label=None)
        return format_html_join(", ", "{}", ((link(row),) for row in rows)) or EMPTY

    @admin.display(description="extensions")
    def extensions(self, ca: CertificateAuthority) -> str:
        """In words."""
        return extensions_in_words(ca.certificate)

    @admin.display(description="chain above it")
    def chain_shown(self, ca: CertificateAuthority) -> str:
        """Subjects, root last."""
        return _subjects(ca.chain) or "none: it is its own root"

    @admin.display(description="cross-certificates")
    def cross_shown(self, ca: CertificateAuthority) -> str:
        """How many there are."""
        count = len(ca.cross_certificates)
        return f"{count} (OldWithNew, NewWithOld)" if count else EMPTY

    @admin.display(description="succeeds")
    def predecessor(self, ca: CertificateAuthority) -> str:
        """The CA before it."""
        return link(ca.successor_of)

    @admin.display(description="succeeded by")
    def successors(self, ca: CertificateAuthority) -> str:
        """The CAs after it."""
        return format_html_join(", ", "{}", ((link(one),) for one in ca.successors.all())) or EMPTY


def _subjects(chain: list[x509.Certificate]) -> str:
    return format_html_join(", ", "{}", ((visible(one.subject.rfc4514_string()),) for one in chain))
