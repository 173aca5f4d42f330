"""AWS as moto simulates it: one server in each process, emptied before each test."""

import http.client
import inspect
import string
from functools import cache

import botocore.session
import pytest
from botocore import useragent
from botocore.loaders import create_loader
from moto import backends
from moto.core import responses
from moto.core import utils as moto_utils
from moto.core.config import default_user_config
from moto.moto_api._internal.moto_random import MotoRandom
from moto.server import ThreadedMotoServer

from iotprov import client as iot_client
from pki.aws.clients import forget_clients
from tests.support import aws_faults
from tests.support.moto_in_process import answer_in_process, answer_over_http

# aws_faults is imported here so that it is installed before any client is made.
__all__ = ["aws_cloud", "aws_faults", "moto_server"]


# Each test makes its own clients. botocore's files stay the same, and reading them took most of
# the time.
_loader = create_loader(None)
botocore.session.create_loader = lambda search_path: _loader

# botocore looks at each character of a user agent, of which there are two a call, always the same.
useragent.sanitize_user_agent_string_component = cache(
    useragent.sanitize_user_agent_string_component
)

# moto lists its own directory at each request, which took a sixth of the time of a call. Then it
# looks for a service among the names.
_modules = dict.fromkeys(backends.list_of_moto_modules())
backends.list_of_moto_modules = lambda: _modules

# moto parsed the service models a second time, which botocore's loader has parsed already.
moto_utils.create_loader = lambda: _loader


class _MethodNames:
    """The names of a class's functions; moto made a list of them all to look one up in."""

    def __init__(self, owner):
        self._owner = owner

    def __contains__(self, name):
        return inspect.isfunction(getattr(self._owner, name, None))


responses.method_names_from_class = _MethodNames


def _random_string(source, length=20, include_digits=True, lower_case=False):
    """Do what moto does with a call for each character. Each answer has an id of 52 of them."""
    pool = string.ascii_letters + (string.digits if include_digits else "")
    made = "".join(source.choices(pool, k=length))
    return made.lower() if lower_case else made


MotoRandom.get_random_string = _random_string


class FakeAWS:
    """A moto server in a thread of this process. ``url`` is its address.

    Other processes ask the thread. This process calls the server's application.
    """

    def __init__(self):
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        _, self._port = self._server.get_host_and_port()
        self.url = f"http://127.0.0.1:{self._port}"
        answer_in_process(self._server._server)

    def reset(self):
        """Empty the account. The ID of a certificate is the SHA-256 of its DER, as in AWS."""
        self._post("/moto-api/reset")
        # /moto-api/config would be the way to set this, but ignores it.
        default_user_config["iot"]["use_valid_cert"] = True

    def stop(self):
        """Stop the server."""
        answer_over_http(self._server._server)
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
    """Start the server of this process. A test asks for ``aws_cloud``, which empties it."""
    server = FakeAWS()
    yield server
    server.stop()


@pytest.fixture
def aws_cloud(moto_server, monkeypatch):
    """Return the server, with an empty AWS account (123456789012) in eu-central-1."""
    moto_server.reset()
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_server.url)
    _forget()
    yield moto_server
    _forget()


def _forget():
    forget_clients()
    iot_client._account.cache_clear()
