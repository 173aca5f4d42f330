"""Is the process up, and could it issue?"""

import pytest
from django.db import OperationalError
from django.test import RequestFactory

from estserver.operations import IS_DRAINING, health
from pki.signers import get_signer
from pki.signers.keyfile import KeyFileSigner
from tests.support.transports import through_socket


def test_up_and_ready_after_bootstrap(stranger):
    up, ready = stranger.request("GET", "/healthz"), stranger.request("GET", "/readyz")

    assert (up.status_code, up.body) == (200, b"ok\n")
    assert (ready.status_code, ready.body) == (200, b"ready\n")
    for response in (up, ready):
        assert response["Cache-Control"] == "no-store"
        assert int(response["Content-Length"]) == len(response.body)


@pytest.mark.django_db
def test_up_but_not_ready_before_bootstrap(data_dir):
    assert through_socket("GET", "/healthz").status_code == 200
    response = through_socket("GET", "/readyz")

    assert (response.status_code, response.body) == (503, b"not ready\n")


def test_not_ready_without_the_cas_key_and_nobody_is_told_why(stranger, installation, caplog):
    for key in (installation / "keys").glob("device-ca*"):
        key.unlink()
    get_signer.cache_clear()

    response = stranger.request("GET", "/readyz")

    assert (response.status_code, response.body) == (503, b"not ready\n")
    assert "not ready" in caplog.text


@pytest.fixture
def no_verdict_is_kept(monkeypatch):
    """Each request checks the signer, as one does that comes seconds later."""
    monkeypatch.setattr(KeyFileSigner, "check_seconds", 0.0)


@pytest.mark.usefixtures("no_verdict_is_kept")
@pytest.mark.parametrize("gone", ["keys/device-ca*.pem", "key-passphrase"])
def test_T58_not_ready_while_a_key_file_is_gone_that_the_next_process_needs(
    stranger, installation, gone
):
    """This process has read the key already."""
    assert stranger.request("GET", "/readyz").status_code == 200
    (path,) = installation.glob(gone)
    away = path.rename(installation / "away")
    assert stranger.request("GET", "/readyz").status_code == 503

    away.rename(path)

    assert stranger.request("GET", "/readyz").status_code == 200


@pytest.mark.usefixtures("no_verdict_is_kept")
@pytest.mark.parametrize("content", [b"", b"other"])
def test_T58_not_ready_while_the_key_file_has_another_content(stranger, installation, content):
    assert stranger.request("GET", "/readyz").status_code == 200
    (path,) = installation.glob("keys/device-ca*.pem")
    (other,) = installation.glob("keys/client-ca*.pem")
    kept = path.read_bytes()

    path.write_bytes(other.read_bytes() if content == b"other" else content)
    assert stranger.request("GET", "/readyz").status_code == 503

    path.write_bytes(kept)
    assert stranger.request("GET", "/readyz").status_code == 200


def test_the_check_of_a_signer_is_not_repeated_for_its_seconds(stranger, monkeypatch):
    checks = []
    check = KeyFileSigner.check
    monkeypatch.setattr(KeyFileSigner, "check_seconds", 60.0)
    monkeypatch.setattr(
        KeyFileSigner, "check", lambda self, issuer: checks.append(check(self, issuer))
    )

    for _ in range(5):
        assert stranger.request("GET", "/readyz").status_code == 200

    assert len(checks) == 1


def test_a_process_that_will_stop_is_not_ready_and_looks_at_nothing(installation, monkeypatch):
    monkeypatch.setattr(health, "current_snapshot", None)  # nothing calls it

    response = health.readyz(RequestFactory().get("/readyz", **{IS_DRAINING: True}))

    assert (response.status_code, response.content) == (503, b"not ready\n")


def test_not_ready_without_a_database(stranger, monkeypatch):
    def away():
        raise OperationalError("server at 10.0.0.7 is away")

    monkeypatch.setattr("pki.models.Generation.current", away)

    assert stranger.request("GET", "/healthz").status_code == 200
    response = stranger.request("GET", "/readyz")
    assert (response.status_code, response.body) == (503, b"not ready\n")


def test_not_ready_when_the_ca_has_stopped_issuing(stranger, device_ca):
    device_ca.status = device_ca.Status.REVOKED
    device_ca.save()

    assert stranger.request("GET", "/readyz").status_code == 503
