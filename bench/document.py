"""The figures in docs/performance.md: tables and charts between two marks, rewritten as a whole."""

import datetime
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import charts, parts, table
from bench.charts import Bar, Chart
from bench.table import Row

DOCS = Path(__file__).parents[1] / "docs"
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
NEW_PAGE = f"# Performance\n\n## What `make bench` printed\n\n{BEGIN}\n{END}\n"

Waits = Sequence[tuple[str, int, float]]


def write(
    rows: Sequence[Row], waits: Waits, notes: Sequence[str], *, command: str, docs: Path = DOCS
) -> list[Path]:
    """Write what was measured into the page and its pictures; return the files.

    What was not measured this time leaves the page, because a date stands above all of it.

    Raises:
        ValueError: the page has no marks, between which the figures belong.
    """
    page = docs / "performance.md"
    text = page.read_text(encoding="utf-8") if page.exists() else NEW_PAGE
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} has no lines {BEGIN} and {END}. Put them where figures belong.")
    written = [page]
    sections = [_about(command), "", *table.markdown(rows)]
    for name, chart in _charts(rows, waits).items():
        picture = docs / "pictures" / f"bench-{name}.svg"
        picture.parent.mkdir(exist_ok=True)
        picture.write_text(charts.svg(chart), encoding="utf-8")
        written.append(picture)
        sections += ["", f"![{chart.title}](pictures/{picture.name})"]
    if waits:
        sections += ["", *table.waits_markdown(waits)]
    sections += ["", *(f"{note}\n" for note in dict.fromkeys(notes))]
    body = "\n".join(sections).strip()
    page.write_text(f"{before}{BEGIN}\n\n{body}\n\n{END}{after}", encoding="utf-8")
    return written


def _about(command: str) -> str:
    today = datetime.datetime.now(datetime.UTC).date()
    about = ", ".join(f"{name} {value}" for name, value in table.machine().items())
    return f"`{command}`, {today}, {about}. Medians of the rounds, with the least and the most."


def _charts(rows: Sequence[Row], waits: Waits) -> dict[str, Chart]:
    """Return the charts for which there are figures, by the names of their files."""
    served = [
        row for row in rows if row.place in (parts.MUTUAL_TLS, parts.ON_POSTGRESQL, parts.BESIDE)
    ]
    grown = [row for row in rows if row.place == parts.GROWTH]
    found = {
        "rate": _chart("Requests a second, 8 clients", "a second", served, _rates),
        "cpu": _chart("CPU of the server for a request", "ms", _with_cpu(rows), _cpu, digits=2),
        "p99": _chart("99th percentile of the latency, 8 clients", "ms", served, _p99),
        "growth": _chart("CPU of an enrollment, as the database grows", "ms", grown, _cpu, 2),
    }
    if waits:
        bars = [Bar(name, trips, trips, trips) for name, trips, _ in waits]
        found["round-trips"] = Chart(
            "How often a request waits for PostgreSQL", "times", {"Round trips": bars}
        )
    return {name: chart for name, chart in found.items() if chart.groups}


def _chart(
    title: str,
    unit: str,
    rows: Sequence[Row],
    figures: Callable[[Row], Sequence[float]],
    digits: int = 0,
) -> Chart:
    groups: dict[str, list[Bar]] = {}
    for row in rows:
        values = figures(row)
        bar = Bar(
            f"{row.what}, {row.database}", statistics.median(values), min(values), max(values)
        )
        groups.setdefault(row.place, []).append(bar)
    return Chart(title, unit, groups, digits)


def _with_cpu(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row.place != parts.GROWTH]


def _rates(row: Row) -> list[float]:
    return [report.per_second for report in row.reports]


def _cpu(row: Row) -> list[float]:
    return row.cpu


def _p99(row: Row) -> list[float]:
    return [report.p99 for report in row.reports]
