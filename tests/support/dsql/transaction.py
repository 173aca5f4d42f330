"""A session's transaction, and the limits that Aurora DSQL sets to each."""

import time
from dataclasses import dataclass, field

from tests.support.dsql.refusals import (
    AGE,
    COLUMN,
    DDL_BESIDE_DML,
    ROWS,
    SECOND_DDL,
    SIZE,
)
from tests.support.dsql.statements import Kind, Statement


@dataclass(frozen=True)
class Limits:
    """Limits of a transaction, and of a connection's age in seconds.

    https://docs.aws.amazon.com/aurora-dsql/latest/userguide/CHAP_quotas.html
    """

    rows: int = 3_000
    size: int = 10 * 1024 * 1024
    column: int = 1024 * 1024
    transaction_seconds: float = 300
    connection_seconds: float = 3_600


@dataclass
class Transaction:
    """What a transaction has done so far. Outside of BEGIN each statement is one of its own."""

    limits: Limits
    is_explicit: bool = False
    snapshot: int = 0
    """The number of the last commit that it can see."""
    started: float = field(default_factory=time.monotonic)
    rows: int = 0
    size: int = 0
    written: set[str] = field(default_factory=set)
    has_ddl: bool = False

    def check(self, statement: Statement) -> None:
        """Raise Refusal if this statement may not follow what the transaction has done."""
        if time.monotonic() - self.started > self.limits.transaction_seconds:
            raise AGE
        if statement.kind in {Kind.DDL, Kind.ASYNC_INDEX, Kind.ASYNC_VALIDATION, Kind.IAM_GRANT}:
            if self.has_ddl:
                raise SECOND_DDL
            if self.written:
                raise DDL_BESIDE_DML
            self.has_ddl = True
        elif statement.kind is Kind.WRITE:
            if self.has_ddl:
                raise DDL_BESIDE_DML
            self.written.add(statement.table)

    def add_size(self, size: int) -> None:
        """Count the bytes of a write: its text or its parameters. Raises Refusal over the limit."""
        self.size += size
        if self.size > self.limits.size:
            raise SIZE

    def check_values(self, values: list[bytes]) -> None:
        """Raise Refusal for a value that is larger than a column may be."""
        if any(len(value) > self.limits.column for value in values):
            raise COLUMN

    def add_rows(self, tag: str) -> None:
        """Count the rows in a tag of CommandComplete. Raises Refusal over the limit."""
        name, *numbers = tag.split()
        if name in {"INSERT", "UPDATE", "DELETE"}:
            self.rows += int(numbers[-1])
        if self.rows > self.limits.rows:
            raise ROWS
