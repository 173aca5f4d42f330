"""Post hooks that are still to run."""

from django.db import models
from django.utils import timezone

from pki.models import IssuedCertificate
from pki.models.fields import IdentifierField


class PendingHook(models.Model):
    """A ``post_`` hook that hasn't succeeded yet.

    The row is written in the transaction that records the certificate, so that no crash can lose
    the call, and deleted when the hook has returned.
    """

    id = IdentifierField()
    certificate = models.OneToOneField(
        IssuedCertificate, on_delete=models.PROTECT, related_name="pending_hook"
    )
    label = models.CharField(max_length=40, blank=True, default="")
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=500, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    next_attempt_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        ordering = ["next_attempt_at"]

    def __str__(self) -> str:
        return f"post_{self.certificate.operation} for {self.certificate}"
