"""What an external PKI's class gets as its secret."""

from dataclasses import replace

import pytest
from cryptography.x509 import load_der_x509_csr
from django.utils import timezone

from pki.aws import secret_cache
from pki.aws.clients import forget_clients
from pki.exceptions import SignerUnavailable
from pki.signers import external as external_module
from pki.signers.certificate_contents import SigningRequest
from pki.signers.external import ExternalSigner
from tests.support.aws_faults import Fault, aws_calls, failing
from tests.support.builders import make_ca, make_certificate, make_csr
from tests.support.plugins import ExternalPKI
from tests.support.secrets_manager import put, secrets_manager

NAME = "customSecret"


class Clock:
    """The time that secrets are remembered by."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(secret_cache, "time", clock)
    monkeypatch.setattr(external_module, "time", clock)
    return clock


@pytest.fixture
def ask(aws_cloud, data_dir, settings, monkeypatch):
    """Have something signed; returns the secret that the class got."""
    settings.PKI = replace(settings.PKI, custom_secret_name=NAME)
    monkeypatch.delenv("EST_CUSTOM_SECRET", raising=False)
    certificate = make_certificate(make_ca("Their CA"))
    monkeypatch.setattr(ExternalPKI, "calls", [])
    monkeypatch.setattr(ExternalPKI, "answer", staticmethod(lambda *_: certificate))
    signer = ExternalSigner(**{"class": "tests.support.plugins.ExternalPKI"})
    csr, now = load_der_x509_csr(make_csr("sensor-1")), timezone.now()

    def ask():
        signer.sign(SigningRequest(csr, csr.subject, None, 1, now, now), None)
        return ExternalPKI.calls[-1][3]

    return ask


@pytest.mark.parametrize("content", ["hunter2", '{"user": "est", "password": "x"}', b"bytes too"])
def test_the_class_gets_the_secret_as_it_is(ask, content):
    put(NAME, content)

    assert ask() == (content.decode() if isinstance(content, bytes) else content)


@pytest.mark.parametrize("placeholder", ["NULL", "none", " "])
def test_a_placeholder_is_none(ask, placeholder):
    put(NAME, placeholder)

    assert ask() is None


def test_a_secret_that_isnt_there_is_none_and_is_found_once_it_is(ask, clock):
    assert ask() is None
    put(NAME, "hunter2")
    assert ask() is None

    clock.now += 301
    assert ask() == "hunter2"


def test_the_environments_wins_and_nobody_is_asked(ask, monkeypatch):
    put(NAME, "hunter2")
    monkeypatch.setenv("EST_CUSTOM_SECRET", "hunter3")

    with aws_calls() as calls:
        assert ask() == "hunter3"
    assert calls == []


def test_without_a_name_nobody_is_asked(ask, settings):
    settings.PKI = replace(settings.PKI, custom_secret_name="")

    with aws_calls() as calls:
        assert ask() is None
    assert calls == []


def test_it_is_fetched_once_and_looked_at_after_the_interval(ask, clock):
    put(NAME, "hunter2")
    with aws_calls() as calls:
        assert {ask() for _ in range(10)} == {"hunter2"}
    assert calls == ["secretsmanager:GetSecretValue"]

    clock.now += 301
    put(NAME, "hunter3")
    with aws_calls() as calls:
        assert {ask() for _ in range(10)} == {"hunter3"}
    assert calls == ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]


@pytest.mark.parametrize("fault", Fault)
def test_a_PKI_isnt_asked_without_a_secret_that_cant_be_fetched(ask, fault):
    put(NAME, "hunter2")

    with failing("secretsmanager", "GetSecretValue", fault), pytest.raises(SignerUnavailable):
        ask()

    assert ExternalPKI.calls == []
    assert ask() == "hunter2"


def test_nor_without_one_that_is_scheduled_for_deletion(ask):
    put(NAME, "hunter2")
    secrets_manager().delete_secret(SecretId=NAME)

    with pytest.raises(SignerUnavailable) as caught:
        ask()

    assert "is scheduled for deletion. Restore it" in str(caught.value.__cause__)


@pytest.mark.parametrize("fault", Fault)
def test_a_look_that_fails_leaves_the_secret_in_memory_good(ask, clock, fault):
    put(NAME, "hunter2")
    ask()
    clock.now += 301

    with failing("secretsmanager", "DescribeSecret", fault):
        assert ask() == "hunter2"


@pytest.mark.parametrize("missing", ["AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID"])
def test_where_there_is_no_AWS_there_is_no_secret_and_one_warning(
    ask, clock, monkeypatch, caplog, missing
):
    with monkeypatch.context() as environment:
        environment.delenv(missing)
        forget_clients()

        assert [ask() for _ in range(5)] == [None] * 5
        clock.now += 301
        assert ask() is None

    (said,) = (record for record in caplog.records if record.levelname == "WARNING")
    assert "is asked without a custom secret: secretsmanager:" in said.getMessage()
    forget_clients()
    put(NAME, "hunter2")
    clock.now += 301
    assert ask() == "hunter2"
