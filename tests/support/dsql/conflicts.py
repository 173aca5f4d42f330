"""Optimistic conflicts: which transactions meet another one, by a plan and by what others wrote."""

import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.support.dsql.refusals import DATA_CONFLICT, SCHEMA_CONFLICT
from tests.support.dsql.transaction import Transaction


@dataclass
class Plan:
    """How often a conflict is injected, as probabilities. The seed makes a run's choices.

    ``commit`` is OC000 where a transaction that wrote commits, ``single`` the same for a statement
    outside of BEGIN. ``statement`` is OC001 at a statement between BEGIN and COMMIT, as after a
    change of the schema. ``next_commits`` and ``next_statements`` fail whatever the probabilities.
    With ``begins_with`` nothing is injected before a transaction commits what it wrote to a table
    of this prefix: Django's own transactions of `migrate` do not start over.
    """

    commit: float = 0
    single: float = 0
    statement: float = 0
    seed: int = 1
    begins_with: str = ""
    next_commits: int = 0
    next_statements: int = 0
    injected: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        """Make the generator of the plan's choices."""
        self._random = random.Random(self.seed)
        self._lock = threading.Lock()
        self._has_begun = not self.begins_with

    def at_commit(self, transaction: Transaction) -> None:
        """Raise Refusal if the plan lets this commit meet another transaction."""
        self._commit(transaction, self.commit)

    def at_single_commit(self, transaction: Transaction) -> None:
        """Raise Refusal if the plan lets the commit of a single statement meet another one."""
        self._commit(transaction, self.single)

    def _commit(self, transaction: Transaction, share: float) -> None:
        if not transaction.written:  # a transaction that only reads never conflicts (CONCURRENCY)
            return
        with self._lock:
            if any(table.startswith(self.begins_with) for table in transaction.written):
                self._has_begun = True
            if self.next_commits:
                self.next_commits -= 1
            elif not self._decides(share):
                return
            self.injected += 1
        raise DATA_CONFLICT

    def at_statement(self, transaction: Transaction) -> None:
        """Raise Refusal if the plan lets this statement find a changed schema."""
        share = self.statement if transaction.is_explicit else 0
        with self._lock:
            if self.next_statements:
                self.next_statements -= 1
            elif not self._decides(share):
                return
            self.injected += 1
        raise SCHEMA_CONFLICT

    def _decides(self, share: float) -> bool:
        return self._has_begun and share > 0 and self._random.random() < share


class Commits:
    """When each table was last written to, counted in commits of the whole cluster."""

    def __init__(self) -> None:
        """Begin with no commit."""
        self._lock = threading.Lock()
        self._count = 0
        self._last: dict[str, int] = {}
        self._committing: Counter[str] = Counter()

    def now(self) -> int:
        """Return the number of the last commit, which a snapshot that is taken now can see."""
        with self._lock:
            return self._count

    @contextmanager
    def committing(self, written: set[str]) -> Iterator[None]:
        """Count a commit that writes to these tables, while it lasts and from then on."""
        if not written:
            yield
            return
        with self._lock:
            self._committing.update(written)
        try:
            yield
        finally:
            with self._lock:
                self._count += 1
                self._last.update(dict.fromkeys(written, self._count))
                self._committing.subtract(written)

    def wrote_since(self, transaction: Transaction) -> bool:
        """Return whether another transaction wrote, after the snapshot, to a table of this one.

        A unique violation then may be with a row that the snapshot does not have. Aurora DSQL finds
        such a row at commit, as a conflict, where PostgreSQL finds it at the statement.
        """
        with self._lock:
            return any(
                self._committing[table] or self._last.get(table, 0) > transaction.snapshot
                for table in transaction.written
            )
