"""Where the time of a test run goes: seconds by folder, from the report that pytest writes.

make test ARGS='--junitxml=report.xml' WORKERS=auto
python -m tests.support.durations report.xml
"""

import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

SHORT = 0.2
"""Seconds of a test that is over at once."""


def folder_of(class_name: str) -> str:
    """Return where a test is: its file below tests/, or the first two folders there."""
    parts = class_name.split(".")[1:]
    return "/".join(parts[: 2 if len(parts) > 2 else 1])


def lines(report: Path) -> list[str]:
    """Return the table of a report, with what takes longest first."""
    seconds: Counter[str] = Counter()
    tests: Counter[str] = Counter()
    short = []
    for case in ElementTree.parse(report).iter("testcase"):
        folder, took = folder_of(case.attrib["classname"]), float(case.attrib["time"])
        seconds[folder] += took
        tests[folder] += 1
        short += [took] if took < SHORT else []
    table = [
        f"{took:7.0f} s {tests[folder]:6} tests  {folder}" for folder, took in seconds.most_common()
    ]
    return [
        *table,
        f"{seconds.total():7.0f} s {tests.total():6} tests",
        f"{sum(short):7.0f} s {len(short):6} tests of less than {SHORT} s each",
    ]


if __name__ == "__main__":
    print("\n".join(lines(Path(sys.argv[1]))))  # noqa: T201 - its output
