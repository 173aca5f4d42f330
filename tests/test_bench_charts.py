"""The bench's charts and page: what they say, and that a page keeps what is not the bench's."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from bench import document, parts, table
from bench.charts import Bar, Chart, svg
from bench.load import Report
from bench.table import Row

SVG = "{http://www.w3.org/2000/svg}"
CHART = Chart(
    "Rate <of> requests",
    "a second",
    {"here & there": [Bar("one", 50, 40, 60), Bar("two", 100, 90, 120)]},
)
REPORT = Report(
    requests=10,
    failed=0,
    seconds=1,
    per_second=400,
    p50=1,
    p95=2,
    p99=3,
    server_cpu=3.0,
    client_cpu=1.0,
    errors={},
    cpu_by_process=(3.0,),
)


def row(place=parts.MUTUAL_TLS, database="empty", **changed):
    return Row(place, "simpleenroll P-256", database, [replace(REPORT, **changed)], [0.5])


def test_a_chart_says_its_figures_to_those_who_cannot_see_it():
    drawn = ElementTree.fromstring(svg(CHART))

    assert drawn.attrib["role"] == "img"
    assert drawn.attrib["aria-labelledby"].split() == ["title", "desc"]
    assert drawn.findtext(f"{SVG}title") == "Rate <of> requests"
    assert drawn.findtext(f"{SVG}desc") == "here & there: one, 50 a second; two, 100 a second."


def test_bars_are_as_long_as_their_figures_and_inside_the_picture():
    drawn = ElementTree.fromstring(svg(CHART))

    widths = [float(bar.attrib["width"]) for bar in drawn.iterfind(f"{SVG}rect[@class='bar']")]
    ends = [float(line.attrib["x2"]) for line in drawn.iterfind(f"{SVG}line")]
    assert widths[1] == pytest.approx(2 * widths[0], abs=0.2)
    assert max(ends) < float(drawn.attrib["viewBox"].split()[2])


def test_a_chart_follows_the_readers_light_or_dark():
    assert "@media (prefers-color-scheme: dark)" in svg(CHART)


def test_the_page_keeps_what_stands_around_the_figures(tmp_path):
    page = tmp_path / "performance.md"
    page.write_text(f"# Mine\n\n{document.BEGIN}\nold figures\n{document.END}\n\n## Also mine\n")

    document.write([row()], [("renewal", 4, 45.0)], [], command="bench --x", docs=tmp_path)
    document.write([row()], [], ["a note"], command="bench --y", docs=tmp_path)

    text = page.read_text()
    assert text.startswith("# Mine\n")
    assert text.endswith("\n## Also mine\n")
    assert "old figures" not in text
    assert "--x" not in text
    assert "bench --y" in text
    assert "a note" in text
    assert "| simpleenroll P-256, empty | 3.00 (3.00 - 3.00) |" in text


def test_a_page_without_a_place_for_figures_is_left_alone(tmp_path):
    page = tmp_path / "performance.md"
    page.write_text("# Mine\n")

    with pytest.raises(ValueError, match="has no lines"):
        document.write([row()], [], [], command="bench", docs=tmp_path)
    assert page.read_text() == "# Mine\n"


@pytest.mark.parametrize(
    ("database", "cores_by_process", "clients", "machine", "limit"),
    [
        ("1 process", (0.95, 0.3), 0.2, 1.6, "the server's processes are busy"),
        ("2 processes", (0.95, 0.3), 0.2, 1.6, "nothing is busy all the time"),
        ("2 processes", (1.0, 0.5), 0.45, 2.0, "all 2 cores are busy"),
        ("2 processes", (0.6, 0.3), 0.2, 2.0, "other work took 0.90 cores"),
    ],
)
def test_what_saturates_is_said(monkeypatch, database, cores_by_process, clients, machine, limit):
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 1})
    per_ms = 1000 / REPORT.per_second
    busy = row(
        parts.ON_POSTGRESQL,
        database,
        cpu_by_process=tuple(cores * per_ms for cores in cores_by_process),
        client_cpu=clients * per_ms,
        machine_busy=machine,
    )

    (line,) = table.busy_lines([busy])

    assert line.startswith(f"{database}: ")
    assert limit in line
    assert table.busy_lines([row(cpu_by_process=(3.0,))]) == []
