"""What the installation keeps of its own work: hooks to call, truststores, refusals, notices."""

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


class TruststorePush(models.Model):
    """A truststore that was put where API Gateway reads it. A row is never edited but for
    ``activated_at``.

    The object's version in S3 can't be changed afterwards, so version and SHA-256 together tell
    whether what API Gateway trusts is what somebody here decided.
    """

    id = IdentifierField()
    domain = models.CharField(max_length=253, help_text="The domain with mutual TLS.")
    uri = models.CharField("URI", max_length=300)
    version_id = models.CharField("version in S3", max_length=1024)
    sha256 = models.CharField("SHA-256", max_length=64)
    certificate_count = models.PositiveIntegerField()
    reason = models.CharField(max_length=500)
    pushed_by = models.CharField(max_length=200)
    pushed_at = models.DateTimeField(default=timezone.now, editable=False)
    activated_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["-id"]  # by time: see IdentifierField
        verbose_name_plural = "truststore pushes"
        constraints = [
            models.UniqueConstraint(fields=["uri", "version_id"], name="truststore_version")
        ]

    def __str__(self) -> str:
        return f"{self.uri} {self.version_id}"


class RefusalCount(models.Model):
    """How many refusals of one reason a chain of the audit trail has within an hour.

    The trail has no index by reason, which would cost each enrollment a page to write. A thread
    writes a chain of its own, so that no two writers count in the same row.
    """

    id = IdentifierField()
    hour = models.DateTimeField()
    code = models.CharField(max_length=60)
    chain = models.UUIDField()
    count = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["hour", "code", "chain"], name="refusal_count")
        ]

    def __str__(self) -> str:
        return f"{self.count} x {self.code} from {self.hour}"


class Acknowledgement(models.Model):
    """A notice of the overview that somebody has taken on. The notice follows from the state.

    ``key`` names what is wrong, and ``severity`` how much it was then. A notice that has become
    worse is open again.
    """

    id = IdentifierField()
    key = models.CharField(max_length=200, unique=True)
    severity = models.PositiveIntegerField()
    actor = models.CharField(max_length=200)
    reason = models.CharField(max_length=500)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        permissions = [("view_settings", "Can view the settings in force")]

    def __str__(self) -> str:
        return self.key
