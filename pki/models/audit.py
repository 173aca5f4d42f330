"""Who did what, when and why: append-only, each row chained to the one before it."""

from typing import Any, NoReturn

from django.db import models
from django.utils import timezone

from pki.models import hot_path_sql
from pki.models.fields import IdentifierField, Sha256Field


class AuditEventQuerySet(models.QuerySet["AuditEvent"]):
    """Events, which can be read and added, and neither changed nor deleted."""

    def update(self, **kwargs: Any) -> NoReturn:
        """Raise ``TypeError``, because the trail is append-only."""
        raise TypeError("The audit trail is append-only. Rows cannot be changed.")

    def delete(self) -> NoReturn:
        """Raise ``TypeError``, because the trail is append-only."""
        raise TypeError("The audit trail is append-only. Rows cannot be deleted.")


class AuditEvent(models.Model):
    """One event of the audit trail.

    Every thread of a process writes a chain of its own (``chain``, ``position``), so enrollments
    never wait for each other. The first row of a chain has the hash of the chain that was opened
    before it. ``pki.record.audit_trail`` has the rules, and ``audit_verify`` checks them.
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
        """Add the row. Raises ``TypeError`` for a row that exists already."""
        if not self._state.adding:
            raise TypeError("The audit trail is append-only. Rows cannot be changed.")
        hot_path_sql.insert(self)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raise ``TypeError``, because the trail is append-only."""
        raise TypeError("The audit trail is append-only. Rows cannot be deleted.")
