"""`manage.py test_enroll` against the real server, over real mutual TLS."""

import json
import subprocess
import sys

import pytest

from tests.interop.server import ROOT

pytestmark = pytest.mark.interop


def run(server, *options):
    """The command's exit code and what it printed."""
    done = subprocess.run(
        [sys.executable, "manage.py", "test_enroll", *options],
        cwd=ROOT,
        env=server.environment,
        capture_output=True,
        text=True,
        timeout=100,
    )
    return done.returncode, done.stdout, done.stderr


def states(server, name):
    """The states of the certificates of that name, and the test's rows on the audit trail."""
    return server.ask(f"""
        from pki.models import AuditEvent, IssuedCertificate
        rows = IssuedCertificate.objects.filter(common_name={name!r}).order_by("id")
        answer = {{
            "certificates": [[row.operation, row.state] for row in rows],
            "trail": sorted(AuditEvent.objects.filter(
                target="thing:" + {name!r}, action__startswith="test-enroll"
            ).values_list("action", "reason")),
        }}
    """)


def test_a_test_enrollment_takes_every_step_and_is_taken_back(server):
    port = f"--port={server.port}"

    code, printed, error = run(server, port, "--name=bench-1", "--json", "--revoke")

    said = json.loads(printed)
    assert (code, error) == (0, "")
    assert [(step["name"], step["level"]) for step in said["steps"]] == [
        ("client", "OK"),
        ("TLS", "OK"),
        ("client certificate", "OK"),
        ("cacerts", "OK"),
        ("csrattrs", "OK"),
        ("simpleenroll", "OK"),
        ("simplereenroll", "OK"),
    ]
    assert all(step["milliseconds"] > 0 for step in said["steps"])
    assert states(server, "bench-1") == {
        "certificates": [["client", "revoked"], ["enroll", "revoked"], ["reenroll", "revoked"]],
        "trail": [
            ["test-enroll", "a test enrollment, no device"],
            ["test-enroll-ended", "passed"],
        ],
    }


def test_what_a_test_made_stays_until_it_is_cleaned_up(server):
    port = f"--port={server.port}"
    code, printed, _ = run(server, port, "--name=bench-2")
    before = states(server, "bench-2")["certificates"]

    again = run(server, port, "--name=bench-2")
    cleaned = run(server, "--clean-up=bench-2")
    twice = run(server, "--clean-up=bench-2")
    unknown = run(server, "--clean-up=my-device-1")

    assert code == 0
    assert "test_enroll --clean-up bench-2" in printed
    assert [state for _, state in before] == ["issued", "superseded", "issued"]
    assert again[0] == 1
    assert "is on record" in again[2]
    assert (cleaned[0], cleaned[1]) == (0, "3 certificates of the test were revoked.\n")
    assert twice[1] == "0 certificates of the test were revoked.\n"
    assert unknown[0] == 1
    assert "no test enrollment" in unknown[2]


def test_a_server_that_is_not_there_is_exit_code_3_and_a_refusal_is_1(server):
    away = run(server, "--port=1", "--name=bench-3")
    refused = run(server, f"--port={server.port}", "--name=bench-4", "--label=nowhere")

    assert away[0] == 3
    assert "cannot be reached" in away[1]
    assert refused[0] == 1
    assert "label-unknown" in refused[1]
    assert states(server, "bench-4")["trail"][1] == ["test-enroll-ended", "failed"]
