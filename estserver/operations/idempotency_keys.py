"""How long the management API knows a request's ``Idempotency-Key``, and what removes old ones."""

import datetime
from collections.abc import Sequence
from typing import Any, Final

from django.utils import timezone

from estserver.models import IdempotencyKey
from pki.record.transactions import CHUNK, in_write_transaction

KEPT: Final = datetime.timedelta(hours=24)


def remove_old_keys() -> None:
    """Remove keys that are not looked at any more, some hundreds in each transaction."""
    old = IdempotencyKey.objects.filter(created_at__lt=timezone.now() - KEPT)
    while keys := list(old.values_list("pk", flat=True)[:CHUNK]):
        _remove(keys)


def _remove(keys: Sequence[Any]) -> None:
    in_write_transaction(lambda: IdempotencyKey.objects.filter(pk__in=keys).delete())
