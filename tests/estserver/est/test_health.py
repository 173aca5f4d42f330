"""Is the process up, and could it issue?"""

import pytest
from django.db import OperationalError

from pki.signers import get_signer
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
