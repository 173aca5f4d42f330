"""Another EST server in the bench: measured as ours is, or refused with a reason."""

import json
import subprocess
import sys
from dataclasses import dataclass

import pytest

from bench import __main__ as bench
from tests.interop.server import ROOT, Installation, RunningServer

LEAST_PID_THAT_IS_NONE = 2**22
"""Linux has no process ids beyond (proc(5), pid_max)."""


@dataclass(frozen=True)
class Peer:
    """A second server of ours, which the bench knows by its command line alone."""

    installation: Installation
    pid: int

    @property
    def options(self):
        certificate, key = self.installation.test_client
        return {
            "--peer": f"other={self.installation.url('')}",
            "--peer-ca": self.installation.server_ca,
            "--peer-cert": certificate,
            "--peer-key": key,
            "--peer-pid": self.pid,
        }


@pytest.fixture(scope="module")
def peer(tmp_path_factory):
    installation = Installation.at(tmp_path_factory.mktemp("peer"))
    installation.quickstart()
    running = RunningServer(installation)
    yield Peer(installation, running.process.pid)
    running.stop()


def command_line(options):
    return ["--parts=peer", *(text for pair in options.items() for text in map(str, pair))]


@pytest.fixture
def refusal(monkeypatch, capsys):
    """What the bench says of a peer that it does not measure."""

    def said(options):
        monkeypatch.setattr("sys.argv", ["bench", *command_line(options)])
        assert bench.main() == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        return printed.err

    return said


def test_a_peer_is_measured_in_the_same_rounds(peer, tmp_path):
    figures = tmp_path / "figures.json"

    done = subprocess.run(
        [
            *(sys.executable, "-m", "bench", *command_line(peer.options)),
            *("--rounds=2", "--requests=5", f"--json={figures}"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,  # a machine that does other things is slow, and that is no failure
    )

    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads(figures.read_text())["rows"]
    assert [(row["what"], row["database"]) for row in rows] == [
        (what, who)
        for who in ("this server", "other")
        for what in ("simpleenroll P-256", "cacerts")
    ]
    for row in rows:
        assert [report["requests"] for report in row["reports"]] == [5, 5]
        assert all(report["server_cpu"] is not None for report in row["reports"])
    assert "simpleenroll P-256, other" in done.stdout


def test_a_wrong_ca_is_named(peer, refusal):
    wrong = peer.options | {"--peer-ca": peer.installation.test_client[0]}

    assert "Give the CA that signed it with --peer-ca" in refusal(wrong)


def test_a_dead_process_is_named(peer, refusal):
    dead = peer.options | {"--peer-pid": LEAST_PID_THAT_IS_NONE}

    assert f"There is no process {LEAST_PID_THAT_IS_NONE} (--peer-pid)" in refusal(dead)


def test_a_peer_that_answers_4xx_is_quoted(peer, refusal):
    elsewhere = peer.options | {"--peer": f"other={peer.installation.url('no-such-label')}"}

    said = refusal(elsewhere)

    assert "other answered /cacerts with 404" in said
    assert "Give the URL of its EST operations" in said


def test_a_client_that_may_not_enroll_is_quoted(peer, tmp_path, refusal):
    """Of a CA that the peer does not know, so that its TLS refuses."""
    other = Installation.at(tmp_path)
    other.quickstart()
    certificate, key = other.test_client

    said = refusal(peer.options | {"--peer-cert": certificate, "--peer-key": key})

    assert "other ended the TLS handshake" in said
    assert "Give a client certificate that it trusts" in said


def test_a_peer_that_does_not_answer_is_said(peer, refusal):
    port = peer.installation.admin_port + 1
    silent = peer.options | {"--peer": f"other=https://localhost:{port}/.well-known/est"}

    assert "other does not answer at localhost" in refusal(silent)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("other", "is not NAME=URL"),
        ("other=http://localhost/", "is not NAME=URL"),
        ("other=https://192.0.2.1/.well-known/est", "which is not this machine"),
    ],
)
def test_a_url_that_cannot_be_measured_is_refused(peer, refusal, url, said):
    assert said in refusal(peer.options | {"--peer": url})


def test_files_that_do_not_belong_together_are_said(peer, refusal):
    assert "cannot be used" in refusal(peer.options | {"--peer-key": peer.installation.server_ca})


def test_a_part_of_the_command_line_alone_is_refused(peer, refusal):
    assert "--peer needs" in refusal({"--peer": peer.options["--peer"]})
    assert "--parts peer needs --peer" in refusal({})
