"""The benchmark runs, and everything it measures is answered. How fast isn't for tests to say."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_bench_measures_every_row_and_no_request_fails(tmp_path):
    figures = tmp_path / "figures.json"
    size = ["--rounds=1", "--requests=6", "--certificates=300"]

    done = subprocess.run(
        [sys.executable, "-m", "bench", *size, f"--json={figures}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,  # a machine that does other things is slow, and that is no failure
    )

    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(figures.read_text())
    by_signer = [row for row in document["rows"] if row["place"].endswith("device CA's key")]
    sqlite_rows = [
        row for row in document["rows"] if "PostgreSQL" not in row["what"] and row not in by_signer
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
    assert len(document["full_by_empty"]) == 6
    assert ("simpleenroll P-256 on PostgreSQL" in done.stdout) != (
        "PostgreSQL wasn't measured" in done.stdout
    )


def test_every_list_and_page_of_certificates_is_measured(tmp_path):
    figures = tmp_path / "pages.json"
    what = ["--certificates=200", "--rounds=1", "--only=pki.issuedcertificate"]

    done = subprocess.run(
        [sys.executable, "-m", "bench.pages", *what, f"--json={figures}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
    )

    (measured,) = json.loads(figures.read_text())
    by_name = {one["what"]: one for one in measured["pages"]}
    assert {
        "list", "page 2", "sort not_after_shown", "sort -not_after_shown",
        "filter status: Revoked", "search serial in decimal", "search no match", "change of row",
    } <= {*by_name}  # fmt: skip
    bad = {name: one["status"] for name, one in by_name.items() if one["status"] >= 400}
    assert set(bad.values()) <= {403}, (bad, done.stderr)  # 403: services alone add and delete
    assert all(one["statements"] > 0 for one in by_name.values() if one["status"] == 200)
    assert done.stdout.startswith("200 certificates on SQLite: ")


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
