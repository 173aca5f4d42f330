"""AWS as far as moto can play it: one server for the whole run, emptied before each test."""

import http.client

import botocore.session
import pytest
from botocore.loaders import create_loader
from moto.core.config import default_user_config
from moto.server import ThreadedMotoServer

from iotprov import client as iot_client
from pki.aws.clients import forget_clients
from tests.support import aws_faults

__all__ = ["aws_cloud", "aws_faults", "moto_server"]  # faults: installed before any client is made


# Each test makes its clients anew. What botocore reads from its files stays the same, and reading
# it took most of the time.
_loader = create_loader(None)
botocore.session.create_loader = lambda search_path: _loader


class FakeAWS:
    """A moto server. Its address goes where boto3 looks for it."""

    def __init__(self):
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        _, self._port = self._server.get_host_and_port()
        self.url = f"http://127.0.0.1:{self._port}"

    def reset(self):
        """Forget everything; certificate ids are SHA-256 of the DER, as in AWS."""
        self._post("/moto-api/reset")
        default_user_config["iot"]["use_valid_cert"] = True  # /moto-api/config ignores it

    def stop(self):
        self._server.stop()

    def _post(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            connection.request("POST", path)
            response = connection.getresponse()
            response.read()
            assert response.status == 200, path
        finally:
            connection.close()


@pytest.fixture(scope="session")
def moto_server():
    """The server; tests ask for ``aws_cloud``."""
    server = FakeAWS()
    yield server
    server.stop()


@pytest.fixture
def aws_cloud(moto_server, monkeypatch):
    """An empty AWS account (123456789012) in eu-central-1; returns the server."""
    moto_server.reset()
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_server.url)
    _forget()
    yield moto_server
    _forget()


def _forget():
    forget_clients()
    iot_client._account.cache_clear()
