"""How far AWS IoT has followed the end of trust in a CA."""

from django.db import models

from pki.models import CertificateAuthority
from pki.models.fields import IdentifierField


class CAWithdrawal(models.Model):
    """A device CA that is not trusted any more, at one target.

    Written in the transaction that ends the trust. The schedule makes the CA INACTIVE there, and
    walks through its certificates in chunks, so that the request writes no row for each of them.
    """

    id = IdentifierField()
    ca = models.ForeignKey(
        CertificateAuthority, on_delete=models.PROTECT, related_name="iot_withdrawals"
    )
    target = models.CharField(max_length=60)
    revision = models.PositiveIntegerField(
        default=1, help_text="Counts how often the walk has begun anew."
    )
    is_ca_inactive = models.BooleanField("CA is INACTIVE or unknown there", default=False)
    walked_to = models.UUIDField(
        null=True, default=None, help_text="The last certificate that has its row of the outbox."
    )
    are_certificates_enqueued = models.BooleanField("certificates are in the outbox", default=False)
    error = models.CharField(max_length=1000, blank=True, default="")

    class Meta:
        ordering = ["ca", "target"]
        constraints = [models.UniqueConstraint(fields=["ca", "target"], name="ca_withdrawal")]

    def __str__(self) -> str:
        return f"{self.ca} at {self.target}"
