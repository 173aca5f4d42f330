"""The audit trail: who did what, when and why, in hash chains that show any later change.

A single chain would make every enrollment wait for the one before it. So each thread of each
process writes a chain of its own: a random ``chain`` id, and positions 0, 1, 2 ..., where each row
has the hash of the row before it. The first row of a chain is also counted (``opening`` 1, 2, 3
...) and has the hash of the previous chain's first row, so the loss of a whole chain shows too.

Hash chains do not show the loss of rows at a chain's end, or of the chain opened last.
``audit_states`` and ``audit_heads`` do.
"""

import datetime
import hashlib
import json
import threading
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from django.utils import timezone

from pki.models import hot_path_sql
from pki.models.audit import AuditEvent
from pki.models.fields import new_identifier

GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class Actor:
    """The person, client or command that an event is attributed to."""

    name: str
    """``admin:alice``, ``command:root``, ``client:<fingerprint>``, ``system``."""
    request_id: str = ""
    source_ip: str | None = None

    @classmethod
    def client(cls, fingerprint: str, request_id: str, source_ip: str | None) -> Self:
        """Return the actor for an EST client, named by its certificate's fingerprint."""
        return cls(f"client:{fingerprint}", request_id, source_ip)


SYSTEM = Actor("system")


@dataclass(frozen=True, slots=True)
class Head:
    """The end of this thread's chain."""

    chain: uuid.UUID
    position: int
    hash: str


class _Thread(threading.local):
    head: Head | None = None


_thread = _Thread()


def head() -> Head | None:
    """Return the end of this thread's chain, or None before its first row."""
    return _thread.head


def restore(earlier: Head | None) -> None:
    """Go back to ``earlier``, after a rollback removed the rows since then."""
    _thread.head = earlier


def start_new_chain() -> None:
    """Let the next row open a new chain, when it is unknown what the database has of this one."""
    _thread.head = None


def record(
    action: str,
    *,
    actor: Actor,
    target: str,
    reason: str = "",
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """Add a row to the trail, in the caller's transaction (``pki.record.transactions``).

    ``before`` and ``after`` are JSON values. They must not be secret, because the trail is
    exported.
    """
    chain, position, opening, previous_hash = _next_place()
    columns = {
        "chain": chain,
        "position": position,
        "opening": opening,
        "at": timezone.now(),
        "action": action,
        "actor": actor.name[:200],
        "target": target[:200],
        "reason": reason[:500],
        "request_id": actor.request_id,
        "source_ip": _stored_address(actor.source_ip),
        "before": before,
        "after": after,
        "previous_hash": previous_hash,
    }
    digest = _hash(columns)
    hot_path_sql.insert_values(AuditEvent, {**columns, "id": new_identifier(), "hash": digest})
    _thread.head = Head(chain, position, digest)


def _next_place() -> tuple[uuid.UUID, int, int | None, str]:
    """Return chain, position, opening number and previous hash of this thread's next row."""
    last = _thread.head
    if last is not None:
        return last.chain, last.position + 1, None, last.hash
    newest = (
        AuditEvent.objects.exclude(opening=None)
        .order_by("-opening")
        .values_list("opening", "hash")
        .first()
    )
    number, previous_hash = newest or (0, GENESIS)
    return uuid.uuid4(), 0, (number or 0) + 1, previous_hash


def _stored_address(address: str | None) -> str | None:
    """Return an IP address as the database will return it, because the hash is over that text.

    IPv6 has many spellings, and PostgreSQL stores no zone ("%eth0", RFC 4007 11).
    """
    if address is None:
        return None
    field = AuditEvent._meta.get_field("source_ip")
    stored: str = field.get_prep_value(address.partition("%")[0])
    return stored


@dataclass(frozen=True, slots=True)
class Break:
    """The first row that does not fit the chain."""

    event: AuditEvent
    what: str


def verify() -> tuple[int, Break | None]:
    """Check every row, and return how many rows fit, and the first by time that does not."""
    breaks = []
    count = 0
    for event, what in _checked_rows():
        if what:
            breaks.append(Break(event, what))
        else:
            count += 1
    return count, min(breaks, key=lambda found: found.event.at, default=None)


def _checked_rows() -> Iterator[tuple[AuditEvent, str]]:
    """Yield each row with what is wrong with it, or "". One report a chain is enough."""
    # Step 1: the first rows of all chains, which are a chain themselves.
    openings = AuditEvent.objects.exclude(opening=None).order_by("opening")
    number, previous = 0, GENESIS
    opened: set[uuid.UUID] = set()
    for event in openings.iterator():
        what = ""
        if event.opening != number + 1:
            what = f"chain {number + 1} is missing before it"
        elif event.previous_hash != previous:
            what = "the chain opened before it was changed"
        if what:
            yield event, what
        number, previous = event.opening or 0, event.hash
        opened.add(event.chain)

    # Step 2: every row, chain by chain.
    chain, position, previous = None, 0, GENESIS
    for event in AuditEvent.objects.order_by("chain", "position").iterator():
        what = ""
        if event.chain != chain:
            chain, position, previous = event.chain, 0, event.previous_hash
            if event.chain not in opened:
                what = "its chain has no opening"
        if event.position != position:
            what = what or f"row {position} of its chain is missing before it"
        elif event.previous_hash != previous:
            what = what or "the row before it was changed"
        elif event.hash != hash_of(event):
            what = what or "its contents were changed"
        yield event, what
        position, previous = event.position + 1, event.hash


_HASHED = (
    "previous_hash",
    "chain",
    "position",
    "opening",
    "at",
    "action",
    "actor",
    "target",
    "reason",
    "request_id",
    "source_ip",
    "before",
    "after",
)


def _hash(columns: Mapping[str, Any]) -> str:
    """Return the SHA-256 over the row's columns and the hash before it."""
    values = [columns[name] for name in _HASHED]
    return hashlib.sha256(_canonical_json.encode(values).encode()).hexdigest()


def _plain(value: object) -> str:
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).isoformat(timespec="microseconds")
    return str(value)


_canonical_json = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=_plain
)


def hash_of(event: AuditEvent) -> str:
    """Return the hash that a row has if nobody changed it."""
    return _hash({name: getattr(event, name) for name in _HASHED})
