"""A server for the tests of a module, and the parties that talk to it."""

import textwrap

import pytest

from tests.estserver.local_server.dummy import APPLICATION, BALANCER, Server, device_door
from tests.support.fleet import Fleet


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    return Fleet(tmp_path_factory.mktemp("fleet"))


@pytest.fixture(scope="module")
def dummy(fleet):
    """A module with an application and a truststore, and settings that point at it."""
    directory = fleet.directory / "modules"
    directory.mkdir()
    source = textwrap.dedent(APPLICATION) + f"\nTRUSTSTORE = {fleet.root.pem!r}\n"
    (directory / "dummy_application.py").write_text(source)
    (directory / "dummy_settings.py").write_text(
        f"from pathlib import Path\nEST_DATA_DIR = Path({str(fleet.server.ca.parent)!r})\n"
        "EST_TRUSTSTORE = 'dummy_application.Truststore'\nSECRET_KEY = 'x'\n"
        "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3'}}\n"
        "import os\nEST_DRAIN_SECONDS = int(os.environ.get('DUMMY_DRAIN_SECONDS', '0'))\n"
        f"EST_TRUSTED_BALANCERS = ['{BALANCER}/32']\n"
    )
    patch = pytest.MonkeyPatch()
    patch.setenv("PYTHONPATH", str(directory))
    yield directory
    patch.undo()


@pytest.fixture(scope="module")
def server(fleet, dummy):
    server = Server(fleet, device_door("--threads=4"), fleet.directory / "server.log")
    yield server
    assert server.stop() == 0
