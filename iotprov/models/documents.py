"""Versions of the provisioning template and the IoT policy, and their pushes to AWS."""

import hashlib

from django.db import models
from django.utils import timezone

from pki.models.fields import IdentifierField, Sha256Field


class DocumentVersion(models.Model):
    """One version of a document as an operator wrote it. A row is never edited.

    The body has ``<ACCOUNT_ID>`` and ``<REGION>`` as placeholders, which a push fills for each
    target. The newest version is in force.
    """

    class Kind(models.TextChoices):
        """The kind of document, by AWS's name."""

        TEMPLATE = "template", "Provisioning template"
        POLICY = "policy", "IoT policy"

        @property
        def noun(self) -> str:
            """Return the kind's name in the middle of a sentence."""
            return "IoT policy" if self == self.POLICY else "provisioning template"

    id = IdentifierField()
    kind = models.CharField(max_length=10, choices=Kind.choices)
    name = models.CharField(max_length=128, help_text="Its name in AWS IoT.")
    number = models.PositiveIntegerField()
    body = models.TextField()
    reason = models.CharField(max_length=500)
    created_by = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["kind", "name", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "name", "number"], name="document_number")
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.number}"


class TemplateVersion(DocumentVersion):
    """A version of the provisioning template, with its own pages and permissions in the admin."""

    class Meta:
        proxy = True
        verbose_name = "provisioning template version"


class PolicyVersion(DocumentVersion):
    """A version of the IoT policy, with its own pages and permissions in the admin."""

    class Meta:
        proxy = True
        verbose_name = "IoT policy version"


class DocumentPush(models.Model):
    """The last push of a document to one target.

    A failed push changes only ``error``. ``version`` is null if the configured file was pushed.
    """

    id = IdentifierField()
    kind = models.CharField(max_length=10, choices=DocumentVersion.Kind.choices)
    name = models.CharField(max_length=128)
    target = models.CharField(max_length=60)
    version = models.ForeignKey(
        DocumentVersion, null=True, on_delete=models.PROTECT, related_name="pushes"
    )
    body_sha256 = Sha256Field(
        blank=True, default="", help_text="Of the text as it was written, placeholders unfilled."
    )
    aws_version = models.CharField("version in AWS", max_length=20, blank=True, default="")
    error = models.CharField(max_length=1000, blank=True, default="")
    pushed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["kind", "name", "target"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "name", "target"], name="document_push")
        ]

    def __str__(self) -> str:
        return f"{self.name} at {self.target}"

    def is_pending(self, body: str) -> bool:
        """Return whether ``body`` still has to be pushed to the target, by the record."""
        return bool(self.error) or self.body_sha256 != sha256_of(body)


def sha256_of(body: str) -> str:
    """Return the SHA-256 of a document's text, in lower-case hex."""
    return hashlib.sha256(body.encode()).hexdigest()
