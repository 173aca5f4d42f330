"""The record of device CAs in AWS IoT."""

from django.db import models

from pki.models import CertificateAuthority
from pki.models.fields import IdentifierField


class CARegistration(models.Model):
    """The registration of a device CA at one target, as AWS described it last."""

    class State(models.TextChoices):
        """Whether the last attempt to register it worked."""

        PENDING = "pending", "Pending"
        REGISTERED = "registered", "Registered"
        FAILED = "failed", "Failed"

    id = IdentifierField()
    ca = models.ForeignKey(
        CertificateAuthority, on_delete=models.PROTECT, related_name="iot_registrations"
    )
    target = models.CharField(max_length=60)
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    certificate_id = models.CharField("CA certificate ID", max_length=64, blank=True, default="")
    arn = models.CharField("ARN", max_length=300, blank=True, default="")
    status = models.CharField("status in AWS", max_length=20, blank=True, default="")
    mode = models.CharField("certificate mode", max_length=10, blank=True, default="")
    is_auto_registration_on = models.BooleanField("auto registration", default=False)
    template_name = models.CharField(max_length=36, blank=True, default="")
    error = models.CharField(max_length=1000, blank=True, default="")
    note = models.CharField(max_length=1000, blank=True, default="")
    checked_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["ca", "target"]
        verbose_name = "registered CA"
        constraints = [models.UniqueConstraint(fields=["ca", "target"], name="ca_registration")]

    def __str__(self) -> str:
        return f"{self.ca} at {self.target}"
