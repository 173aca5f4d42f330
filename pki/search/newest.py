"""Bounded looks at the newest rows, for what has no index.

An index on the source address or on the SHA-1 of a certificate would cost each enrollment another
page to write. Operators look for an address soon after a request, and `openssl` prints the SHA-256
as well as the SHA-1.
"""

import datetime
import hashlib
import uuid
from collections.abc import Iterator

from django.db.models import Q

from pki.models import AuditEvent, IssuedCertificate
from pki.models.fields import first_identifier

MOST_ROWS = 20_000
"""The newest rows that are looked at: some 100 ms of a page's time."""

_AT_ONCE = 1000  # certificates whose DER is in memory


def newest(
    model: type[IssuedCertificate] | type[AuditEvent], *, before: datetime.datetime | None = None
) -> tuple[Q, bool]:
    """Return the condition for the newest rows of a table, and whether these are all rows.

    A primary key begins with the time at which it was made (`pki.models.fields.new_identifier`).
    ``before`` leaves out rows from that time on.
    """
    is_before = Q(pk__lt=first_identifier(before)) if before is not None else Q()
    rows = model.objects.filter(is_before)
    keys = rows.order_by("-pk").values_list("pk", flat=True)
    bound = list(keys[MOST_ROWS - 1 : MOST_ROWS])
    return (is_before & Q(pk__gte=bound[0]), False) if bound else (is_before, True)


def certificates_with_sha1(
    sha1: str, *, walks_everything: bool = False
) -> tuple[list[uuid.UUID], bool]:
    """Return the certificates with this SHA-1, and whether every certificate was compared."""
    for number, (key, der) in enumerate(_newest_first()):
        if number == MOST_ROWS and not walks_everything:
            return [], False
        if hashlib.sha1(der, usedforsecurity=False).hexdigest() == sha1:
            return [key], True
    return [], True


def _newest_first() -> Iterator[tuple[uuid.UUID, bytes]]:
    """Yield key and DER of every certificate. Each part is one look along the primary key."""
    rows = IssuedCertificate.objects.exclude(der=None).order_by("-pk")
    part = list(rows.values_list("pk", "der")[:_AT_ONCE])
    while part:
        yield from ((key, bytes(der)) for key, der in part if der is not None)
        last = part[-1][0]
        part = list(rows.filter(pk__lt=last).values_list("pk", "der")[:_AT_ONCE])
