"""Secrets from the Lambda extension: used where it answers, and AWS asked where it doesn't."""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from pki.aws import secrets
from pki.aws.clients import AWSLocation
from pki.aws.secret_cache import SecretCache
from pki.aws.secrets import use_secret
from tests.support.secrets_manager import put

TOKEN = "session-token"


class Extension(BaseHTTPRequestHandler):
    """The extension's one page, as documented."""

    def do_GET(self):
        parts = urlsplit(self.path)
        name = parse_qs(parts.query)["secretId"][0]
        self.server.asked.append(name)
        held = self.server.held.get(name)
        is_right = (
            parts.path == "/secretsmanager/get"
            and self.headers["X-Aws-Parameters-Secrets-Token"] == TOKEN
        )
        answer = held if held and is_right else "not ready to serve traffic, please wait"
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(200 if held and is_right else 400)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def extension(monkeypatch):
    """A function's environment with the layer; its secrets are in ``held``."""
    server = HTTPServer(("127.0.0.1", 0), Extension)
    server.held, server.asked = {}, []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001")
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT", str(server.server_port))
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_extension_hands_out_texts_and_bytes_without_asking_aws(extension):
    extension.held = {
        "est/text+1": {"SecretString": "open sesame", "VersionId": "v1"},
        "est/bytes": {"SecretBinary": base64.b64encode(b"\0\xff").decode(), "VersionId": "v2"},
    }

    text, binary = use_secret("est/text+1"), use_secret("est/bytes")

    assert (text.content, text.version_id) == (b"open sesame", "v1")
    assert (binary.content, binary.version_id) == (b"\0\xff", "v2")


@pytest.mark.parametrize("answer", [None, b"{", b"[]", {"SecretString": "without a version"}])
def test_aws_is_asked_when_the_extension_doesnt_know(extension, aws_cloud, answer):
    put("est/one", "from AWS")
    extension.held = {"est/one": answer}

    assert use_secret("est/one").content == b"from AWS"
    assert extension.asked == ["est/one"]


def test_aws_is_asked_when_there_is_no_extension(extension, aws_cloud, monkeypatch):
    put("est/one", "from AWS")
    monkeypatch.setenv("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT", "9")  # nobody answers there

    assert use_secret("est/one").content == b"from AWS"


@pytest.mark.parametrize("variable", ["AWS_LAMBDA_RUNTIME_API", "AWS_SESSION_TOKEN"])
def test_outside_of_lambda_the_port_isnt_asked(extension, aws_cloud, monkeypatch, variable):
    put("est/one", "from AWS")
    monkeypatch.delenv(variable)

    assert use_secret("est/one").content == b"from AWS"
    assert extension.asked == []


def test_another_regions_secret_isnt_asked_of_this_one(extension, aws_cloud):
    extension.held = {"est/one": {"SecretString": "of here", "VersionId": "v1"}}

    assert use_secret("est/one", AWSLocation(region="us-east-1")) is None
    assert extension.asked == []


def test_whoever_writes_a_secret_reads_it_from_aws(extension, aws_cloud):
    extension.held = {"est/one": {"SecretString": "five minutes old", "VersionId": "v1"}}

    assert secrets.read_secret("est/one") is None
    assert extension.asked == []


def test_a_signers_cache_takes_value_and_version_from_the_extension(extension):
    extension.held = {"est/key": {"SecretString": "old", "VersionId": "v1"}}
    cache = SecretCache(lambda name, value, is_first: value.content, refresh_seconds=0)
    assert cache.get("est/key") == b"old"

    extension.held = {"est/key": {"SecretString": "new", "VersionId": "v2"}}

    assert cache.get("est/key") == b"new"
