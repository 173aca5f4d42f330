"""What may not enroll. Certificates that are issued already stay valid: ``revoke`` is for those.

An entry has terms of its own, a reason and an end. An import (`pki.denylist.batches`) writes other
terms beside them, which count from the moment on at which its batch comes in force. So one row puts
any number of entries in force.
"""

import datetime
from typing import Final

from django.db import models
from django.db.models import Q
from django.utils import timezone

from pki.models.fields import IdentifierField

NEVER: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
"""The end of an entry that has no terms but those of its batch. It is in the past, so that also the
version before, which knows no batches, takes such an entry for an expired one."""

IN_FORCE_SQL: Final = """(expires_at IS NULL OR expires_at > %s OR (
        batch_id IS NOT NULL AND (next_expires_at IS NULL OR next_expires_at > %s)
        AND EXISTS (SELECT 1 FROM pki_denylistbatch AS batch
            WHERE batch.id = pki_denylistentry.batch_id AND batch.in_force_at IS NOT NULL)
    ))"""
"""The condition ``is_in_force`` as SQL, which every enrollment runs. Both values are the time."""


def is_in_force(at: datetime.datetime) -> Q:
    """Return the condition for entries in force at the time ``at``.

    Its own terms or those of a batch in force have not expired. `IN_FORCE_SQL` and
    `DenylistEntry.ends_at` say the same, and a test compares the three.
    """
    of_batch = Q(batch__in_force_at__isnull=False)
    return (
        Q(expires_at=None)
        | Q(expires_at__gt=at)
        | (of_batch & (Q(next_expires_at=None) | Q(next_expires_at__gt=at)))
    )


def is_on_list() -> Q:
    """Return the condition for entries that are or were in force: not those that only wait."""
    has_own_terms = Q(expires_at=None) | Q(expires_at__gt=NEVER)
    return has_own_terms | Q(batch__in_force_at__isnull=False)


class DenylistBatch(models.Model):
    """The entries of one import. They are in force when ``in_force_at`` is set, all at once.

    Its id is that of the job that imports them.
    """

    id = IdentifierField()
    created_by = models.CharField(max_length=150)
    source_ip = models.GenericIPAddressField("source IP", null=True, blank=True)
    is_replacing = models.BooleanField()
    in_force_at = models.DateTimeField(null=True, blank=True)
    position = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name_plural = "denylist batches"

    def __str__(self) -> str:
        return f"import {self.pk}"


class DenylistEntryQuerySet(models.QuerySet["DenylistEntry"]):
    """Selections of entries."""

    def in_force(self, at: datetime.datetime | None = None) -> "DenylistEntryQuerySet":
        """Return the entries that are in force at ``at`` (default: now)."""
        return self.filter(is_in_force(at or timezone.now()))

    def on_list(self) -> "DenylistEntryQuerySet":
        """Return the entries that are or were in force: not what only waits for its batch."""
        return self.filter(is_on_list())


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
    # No index: a job finds the entries of its batch by the values of its lines.
    batch = models.ForeignKey(
        DenylistBatch, on_delete=models.PROTECT, null=True, blank=True, db_index=False
    )
    next_reason = models.CharField(max_length=500, null=True, blank=True)  # noqa: DJ001  # as batch
    next_expires_at = models.DateTimeField(null=True, blank=True)

    objects = DenylistEntryQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        verbose_name_plural = "denylist entries"
        constraints = [models.UniqueConstraint(fields=["value", "kind"], name="denylist_value")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.value}"

    @property
    def has_own_terms(self) -> bool:
        """Whether it is or was in force by itself. Otherwise it waits for its batch."""
        return self.expires_at != NEVER

    @property
    def is_on_list(self) -> bool:
        """Whether it is or was in force. The condition `is_on_list` says the same."""
        return self.has_own_terms or self.has_batch_in_force

    @property
    def has_batch_in_force(self) -> bool:
        """Whether the terms of its batch count beside its own."""
        return self.batch is not None and self.batch.in_force_at is not None

    @property
    def terms(self) -> tuple[str, datetime.datetime | None]:
        """Reason and end: its own, or those of its batch if it has none."""
        if self.has_own_terms:
            return self.reason, self.expires_at
        return self.next_reason or "", self.next_expires_at

    @property
    def ends_at(self) -> datetime.datetime | None:
        """When it ends or ended, by all terms that count; None for one without an end."""
        ends = [self.expires_at, *([self.next_expires_at] if self.has_batch_in_force else [])]
        return None if None in ends else max(end for end in ends if end is not None)

    @property
    def is_in_force(self) -> bool:
        """Whether it stops enrollments now."""
        return self.ends_at is None or self.ends_at > timezone.now()
