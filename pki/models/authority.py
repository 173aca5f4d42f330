"""A certificate authority: its certificate, its signer, its place in a rollover."""

import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.db import models
from django.utils import timezone

from pki.models.fields import IdentifierField, Sha256Field
from pki.models.generation import Generation

if TYPE_CHECKING:  # /cacerts loads this model and never parses a certificate
    from cryptography import x509


class CertificateAuthorityQuerySet(models.QuerySet["CertificateAuthority"]):
    """Selections of CAs."""

    def device(self) -> "CertificateAuthorityQuerySet":
        """Return the CAs that sign device certificates."""
        return self.filter(purpose=CertificateAuthority.Purpose.DEVICE)

    def client(self) -> "CertificateAuthorityQuerySet":
        """Return the CAs whose certificates authenticate clients (mutual TLS)."""
        return self.filter(purpose=CertificateAuthority.Purpose.CLIENT)

    def trusted(self, at: datetime.datetime | None = None) -> "CertificateAuthorityQuerySet":
        """Return the CAs that are trusted at ``at`` (default: now).

        They are neither expired, nor distrusted, nor retired.
        """
        return self.filter(not_after__gt=at or timezone.now()).exclude(
            status__in=CertificateAuthority.UNTRUSTED
        )

    def distrusted(self) -> "CertificateAuthorityQuerySet":
        """Return the CAs that an operator distrusts, expired ones included."""
        return self.filter(status=CertificateAuthority.Status.REVOKED)

    def issuing(self) -> "CertificateAuthorityQuerySet":
        """Return the CAs that sign new certificates."""
        return self.filter(status=CertificateAuthority.Status.ACTIVE)


class CertificateAuthority(models.Model):
    """A CA on record. Its private key is never in the database, only a reference for its signer."""

    class Purpose(models.TextChoices):
        """Whose certificates it signs: devices' or clients'."""

        DEVICE = "device", "Device CA"
        CLIENT = "client", "Client CA (mutual TLS)"

    class Status(models.TextChoices):
        """Its state in a rollover."""

        ACTIVE = "active", "Active"
        RETIRING = "retiring", "Retiring: trusted and published, signs nothing new"
        RETIRED = "retired", "Retired: neither trusted nor published any more"
        REVOKED = "revoked", "Distrusted: whatever leads to it is refused"

    UNTRUSTED = (Status.RETIRED, Status.REVOKED)
    """The states in which a CA is neither trusted nor published."""

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
    untrusted_since = models.DateTimeField(
        null=True,
        default=None,
        editable=False,
        help_text="When it was distrusted or retired.",
    )
    are_certificates_stopped = models.BooleanField(
        default=False,
        editable=False,
        help_text="Distrusted, and its certificates are INACTIVE in AWS IoT.",
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
        """Write the row, and advance ``Generation``, so that every process reads it again."""
        super().save(*args, **kwargs)
        Generation.advance()

    @cached_property
    def certificate(self) -> "x509.Certificate":
        """The CA's own certificate."""
        from pki.encoding.reading import read_certificate_pem

        return read_certificate_pem(self.pem.encode())

    @cached_property
    def chain(self) -> "list[x509.Certificate]":
        """The certificates above this CA's, root last."""
        from pki.encoding.reading import read_certificates

        if not self.chain_pem:
            return []
        return read_certificates(self.chain_pem.encode())

    @cached_property
    def cross_certificates(self) -> "list[x509.Certificate]":
        """OldWithNew and NewWithOld (RFC 4210 4.4), if this CA succeeded one whose key was here."""
        from pki.encoding.reading import read_certificates

        if not self.cross_pem:
            return []
        return read_certificates(self.cross_pem.encode())

    @property
    def is_trusted(self) -> bool:
        """Whether it is neither distrusted nor retired. It may have expired."""
        return self.status not in self.UNTRUSTED

    @property
    def can_sign(self) -> bool:
        """Whether a signer is named. It may be out of order."""
        return bool(self.signer)
