"""The record of every certificate that was signed here, or was about to be."""

import datetime
from typing import TYPE_CHECKING

from django.db import models
from django.db.models.lookups import In
from django.utils import timezone

from pki.csr.thing_names import fold_name
from pki.models.authority import CertificateAuthority
from pki.models.fields import IdentifierField, NoIndex, Sha256Field, UniqueOrNullField
from pki.models.profile import CertificateProfile

if TYPE_CHECKING:
    from cryptography import x509


class IssuedCertificateQuerySet(models.QuerySet["IssuedCertificate"]):
    """Selections of certificates."""

    def for_name(self, common_name: str) -> "IssuedCertificateQuerySet":
        """Return the certificates of a thing name, whatever its letter case."""
        return self.filter(name_folded=fold_name(common_name))

    def current(self, at: datetime.datetime | None = None) -> "IssuedCertificateQuerySet":
        """Return those that are issued, not superseded, not expired at ``at`` (default: now)."""
        return self._in_state(IssuedCertificate.State.ISSUED).filter(
            not_after__gt=at or timezone.now()
        )

    def live(self, at: datetime.datetime | None = None) -> "IssuedCertificateQuerySet":
        """Return those that still verify: issued or superseded, and not expired."""
        return self._in_state(
            IssuedCertificate.State.ISSUED, IssuedCertificate.State.SUPERSEDED
        ).filter(not_after__gt=at or timezone.now())

    def _in_state(self, *states: "IssuedCertificate.State") -> "IssuedCertificateQuerySet":
        """Return those in states that most of a fleet are in, which no index should look for."""
        return self.filter(In(NoIndex(models.F("state")), [*states]))


class IssuedCertificate(models.Model):
    """A certificate this server signed, or was about to sign (state ``intent``).

    The row exists before the signature does, so no certificate exists without a record of it.
    Rules between rows are unique, nullable columns in place of locks, because they work on every
    database: ``name_owner`` (one client owns a thing name), ``key_owner`` (one thing name per key),
    ``current_name`` (one current certificate per thing name and profile) and ``request_key`` (one
    certificate per request within the idempotency window).

    Each index costs every enrollment a page to write. So there is one for each look-up of a
    device's request and of an operator's search, and no other.
    """

    class State(models.TextChoices):
        """How far the certificate has got. Expiry is not a state, but ``not_after`` in the past."""

        INTENT = "intent", "Intent"
        ISSUED = "issued", "Issued"
        SUPERSEDED = "superseded", "Superseded"
        REVOKED = "revoked", "Revoked"
        VOID = "void", "Void: never signed"

    class Operation(models.TextChoices):
        """What it was issued for."""

        ENROLL = "enroll", "Enrolled"
        REENROLL = "reenroll", "Re-enrolled"
        CLIENT = "client", "Client certificate, by command"

    id = IdentifierField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.INTENT)
    operation = models.CharField(max_length=10, choices=Operation.choices)
    ca = models.ForeignKey(
        CertificateAuthority,
        on_delete=models.PROTECT,
        related_name="issued_certificates",
        db_index=False,
    )
    profile = models.ForeignKey(
        CertificateProfile,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="issued_certificates",
        db_index=False,
    )
    predecessor = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="replacements",
        db_index=False,
    )

    serial_number = models.CharField(max_length=40)
    common_name = models.CharField(max_length=64)
    name_folded = models.CharField(max_length=64, db_index=True)
    device_serial = models.CharField(max_length=64, blank=True, default="", db_index=True)
    serial_folded = models.CharField(  # noqa: DJ001  # rows from before the column have none
        "device serial number, as it is compared",
        max_length=64,
        null=True,
        blank=True,
        default=None,
        db_index=True,
    )
    subject = models.CharField(max_length=1000)
    san = models.CharField("SAN", max_length=2000, blank=True, default="")
    key_algorithm = models.CharField(max_length=20)
    key_sha256 = Sha256Field()
    not_before = models.DateTimeField()
    not_after = models.DateTimeField(db_index=True)
    csr_der = models.BinaryField()
    der = models.BinaryField(null=True, default=None)
    fingerprint_sha256 = UniqueOrNullField(max_length=64)

    name_owner = UniqueOrNullField(max_length=64)
    key_owner = UniqueOrNullField(max_length=64)
    current_name = UniqueOrNullField(max_length=130)
    request_key = UniqueOrNullField(max_length=64)

    client_fingerprint = Sha256Field(blank=True, default="", db_index=True)
    client_signed_sha256 = Sha256Field(
        "client's signed part", blank=True, default="", db_index=True
    )
    holder_fingerprint = Sha256Field("name's holder", blank=True, default="")
    """Of a row with ``name_owner``: the client that holds the name, as these three say."""
    holder_signed_sha256 = Sha256Field(
        "holder's signed part", blank=True, default="", db_index=True
    )
    holder_name_sha256 = Sha256Field("holder's CA and CN (SHA-256)", blank=True, default="")
    new_name_of = models.CharField(  # noqa: DJ001  # most rows are of no new name
        "new name of",
        max_length=64,
        null=True,
        blank=True,
        default=None,
        help_text="Of a row that took a name: the client's signed part. Quotas count these rows.",
    )
    name_released_at = models.DateTimeField(
        null=True,
        blank=True,
        default=None,
        help_text="When an operator released the name. The row is of its earlier holder.",
    )
    client_subject = models.CharField(max_length=1000, blank=True, default="")
    source_ip = models.GenericIPAddressField("source IP", null=True, blank=True)
    request_id = models.CharField(max_length=36, blank=True, default="")
    tenant_id = models.CharField(max_length=100, blank=True, default="")

    created_at = models.DateTimeField(default=timezone.now)
    issued_at = models.DateTimeField(null=True, blank=True)
    superseded_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True, db_index=True)
    revocation_reason = models.CharField(max_length=24, blank=True, default="")

    objects = IssuedCertificateQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]  # by time: see IdentifierField
        constraints = [
            models.UniqueConstraint(fields=["serial_number", "ca"], name="certificate_serial")
        ]
        indexes = [
            models.Index(fields=["new_name_of", "created_at"], name="certificate_new_name"),
            models.Index(fields=["state", "id"], name="certificate_state"),
            models.Index(fields=["state", "not_after"], name="certificate_expiry"),
            models.Index(fields=["key_sha256"], name="certificate_key"),
        ]

    def __str__(self) -> str:
        return f"{self.common_name} ({self.serial_number})"

    def to_x509(self) -> "x509.Certificate":
        """Return the certificate, parsed. Raises ``ValueError`` while there is none."""
        from pki.encoding.reading import read_certificate

        return read_certificate(self.to_der())

    def to_der(self) -> bytes:
        """Return the certificate in DER. Raises ``ValueError`` while there is none."""
        if self.der is None:
            raise ValueError(f"{self} has no certificate. Its state is {self.state}.")
        return bytes(self.der)

    @property
    def pem(self) -> str:
        """The certificate in PEM form, or "" while there is none."""
        from pki.encoding.certificates import pem_of

        return "" if self.der is None else pem_of(self.to_x509())
