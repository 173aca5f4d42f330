"""How programs come to the management API: their tokens, and requests that they may repeat."""

from django.db import models
from django.utils import timezone

from pki.models.fields import IdentifierField


class ApiToken(models.Model):
    """A token of the management API, made by a person for programs of theirs.

    The token itself is kept nowhere. ``account_id`` is no foreign key, because the device side has
    the models of this app and no accounts. `estserver.people.api_tokens` has the rules.
    """

    id = IdentifierField()
    account_id = models.BigIntegerField(db_index=True)
    name = models.CharField(max_length=60)
    sha256 = models.CharField("SHA-256", max_length=64, unique=True)
    beginning = models.CharField(max_length=20)
    roles = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    last_used_from = models.GenericIPAddressField(null=True)

    class Meta:
        ordering = ["-id"]  # by time: see IdentifierField
        verbose_name = "API token"

    def __str__(self) -> str:
        return self.name


class IdempotencyKey(models.Model):
    """A request of the management API that its sender may repeat, and the answer that it got.

    ``status`` is null until the answer is known. A row stays like this when the process died in
    between, and the request is not carried out again (`estserver.api.idempotency`).
    """

    id = IdentifierField()
    key = models.CharField(max_length=64, unique=True)
    request_sha256 = models.CharField("SHA-256 of the request", max_length=64)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)
    status = models.PositiveIntegerField(null=True)
    answer = models.JSONField(null=True)
    media_type = models.CharField(max_length=60, default="")

    def __str__(self) -> str:
        return self.key
