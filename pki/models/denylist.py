"""What may not enroll. Certificates that are issued already stay valid: ``revoke`` is for those."""

import datetime

from django.db import models
from django.db.models import Q
from django.utils import timezone

from pki.models.fields import IdentifierField


class DenylistEntryQuerySet(models.QuerySet["DenylistEntry"]):
    """Selections of entries."""

    def in_force(self, at: datetime.datetime | None = None) -> "DenylistEntryQuerySet":
        """Return the entries that have not expired at ``at`` (default: now)."""
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=at or timezone.now()))


class DenylistEntry(models.Model):
    """One value that stops enrollment, with the reason and who put it there."""

    class Kind(models.TextChoices):
        """What the value is. Names are compared case-folded, hashes and serials in lower hex."""

        COMMON_NAME = "name", "Thing name"
        DEVICE_SERIAL = "device-serial", "Device serial number (subject serialNumber)"
        FINGERPRINT = "fingerprint", "Certificate fingerprint (SHA-256)"
        SERIAL_NUMBER = "serial", "Certificate serial number"
        KEY = "key", "Public key (SHA-256 of its SubjectPublicKeyInfo)"
        CLIENT = "client", "Client certificate (SHA-256)"

    id = IdentifierField()
    kind = models.CharField(max_length=15, choices=Kind.choices)
    value = models.CharField(max_length=128)
    signed_sha256 = models.CharField(  # noqa: DJ001  # NULL matches no request, "" would
        "signed part (SHA-256)",
        max_length=64,
        null=True,
        blank=True,
        default=None,
        db_index=True,
        help_text="Of a certificate's entry: the same under another signature of the issuer's key.",
    )
    reason = models.CharField(max_length=500)
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)

    objects = DenylistEntryQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        verbose_name_plural = "denylist entries"
        constraints = [models.UniqueConstraint(fields=["value", "kind"], name="denylist_value")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.value}"

    @property
    def is_in_force(self) -> bool:
        """Whether it stops enrollments now."""
        return self.expires_at is None or self.expires_at > timezone.now()
