"""The outbox: one row for a certificate at a target, with the result and the next attempt."""

import datetime

from django.db import models
from django.db.models import Q
from django.utils import timezone

from pki.models import IssuedCertificate
from pki.models.fields import IdentifierField


class ProvisioningQuerySet(models.QuerySet["Provisioning"]):
    """Queries on the outbox."""

    def due(self, at: datetime.datetime | None = None) -> "ProvisioningQuerySet":
        """Return rows that are due at ``at`` (default: now) and that no worker has leased."""
        at = at or timezone.now()
        return self.filter(Q(lease=None) | Q(leased_until__lte=at), next_attempt_at__lte=at)

    def pending(self) -> "ProvisioningQuerySet":
        """Return rows that wait for an attempt."""
        return self.filter(state=Provisioning.State.PENDING)

    def parked(self) -> "ProvisioningQuerySet":
        """Return rows that wait for an operator."""
        return self.filter(state=Provisioning.State.PARKED)


class Provisioning(models.Model):
    """One certificate at one target. Written in the transaction that records the change.

    A row does not say what to call. It says that AWS IoT may not agree with the record yet. The
    worker that holds its lease compares the two and makes AWS agree, so that doing it again is
    harmless. ``revision`` counts the changes of the desired state. A row is settled only if it has
    not grown since the work began.
    """

    class State(models.TextChoices):
        """Whether AWS IoT agrees."""

        PENDING = "pending", "Waiting"
        SETTLED = "settled", "Up to date"
        PARKED = "parked", "Parked: needs a person"

    id = IdentifierField()
    certificate = models.ForeignKey(
        IssuedCertificate, on_delete=models.PROTECT, related_name="provisionings"
    )
    target = models.CharField(max_length=60)
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    revision = models.PositiveIntegerField(default=1)
    is_urgent = models.BooleanField(
        default=False, help_text="Goes before others: a certificate to be stopped."
    )
    attempts = models.PositiveIntegerField(default=0, help_text="Failed ones in a row.")
    next_attempt_at = models.DateTimeField(
        null=True, default=timezone.now, help_text="When to look again; empty: never, unasked."
    )
    lease = models.UUIDField(null=True, default=None, editable=False)
    leased_until = models.DateTimeField(null=True, default=None, editable=False)
    error = models.CharField(max_length=1000, blank=True, default="")
    note = models.CharField(max_length=500, blank=True, default="")

    aws_certificate_id = models.CharField("certificate ID", max_length=64, blank=True, default="")
    aws_status = models.CharField("status in AWS", max_length=20, blank=True, default="")
    thing_name = models.CharField(max_length=128, blank=True, default="")
    is_thing_ours = models.BooleanField(
        "thing made here",
        default=False,
        help_text="We made the thing, so that all the template says of one is ours to do.",
    )

    created_at = models.DateTimeField(default=timezone.now, editable=False)
    pending_since = models.DateTimeField(null=True, default=timezone.now, editable=False)
    settled_at = models.DateTimeField(null=True, default=None)

    objects = ProvisioningQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name = "certificate for AWS IoT"
        verbose_name_plural = "certificates for AWS IoT"
        constraints = [
            models.UniqueConstraint(fields=["certificate", "target"], name="provisioning_target")
        ]
        indexes = [
            models.Index(fields=["next_attempt_at"], name="provisioning_due"),
            models.Index(fields=["thing_name"], name="provisioning_thing"),
            models.Index(fields=["state", "id"], name="provisioning_state"),
        ]

    def __str__(self) -> str:
        return f"{self.certificate} at {self.target}"
