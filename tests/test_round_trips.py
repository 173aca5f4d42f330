"""How often an enrollment waits for a database over a network, counted by a proxy before it."""

import json
import os
import subprocess
import sys

import pytest

from tests.support.postgresql import private_server
from tests.support.run_again import ROOT

MOST = 4


@pytest.fixture(scope="module")
def measured():
    """Return what tests.support.round_trips prints on a server of this module."""
    with private_server() as server:
        done = subprocess.run(
            [sys.executable, "-m", "tests.support.round_trips", str(server.port)],
            cwd=ROOT,
            env={**os.environ, "TEST_DATABASE_URL": server.url()},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.postgresql
@pytest.mark.parametrize(
    "what", ["enrollment", "renewal", "repeated request", "enrollment of a known name"]
)
def test_a_request_takes_at_most_4_round_trips_to_postgresql(measured, what):
    assert measured["failures"] == []
    assert 0 < measured["round_trips"][what] <= MOST, measured
