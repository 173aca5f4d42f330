"""``Idempotency-Key``: a request that is sent again gets the first answer, and nothing runs again.

The row of the key is committed before the effect begins, and the answer after it. What the services
write is committed by themselves, so the three cannot be one transaction. When the process dies in
between, the row stays without an answer. A repeated request is then refused, and says that the
outcome is not known, because to run it again might do it twice.
https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

import hashlib
import json
from typing import Any, Final

from django.http import HttpResponse
from django.utils import timezone

from estserver.api.problems import APIRefusal, EarlierAnswer
from estserver.api.reasons import APIReason
from estserver.models import IdempotencyKey
from estserver.operations.idempotency_keys import KEPT
from pki.record.transactions import in_write_transaction

REPLAYED: Final = "Idempotency-Replayed"
_LONGEST: Final = 255


def key_of(request: Any, token: Any) -> tuple[str, str] | None:
    """Return the stored key of a request and its digest; ``None`` without the header.

    A key is the token's own, so no one learns another's answer. Raises ``APIRefusal`` for a key
    that is empty, too long or not visible ASCII.
    """
    given = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if given is None:
        return None
    if not (given.strip() and len(given) <= _LONGEST and given.isascii() and given.isprintable()):
        message = f"Found {len(given)} characters. Use 1 to {_LONGEST} visible ASCII characters."
        errors = [{"field": "Idempotency-Key", "message": message}]
        raise APIRefusal(APIReason.INPUT_INVALID, errors=errors)
    said = f"{request.method} {request.get_full_path()}\n".encode() + request.body
    return _sha256(f"{token.pk}\n{given}".encode()), _sha256(said)


def answer_again(key: str, digest: str) -> None:
    """Raise ``EarlierAnswer`` for a repeated request, or ``APIRefusal`` if it cannot be one."""
    _raise_for(_row(key), digest)


def begin(key: str, digest: str) -> IdempotencyKey:
    """Put the key on record before the effect begins. Raises as ``answer_again`` does."""

    def write() -> tuple[IdempotencyKey, bool]:
        row = _row(key)
        if row is not None and row.created_at > timezone.now() - KEPT:
            return row, False
        IdempotencyKey.objects.filter(key=key).delete()
        return IdempotencyKey.objects.create(key=key, request_sha256=digest), True

    row, is_new = in_write_transaction(write)
    if not is_new:
        _raise_for(row, digest)
    return row


def finish(row: IdempotencyKey, response: HttpResponse) -> None:
    """Put the answer on record."""
    kept = IdempotencyKey.objects.filter(pk=row.pk)
    answer = json.loads(response.content) if response.content else None
    media_type = response.headers.get("Content-Type", "")

    def write() -> None:
        kept.update(status=response.status_code, answer=answer, media_type=media_type)

    in_write_transaction(write)


def _row(key: str) -> IdempotencyKey | None:
    return IdempotencyKey.objects.filter(key=key).first()


def _raise_for(row: IdempotencyKey | None, digest: str) -> None:
    if row is None or row.created_at <= timezone.now() - KEPT:
        return
    if row.request_sha256 != digest:
        raise APIRefusal(APIReason.KEY_REUSED)
    if row.status is None:
        raise APIRefusal(APIReason.UNDER_WAY)
    raise EarlierAnswer(
        HttpResponse(
            json.dumps(row.answer) if row.answer is not None else b"",
            status=row.status,
            content_type=row.media_type,
            headers={REPLAYED: "true"},
        )
    )


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
