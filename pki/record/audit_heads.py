"""The ends of the audit trail's chains, to be kept where the server cannot change them.

A chain shows what was changed or taken away before another row. It cannot show that rows are gone
from its end. The heads that were written down earlier can: each says how many rows a chain had, and
the hash of the last of them, which covers all rows before it.

Heads are not signed. A CA's key signs certificates and CRLs, and nothing else.
"""

import datetime
import json
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from pki.models import AuditEvent, hot_path_sql
from pki.operators.errors import OperatorError

HEADS = "audit_heads"
"""The key under which heads are in a log line and in a stored object."""

_HASH_DIGITS = 64

_HEADS_SQL = (
    "SELECT event.chain, ends.number, event.hash FROM pki_auditevent AS event JOIN "
    "(SELECT chain, MAX(position) AS last, COUNT(*) AS number FROM pki_auditevent GROUP BY chain) "
    "AS ends ON event.chain = ends.chain AND event.position = ends.last "
    "ORDER BY event.at DESC, event.chain"
)


@dataclass(frozen=True, slots=True)
class ChainHead:
    """How many rows a chain had, and the hash of the last one."""

    chain: uuid.UUID
    rows: int
    hash: str


def chain_heads() -> list[ChainHead]:
    """Return the heads of all chains, that of the newest row first."""
    found = hot_path_sql.fetch_values(_HEADS_SQL, [])
    return [ChainHead(uuid.UUID(str(chain)), int(rows), digest) for chain, rows, digest in found]


def heads_report(heads: Iterable[ChainHead], *, most: int | None = None) -> dict[str, Any]:
    """Return heads and counts in the form in which they are logged and stored: a JSON object.

    ``most`` limits how many chains are listed, because a log line has a limit. Those with the
    newest rows are listed. The counts are of all chains.
    """
    every = list(heads)
    return {
        HEADS: {
            "at": timezone.now().astimezone(datetime.UTC).isoformat(timespec="seconds"),
            "chains": len(every),
            "rows": sum(head.rows for head in every),
            "heads": {str(head.chain): [head.rows, head.hash] for head in every[:most]},
        }
    }


@dataclass(frozen=True, slots=True)
class WrittenHeads:
    """Heads that were written down at some time, in one log line or one object."""

    at: str
    chains: int
    rows: int
    heads: tuple[ChainHead, ...]


def read_heads(text: str) -> list[WrittenHeads]:
    """Return the heads in ``text``: a stored object, or a log with lines that have heads.

    Lines without heads are passed over. Raises ``OperatorError`` when there are no heads in it, or
    some that cannot be read.
    """
    found = [_written(said) for said in _reports(text)]
    if not found:
        raise OperatorError(
            f"The file has no heads of the audit trail. It must be a stored object, or a log with "
            f"lines that have {HEADS!r}."
        )
    return found


def _reports(text: str) -> Iterator[Any]:
    # An object may have been written with line breaks by somebody's tool.
    for part in (text, *text.splitlines()):
        if HEADS not in part:
            continue
        try:
            said = json.loads(part[part.index("{") :])  # what a log's transport put before it
        except ValueError:
            continue
        if isinstance(said, dict) and HEADS in said:
            yield said[HEADS]
            if part is text:
                return


def _written(said: Any) -> WrittenHeads:
    try:
        heads = tuple(
            ChainHead(uuid.UUID(chain), int(rows), str(digest))
            for chain, (rows, digest) in said["heads"].items()
        )
        written = WrittenHeads(str(said["at"]), int(said["chains"]), int(said["rows"]), heads)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise OperatorError(
            "The file has heads of the audit trail that cannot be read. Take it as it was logged "
            "or stored."
        ) from error
    if any(head.rows < 1 or len(head.hash) != _HASH_DIGITS for head in heads):
        raise OperatorError(
            "The file has a head of the audit trail without rows or hash. Take it as it was logged "
            "or stored."
        )
    return written


def compare_heads(written: Iterable[WrittenHeads]) -> list[str]:
    """Return what the trail lacks of the heads that were written down, in phrases. Empty: nothing.

    Reads no row but the heads', so call ``audit_trail.verify`` too, which shows that they cover
    the rows before them.
    """
    every = list(written)
    problems = []
    # Step 1: the counts, which cover chains that a log line did not list.
    totals = chain_heads()
    chains, rows = len(totals), sum(head.rows for head in totals)
    for each in every:
        if chains < each.chains or rows < each.rows:
            problems.append(
                f"it has {rows} rows in {chains} chains, and had {each.rows} in {each.chains} "
                f"at {each.at}"
            )
    # Step 2: each head, once.
    heads = {head: each.at for each in reversed(every) for head in each.heads}
    for chain, of_chain in _by_chain(heads).items():
        positions = [head.rows - 1 for head in of_chain]
        found = AuditEvent.objects.filter(chain=chain, position__in=positions).order_by()
        hashes: Mapping[int, str] = dict(found.values_list("position", "hash"))
        for head in of_chain:
            digest = hashes.get(head.rows - 1)
            if digest is None:
                problems.append(
                    f"row {head.rows - 1} of chain {chain} is missing, which was there at "
                    f"{heads[head]}"
                )
            elif digest != head.hash:
                problems.append(
                    f"row {head.rows - 1} of chain {chain} is not the row that was there at "
                    f"{heads[head]}"
                )
    return problems


def _by_chain(heads: Iterable[ChainHead]) -> dict[uuid.UUID, list[ChainHead]]:
    chains: dict[uuid.UUID, list[ChainHead]] = defaultdict(list)
    for head in heads:
        chains[head.chain].append(head)
    return chains
