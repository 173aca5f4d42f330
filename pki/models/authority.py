"""A certificate authority: its certificate, who holds its key, where it stands in a rollover."""

import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.db import models
from django.utils import timezone

from pki.models.fields import IdentifierField, Sha256Field
from pki.models.generation import Generation

if TYPE_CHECKING:  # a model is loaded by what never looks into a certificate
    from cryptography import x509


class CertificateAuthorityQuerySet(models.QuerySet["CertificateAuthority"]):
    """Questions that are asked about CAs."""

    def device(self) -> "CertificateAuthorityQuerySet":
        """CAs that sign device certificates."""
        return self.filter(purpose=CertificateAuthority.Purpose.DEVICE)

    def client(self) -> "CertificateAuthorityQuerySet":
        """CAs whose certificates say who may talk to us (mutual TLS)."""
        return self.filter(purpose=CertificateAuthority.Purpose.CLIENT)

    def trusted(self, at: datetime.datetime | None = None) -> "CertificateAuthorityQuerySet":
        """CAs whose certificates still count: not revoked, not expired at ``at`` (default: now)."""
        return self.filter(not_after__gt=at or timezone.now()).exclude(
            status=CertificateAuthority.Status.REVOKED
        )

    def issuing(self) -> "CertificateAuthorityQuerySet":
        """CAs that new certificates come from."""
        return self.filter(status=CertificateAuthority.Status.ACTIVE)


class CertificateAuthority(models.Model):
    """A CA on record. Its private key is never in the database, only the name of its holder."""

    class Purpose(models.TextChoices):
        """Which of the certificate worlds it belongs to."""

        DEVICE = "device", "Device CA"
        CLIENT = "client", "Client CA (mutual TLS)"

    class Status(models.TextChoices):
        """Where it stands."""

        ACTIVE = "active", "Active"
        RETIRING = "retiring", "Retiring: trusted and published, signs nothing new"
        REVOKED = "revoked", "Revoked: trusted by nobody"

    id = IdentifierField()
    name = models.CharField(max_length=100, unique=True, help_text="Short name, for commands.")
    purpose = models.CharField(max_length=10, choices=Purpose.choices)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ACTIVE)
    pem = models.TextField("certificate", help_text="The CA's own certificate, PEM.")
    chain_pem = models.TextField(
        "chain",
        blank=True,
        default="",
        help_text="Certificates between this CA and its root, root last, PEM; empty for a root.",
    )
    cross_pem = models.TextField(
        "cross-certificates",
        blank=True,
        default="",
        help_text="OldWithNew and NewWithOld of a rollover (RFC 4210 4.4), PEM.",
    )
    subject = models.CharField(max_length=500)
    serial_number = models.CharField(max_length=40)
    fingerprint_sha256 = Sha256Field(unique=True)
    key_sha256 = Sha256Field(db_index=True)
    key_algorithm = models.CharField(max_length=20)
    not_before = models.DateTimeField()
    not_after = models.DateTimeField(db_index=True)
    signer = models.CharField(
        max_length=40,
        blank=True,
        default="",
        help_text="Alias of the signer that reaches the key; empty: trusted only, signs nothing.",
    )
    key_reference = models.CharField(
        max_length=500,
        blank=True,
        default="",
        help_text="What the signer needs to find the key: a file name, a secret's name, an ARN.",
    )
    is_every_certificate_recorded = models.BooleanField(
        default=False,
        help_text=(
            "Made here: a certificate of this CA that isn't on record is refused. "
            "Off for CAs that signed certificates elsewhere."
        ),
    )
    successor_of = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="successors"
    )
    crl_number = models.PositiveBigIntegerField("CRL number", default=0, editable=False)
    crl_der = models.BinaryField("CRL", null=True, default=None)
    crl_made_at = models.DateTimeField("CRL made at", null=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = CertificateAuthorityQuerySet.as_manager()

    class Meta:
        ordering = ["purpose", "-not_after"]
        verbose_name = "certificate authority"
        verbose_name_plural = "certificate authorities"

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Write the row, and tell every process that what it prepared is out of date."""
        super().save(*args, **kwargs)
        Generation.advance()

    @cached_property
    def certificate(self) -> "x509.Certificate":
        """The CA's own certificate."""
        from cryptography import x509

        return x509.load_pem_x509_certificate(self.pem.encode())

    @cached_property
    def chain(self) -> "list[x509.Certificate]":
        """The certificates above this one, root last."""
        from cryptography import x509

        if not self.chain_pem:
            return []
        return x509.load_pem_x509_certificates(self.chain_pem.encode())

    @cached_property
    def cross_certificates(self) -> "list[x509.Certificate]":
        """OldWithNew and NewWithOld, when this CA succeeded one whose key was here."""
        from cryptography import x509

        if not self.cross_pem:
            return []
        return x509.load_pem_x509_certificates(self.cross_pem.encode())

    @property
    def can_sign(self) -> bool:
        """Whether a signer is named; not whether it works."""
        return bool(self.signer)
