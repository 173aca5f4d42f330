"""Run the doctor's checks. Nothing is changed."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.db import DatabaseError, InterfaceError

from estserver.operations.report_rows import Row
from estserver.tools.doctor.checks import Check, Diagnosis
from estserver.tools.doctor.registry import CHECKS
from pki.exceptions import PKIError
from pki.operators.errors import OperatorError, remote_failure

OUT_OF_ORDER = (DatabaseError, InterfaceError)

_KEPT_SECONDS = 30.0
_kept: tuple[float, tuple[Diagnosis, ...]] | None = None
"""When the summary's checks ran last in this process, and what they found."""


@dataclass(frozen=True, slots=True)
class Summary:
    """How many lines are OK, WARN and FAIL, and those that are not OK."""

    ok: int
    warnings: int
    failures: int
    worst: tuple[Diagnosis, ...]


def examine(checks: Iterable[Check] = CHECKS, *, with_others: bool = True) -> Iterator[Diagnosis]:
    """Yield the lines of each check as it ends.

    ``with_others`` says whether signers and AWS are asked. A database that does not answer is one
    line, and the checks that need it are left out after that.
    """
    is_database_out = False
    for check in checks:
        if check.asks_others and not with_others:
            continue
        if check.needs_database and is_database_out:
            row = Row(check.name, "WARN", "Not looked at, because the database does not answer.")
            yield Diagnosis.of(check, row)
            continue
        try:
            yield from [Diagnosis.of(check, row) for row in check.look()]
        except OUT_OF_ORDER as error:
            is_database_out = True
            yield Diagnosis.of(check, _of_database(check, error), is_remote=True)
        except (OperatorError, PKIError) as error:
            is_remote = remote_failure(error) is not None
            advice = error.reason.advice if isinstance(error, PKIError) else ""
            row = Row(check.name, "FAIL", str(error), advice)
            yield Diagnosis.of(check, row, is_remote=is_remote)


def _of_database(check: Check, error: Exception) -> Row:
    said = str(error).strip().partition("\n")[0].rstrip(".")
    return Row(
        check.name,
        "FAIL",
        f"The database cannot be used: {said}.",
        "See databaseUrl, and whether manage.py migrate has run.",
    )


def summary() -> Summary:
    """Return what the overview shows: the checks that cost little, from the last half minute."""
    global _kept  # a cache of one value; replaced whole, never changed
    now = time.monotonic()
    kept = _kept
    if kept is None or now - kept[0] >= _KEPT_SECONDS:
        cheap = [check for check in CHECKS if check.is_in_summary]
        kept = _kept = (now, tuple(examine(cheap, with_others=False)))
    return summary_of(kept[1])


def summary_of(found: Sequence[Diagnosis]) -> Summary:
    """Return how many lines there are of each level, and those that are not OK, worst first."""
    failed = [one for one in found if one.level == "FAIL"]
    warned = [one for one in found if one.level == "WARN"]
    ok = len(found) - len(failed) - len(warned)
    return Summary(ok, len(warned), len(failed), (*failed, *warned))


def forget() -> None:
    """Drop the kept summary, as when the database was replaced."""
    global _kept
    _kept = None
