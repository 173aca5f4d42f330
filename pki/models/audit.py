"""Who did what, when and why: append-only, each row chained to the one before it."""

from typing import Any, NoReturn

from django.db import models
from django.utils import timezone

from pki.models import hot_path_sql
from pki.models.fields import IdentifierField, Sha256Field


class AuditEventQuerySet(models.QuerySet["AuditEvent"]):
    """Rows that can only be read and added."""

    def update(self, **kwargs: Any) -> NoReturn:
        """Refused: the trail is append-only."""
        raise TypeError("the audit trail is append-only: rows can't be changed")

    def delete(self) -> NoReturn:
        """Refused: the trail is append-only."""
        raise TypeError("the audit trail is append-only: rows can't be deleted")


class AuditEvent(models.Model):
    """One thing that happened.

    Every process thread writes a chain of its own (``chain``, ``position``), so that enrollments
    never wait for each other; the first row of a chain carries the hash of the chain that was
    opened before it (``pki.record.audit_trail`` has the rules, ``audit_verify`` checks them).
    """

    id = IdentifierField()
    chain = models.UUIDField()
    position = models.PositiveBigIntegerField()
    opening = models.PositiveBigIntegerField(null=True, unique=True)
    at = models.DateTimeField(default=timezone.now, db_index=True)
    action = models.CharField(max_length=40)
    actor = models.CharField(max_length=200)
    target = models.CharField(max_length=200, db_index=True)
    reason = models.CharField(max_length=500, blank=True, default="")
    request_id = models.CharField(max_length=36, blank=True, default="", db_index=True)
    source_ip = models.GenericIPAddressField("source IP", null=True, blank=True)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    previous_hash = Sha256Field()
    hash = Sha256Field()

    objects = AuditEventQuerySet.as_manager()

    class Meta:
        ordering = ["-at"]
        constraints = [
            models.UniqueConstraint(fields=["chain", "position"], name="audit_chain_position")
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.target}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Add the row; raises ``TypeError`` for a row that exists already."""
        if not self._state.adding:
            raise TypeError("the audit trail is append-only: rows can't be changed")
        hot_path_sql.insert(self)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused: the trail is append-only."""
        raise TypeError("the audit trail is append-only: rows can't be deleted")
