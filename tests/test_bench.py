"""The benchmark runs, and everything it measures is answered. How fast isn't for tests to say."""

import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[1]


def test_bench_measures_every_row_and_no_request_fails(tmp_path):
    figures = tmp_path / "figures.json"
    size = ["--rounds=1", "--requests=6", "--certificates=300", "--growth=20,40"]
    docs = ["--write-docs", f"--docs={tmp_path}"]

    done = subprocess.run(
        [sys.executable, "-m", "bench", *size, *docs, f"--json={figures}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,  # a machine that does other things is slow, and that is no failure
    )

    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(figures.read_text())
    by_signer = [row for row in document["rows"] if row["place"].endswith("device CA's key")]
    grown = [row for row in document["rows"] if row["place"].endswith("as the database grows")]
    sqlite_rows = [
        row
        for row in document["rows"]
        if "PostgreSQL" not in row["what"] and row not in by_signer + grown
    ]
    assert {(row["place"].split()[0], row["what"], row["database"]) for row in sqlite_rows} == {
        (place, what, database)
        for place in ("in", "over")
        for what in ("simpleenroll P-256", "simpleenroll RSA-2048", "cacerts")
        for database in ("empty", "300 certificates")
    }
    for row in document["rows"]:
        assert [report["requests"] for report in row["reports"]] == [6]
        assert row["failed"] == 0
    assert {(row["what"], row["database"]) for row in by_signer} == {
        (what, signer)
        for what in ("simpleenroll P-256", "cacerts")
        for signer in ("keyfile", "secretsmanager", "kms")
    }
    calls = {
        (row["what"], row["database"]): sum(report["aws_calls"] for report in row["reports"])
        for row in by_signer
    }
    assert calls.pop(("simpleenroll P-256", "kms")) == 6  # one a signature
    assert set(calls.values()) == {0}
    assert [row["database"] for row in grown] == ["20 certificates", "40 certificates"]
    assert len(document["full_by_empty"]) == 6 + 1
    assert ("simpleenroll P-256 on PostgreSQL" in done.stdout) != (
        "PostgreSQL wasn't measured" in done.stdout
    )
    check_page(tmp_path, has_postgresql="PostgreSQL wasn't measured" not in done.stdout)


def check_page(docs, *, has_postgresql):
    page = (docs / "performance.md").read_text()
    pictures = {path.name for path in (docs / "pictures").iterdir()}
    expected = {"bench-rate.svg", "bench-cpu.svg", "bench-p99.svg", "bench-growth.svg"}
    if has_postgresql:
        expected.add("bench-round-trips.svg")
        for count in ("1 process", "2 processes", "4 processes"):
            assert re.search(rf"- {count}: .* ms of the server's CPU and .* of PostgreSQL's", page)
    assert pictures == expected
    assert all(f"](pictures/{name})" in page for name in pictures)
    assert "python -m bench --rounds=1" in page
    for name in pictures:
        ElementTree.parse(docs / "pictures" / name)


@pytest.mark.deploy
def test_cold_starts_are_measured_and_answered(tmp_path):
    figures = tmp_path / "cold.json"

    done = subprocess.run(
        [sys.executable, "-m", "bench.cold_start", "--rounds=1", f"--json={figures}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=400,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(figures.read_text())
    assert set(document["ratio"]) >= {"plain function, a signature", "cacerts", "simpleenroll"}
    databases = {what.partition(" on ")[2] for what in document["ratio"]}
    assert databases in ({""}, {"", "PostgreSQL", "Aurora DSQL"})  # PostgreSQL plays both
    for starts in document["starts"].values():
        assert [start["import_ms"] > 0 and start["request_ms"] > 0 for start in starts] == [True]
