"""One server for the proofs that do not kill it."""

import pytest

from tests.estserver.proof.client import client_context
from tests.estserver.proof.installed import Served, installation_at
from tests.interop.server import RunningServer


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    """A running server. Whatever it gets in these tests, it stays up and writes no traceback."""
    installation = installation_at(tmp_path_factory.mktemp("proof"))
    running = RunningServer(installation)
    served = Served(installation, running)
    first = served.workers()
    yield served
    workers = served.workers()
    code = running.stop()
    log = served.log()
    assert (code, workers) == (0, first), log[-5000:]
    assert "Traceback" not in log, log[log.index("Traceback") - 2000 :][:8000]


@pytest.fixture(scope="session")
def contexts(served):
    """TLS as the bootstrap client, and as a stranger."""
    installation = served.installation
    return {
        "client": client_context(installation.server_ca, installation.test_client),
        "stranger": client_context(installation.server_ca, None),
    }
