"""The figures as a table for people, and as JSON for programs."""

import os
import platform
import ssl
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import Any

from bench.load import Report

BY_SIGNER = "in process, by the signer that has the device CA's key"
NEARLY, FEW = 0.9, 0.2
"""The share of what there is that counts as all of it, and the share that others may take."""


@dataclass(frozen=True)
class Row:
    """One thing that is measured, and what came out in each round."""

    place: str
    """In process or over mutual TLS."""
    what: str
    """The operation, and the kind of key."""
    database: str
    reports: list[Report] = field(default_factory=list)
    references: list[float] = field(default_factory=list)
    """Milliseconds of CPU that the reference took just before each report."""

    @property
    def failed(self) -> int:
        """How many requests weren't answered with 2xx, in all rounds."""
        return sum(report.failed for report in self.reports)

    @property
    def aws_calls(self) -> float:
        """Calls to AWS a request, over all rounds."""
        requests = sum(report.requests for report in self.reports)
        return sum(report.aws_calls for report in self.reports) / max(requests, 1)

    @property
    def cpu(self) -> list[float]:
        """Milliseconds of server CPU a request, by round."""
        return [report.server_cpu or float("nan") for report in self.reports]

    @property
    def multiples(self) -> list[float]:
        """The same in units of the reference."""
        return [cpu / one for cpu, one in zip(self.cpu, self.references, strict=True)]


def machine() -> dict[str, str]:
    """What figures depend on; nothing that tells whose machine it is."""
    return {
        "cores": str(len(os.sched_getaffinity(0))),
        "machine": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        "OpenSSL": ssl.OPENSSL_VERSION.split()[1],
        **{name: version(name) for name in ("cryptography", "Django", "gunicorn")},
    }


HEADS = ["CPU ms/request", "x reference", "requests/s", "p50 ms", "p95 ms", "p99 ms", "failed"]


def lines(rows: Sequence[Row], *, notes: Iterable[str]) -> list[str]:
    """The table: medians of the rounds, with the least and the most."""
    references = [one for row in rows for one in row.references]
    about = ", ".join(f"{name} {value}" for name, value in machine().items())
    table = [["", *HEADS]]
    for place in dict.fromkeys(row.place for row in rows):
        table.append([place])
        table += [["  " + cells[0], *cells[1:]] for cells in _cells_at(rows, place)]
    table.append(["a larger database, by the smallest one (CPU)"])
    table += [["  " + name, spread] for name, spread in _growths(rows)]
    return [
        about,
        *_reference_line(references),
        "median (least - most) of the rounds",
        "",
        *_aligned(table),
        "",
        *_aws_lines(rows),
        *busy_lines(rows),
        *notes,
    ]


def markdown(rows: Sequence[Row]) -> list[str]:
    """The same for a page: a table for each place, and what follows from them."""
    found = []
    for place in dict.fromkeys(row.place for row in rows):
        found += [_cells_line([place, *HEADS]), _cells_line(["---"] * (1 + len(HEADS)))]
        found += [*map(_cells_line, _cells_at(rows, place)), ""]
    if growths := _growths(rows):
        found += [_cells_line(["A larger database, by the smallest one", "CPU"])]
        found += [_cells_line(["---"] * 2), *map(_cells_line, growths), ""]
    return [*found, *(f"- {line}" for line in [*_aws_lines(rows), *busy_lines(rows)])]


def waits_markdown(waits: Iterable[tuple[str, int, float]]) -> list[str]:
    """How often requests wait for PostgreSQL, as a table for a page."""
    found = [_cells_line(["Request", "Round trips", "ms, with 2 ms each way"])]
    found.append(_cells_line(["---"] * 3))
    return found + [_cells_line([name, str(trips), str(ms)]) for name, trips, ms in waits]


def busy_lines(rows: Iterable[Row]) -> list[str]:
    """What kept the cores busy where a database server took part, and what there was no more of."""
    return [_busy(row) for row in rows if any(len(r.cpu_by_process) == 2 for r in row.reports)]


def _busy(row: Row) -> str:
    server = statistics.median(report.busy_by_process[0] for report in row.reports)
    database = statistics.median(report.busy_by_process[1] for report in row.reports)
    clients = statistics.median(report.busy_clients for report in row.reports)
    cpu = statistics.median(report.cpu_by_process[0] for report in row.reports)
    database_cpu = statistics.median(report.cpu_by_process[1] for report in row.reports)
    cores = len(os.sched_getaffinity(0))
    processes = int(row.database.split()[0])
    others = statistics.median(r.machine_busy for r in row.reports) - server - database - clients
    if others >= FEW * cores:
        limit = f"other work took {others:.2f} cores, so this says nothing: measure again"
    elif server + database + clients >= NEARLY * cores:
        limit = f"all {cores} cores are busy"
    elif server >= NEARLY * processes:
        limit = "the server's processes are busy: each computes on one core at a time"
    else:
        limit = "nothing is busy all the time: requests wait for the database and one another"
    return (
        f"{row.database}: {cpu:.2f} ms of the server's CPU and {database_cpu:.2f} of PostgreSQL's "
        f"a request; cores busy: server {server:.2f}, PostgreSQL {database:.2f}, clients "
        f"{clients:.2f} of {cores}; {limit}"
    )


def _aws_lines(rows: Sequence[Row]) -> list[str]:
    """How many calls to AWS a request takes, where there is any AWS."""
    return [
        f"AWS calls a request, {row.what}, {row.database}: {row.aws_calls:.2f}"
        for row in rows
        if row.place == BY_SIGNER
    ]


def document(rows: Sequence[Row], *, notes: Iterable[str]) -> dict[str, Any]:
    """Everything that was measured, for JSON."""
    return {
        "machine": machine(),
        "notes": list(notes),
        "rows": [
            asdict(row) | {"cpu_ms": statistics.median(row.cpu), "failed": row.failed}
            for row in rows
        ],
        "full_by_empty": {
            f"{full.place}, {full.what}, {full.database}": _by(full, empty)
            for empty, full in _pairs(rows)
        },
    }


def _reference_line(references: Sequence[float]) -> list[str]:
    what = "reference (the cryptography of one issuance and one durable SQLite commit)"
    return [f"{what}: {_spread(references)} ms CPU"] if references else []


def _cells_line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells_at(rows: Iterable[Row], place: str) -> list[list[str]]:
    return [_cells(row) for row in rows if row.place == place]


def _growths(rows: Sequence[Row]) -> list[list[str]]:
    return [
        [f"{full.place}, {full.what}, {full.database}", _spread(_by(full, empty))]
        for empty, full in _pairs(rows)
    ]


def _cells(row: Row) -> list[str]:
    return [
        f"{row.what}, {row.database}",
        _spread(row.cpu),
        _spread(row.multiples),
        _spread([report.per_second for report in row.reports], digits=0),
        *(
            f"{statistics.median(values):.1f}"
            for values in zip(*((r.p50, r.p95, r.p99) for r in row.reports), strict=True)
        ),
        str(row.failed),
    ]


def _pairs(rows: Sequence[Row]) -> list[tuple[Row, Row]]:
    """Rows that differ in the size of the database alone, the smallest first."""
    seen: dict[tuple[str, str], Row] = {}
    pairs = []
    for row in rows:
        first = seen.setdefault((row.place, row.what), row)
        if first is not row and row.database.endswith(" certificates"):
            pairs.append((first, row))
    return pairs


def _by(full: Row, empty: Row) -> list[float]:
    return [one / other for one, other in zip(full.cpu, empty.cpu, strict=True)]


def _spread(values: Sequence[float], *, digits: int = 2) -> str:
    middle, least, most = statistics.median(values), min(values), max(values)
    return f"{middle:.{digits}f} ({least:.{digits}f} - {most:.{digits}f})"


def _aligned(table: Sequence[Sequence[str]]) -> list[str]:
    """The first column to the left, figures to the right."""
    columns = max(map(len, table))
    widths = [max(len(row[n]) for row in table if len(row) > n) for n in range(columns)]
    return [
        "  ".join(
            cell.ljust(width) if number == 0 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=False))
        ).rstrip()
        for row in table
    ]
