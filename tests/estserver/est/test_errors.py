"""Every refusal: one line of text with a code and an id, and nothing internal."""

import logging
import re

import pytest
from django.db import InterfaceError, OperationalError

import pki.exceptions
from estserver.enrollment.hooks import EnrollmentHook, HookRefused
from estserver.est.reasons import STATUS_BY_ERROR, STATUS_BY_REASON, HTTPReason
from estserver.reason_codes import every_reason
from pki.exceptions import PKIError, SignerRefused, SignerUnavailable
from pki.models import AuditEvent, IssuedCertificate
from pki.reasons import Reason
from pki.record.audit_trail import Actor
from pki.revocation.revoke import revoke_certificate
from pki.signers.keyfile import KeyFileSigner
from tests.support.builders import make_ca, make_certificate, make_csr, make_key
from tests.support.est_client import BASE
from tests.support.transports import through_socket

LINE = re.compile(rb"([a-z0-9-]+): [\x20-\x7e]+ \(request ([0-9A-Za-z=-]+)\)\n")
CANARY = "canary-5d41402abc4b"
KNOWN_CODES = {reason.code for reason in every_reason()}


def refusals_at_every_corner(est_client, stranger):
    """A response of every kind of refusal that a client can bring about."""
    device = est_client.using(est_client.simpleenroll(make_csr("sensor-1")).certificate)
    outsider = est_client.using(make_certificate(make_ca("elsewhere")))
    url = est_client.url("simpleenroll")
    yield stranger.simpleenroll(make_csr())
    yield outsider.simpleenroll(make_csr())
    yield est_client.simpleenroll(b"")
    yield est_client.simpleenroll(b"\x30\x03\x02\x01\x01")
    yield est_client.request("POST", url, b"!", {"Content-Type": "application/pkcs10"})
    yield est_client.request("POST", url, b"A" * 50_000, {"Content-Type": "application/pkcs10"})
    yield est_client.simpleenroll(make_csr("sensor-2"))  # sensor-1's key
    yield device.simpleenroll(make_csr("sensor-2", key=make_key("ec-p256", 1)))
    yield device.simplereenroll(make_csr("sensor-3"))
    yield est_client.simplereenroll(make_csr("sensor-9", key=make_key("ec-p256", 2)))
    yield est_client.simpleenroll(make_csr("sens\u00f6r\n\u202e"))
    yield est_client.at("nobodys").simpleenroll(make_csr())
    yield est_client.at("nobodys").cacerts()
    yield est_client.request("GET", url)
    yield est_client.request("GET", "/nowhere")
    yield est_client.request("POST", est_client.url("fullcmc"))
    yield est_client.request("GET", est_client.url("cacerts"), headers={"Host": "evil.example"})
    yield through_socket("POST", url, body=make_csr())


def test_W22_every_refusal_is_one_line_of_text_with_code_and_request_id(est_client, stranger):
    for response in refusals_at_every_corner(est_client, stranger):
        assert 400 <= response.status_code < 502
        assert response["Content-Type"] == "text/plain; charset=utf-8"
        found = LINE.fullmatch(response.body)
        assert found, response.body
        assert found[1].decode() in KNOWN_CODES
        assert int(response["Content-Length"]) == len(response.body)
        assert len(response.body) < 1024
        for internal in (b"Traceback", b"File ", b"/home", b".py", b"django", b"Rust", b"Error"):
            assert internal not in response.body


def test_W22_the_request_id_finds_the_refusal_on_the_audit_trail(est_client, stranger, device_ca):
    row_of = AuditEvent.objects.order_by("-at")
    est_client.simpleenroll(make_csr("sensor-1"))
    certificate = IssuedCertificate.objects.get(common_name="sensor-1")
    device = est_client.using(certificate.to_x509())
    revoke_certificate(certificate, reason="superseded", actor=Actor("test"))

    for send in (
        lambda: est_client.simpleenroll(b"\x30\x00"),
        lambda: est_client.simpleenroll(make_csr("sensor-2")),
        lambda: est_client.simplereenroll(make_csr("sensor-7", key=make_key("ec-p256", 7))),
        lambda: device.simplereenroll(make_csr("sensor-1")),
        lambda: est_client.using(make_certificate(make_ca("x"))).simpleenroll(make_csr()),
        lambda: est_client.at("nobodys").simpleenroll(make_csr()),
    ):
        before = AuditEvent.objects.count()
        response = send()

        assert AuditEvent.objects.count() == before + 1
        row = row_of.first()
        assert row.action in ("refuse-enroll", "refuse-reenroll")
        assert row.request_id == LINE.fullmatch(response.body)[2].decode()
        assert row.reason.startswith(response.reason)
        assert row.actor.startswith("client:")
        assert row.source_ip == "192.0.2.10"


def test_a_stranger_writes_nothing(stranger):
    before = AuditEvent.objects.count()

    assert stranger.simpleenroll(make_csr()).status_code == 401
    assert stranger.request("GET", stranger.url("simpleenroll")).status_code == 405

    assert AuditEvent.objects.count() == before


def test_ids_are_ours_or_the_gateways_never_the_clients(est_client):
    headers = dict.fromkeys(("X-Request-Id", "X-Amzn-Trace-Id", "X-Amz-Cf-Id"), "chosen-by-me")
    ids = set()
    for _ in range(2):
        response = through_socket("POST", f"{BASE}/simpleenroll", headers=headers)
        ids.add(LINE.fullmatch(response.body)[2])

    assert len(ids) == 2
    assert b"chosen-by-me" not in b"".join(ids)


def every_error(kind=PKIError):
    for one in kind.__subclasses__():
        yield one
        yield from every_error(one)


def test_every_domain_error_has_a_row_in_the_table_of_statuses():
    own = [one for one in every_error() if one.__module__ == pki.exceptions.__name__]
    assert len(own) >= 8
    assert set(own) == set(STATUS_BY_ERROR)
    for error in every_error():
        assert any(kind in STATUS_BY_ERROR for kind in error.__mro__), error
    bug = {HTTPReason.INTERNAL_ERROR: 500}
    by_reason = [row for row in STATUS_BY_REASON.items() if row not in bug.items()]
    for status in (*STATUS_BY_ERROR.values(), *dict(by_reason).values()):
        assert 400 <= status < 600
        assert status != 500


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (SignerUnavailable(Reason.SIGNER_UNAVAILABLE), 503, "signer-unavailable"),
        (SignerRefused(Reason.SIGNER_REFUSED, "the PKI says no"), 403, "signer-refused"),
        (OperationalError("connection to server at 10.0.0.7 failed"), 503, "database-unavailable"),
        (InterfaceError("connection already closed"), 503, "database-unavailable"),
        (ZeroDivisionError(CANARY), 500, "internal-error"),
        (KeyError(CANARY), 500, "internal-error"),
        (RecursionError(CANARY), 500, "internal-error"),
        (PKIError(HTTPReason.INTERNAL_ERROR, CANARY), 500, "internal-error"),
    ],
)
def test_W53_T23_what_fails_inside_is_a_5xx_with_retry_after_and_no_detail(
    est_client, monkeypatch, caplog, error, status, reason
):
    def sign(self, request, issuer):
        private_key = CANARY  # a local of the frame that raises
        raise error from ValueError(private_key)

    monkeypatch.setattr(KeyFileSigner, "sign", sign)

    response = est_client.simpleenroll(make_csr("sensor-1"))

    assert (response.status_code, response.reason) == (status, reason)
    assert LINE.fullmatch(response.body)
    assert "10.0.0.7" not in response.text
    assert CANARY not in response.text
    assert ("retry-after" in response.headers) == (status >= 500)
    if status >= 500:
        assert 0 < int(response["Retry-After"]) <= 3600
    if status == 500:
        assert "Traceback" in caplog.text
        assert "in sign" in caplog.text
        (record,) = [one for one in caplog.records if one.name == "estserver.est.exceptions"]
        assert record.levelno == logging.ERROR
        assert record.fields["request_id"] in response.text
    assert not IssuedCertificate.objects.filter(state="issued", operation="enroll").exists()


def test_T23_a_failure_does_not_stop_the_device_from_coming_again(est_client, monkeypatch):
    csr = make_csr("sensor-1")
    with monkeypatch.context() as broken:
        broken.setattr(KeyFileSigner, "sign", lambda *args: 1 / 0)
        assert est_client.simpleenroll(csr).status_code == 500

    assert est_client.simpleenroll(csr).status_code == 200
    assert IssuedCertificate.objects.filter(common_name="sensor-1").count() == 1


def test_T23_a_bug_outside_of_the_views_says_nothing_and_is_logged(est_client, monkeypatch, caplog):
    monkeypatch.setattr("estserver.est.crl_view.current_crl", lambda ca: {}[CANARY])

    response = est_client.request("GET", "/crl/device-ca.crl")

    assert (response.status_code, response.reason) == (500, "internal-error")
    assert CANARY not in response.text
    assert int(response["Retry-After"]) > 0
    (record,) = [one for one in caplog.records if one.name == "estserver.est.errors"]
    assert CANARY in record.exc_text or CANARY in caplog.text
    assert record.fields["request_id"] in response.text


def test_T23_a_bug_in_the_middleware_says_nothing_either(est_client, monkeypatch, caplog):
    monkeypatch.setattr("estserver.est.middleware.caller", lambda environ: {}[CANARY])

    response = est_client.cacerts()

    assert (response.status_code, response.reason) == (500, "internal-error")
    assert CANARY not in response.text
    assert "Traceback" in caplog.text


class RefusingHook(EnrollmentHook):
    """Its sentence has lines, and letters of all the world."""

    def pre_enroll(self, request):
        raise HookRefused("first line\r\nSet-Cookie: x=1\u2028n\u00e4chste\x00\x1b[31m")


def test_W22_a_hooks_sentence_stays_one_line(est_client, settings):
    settings.EST_ENROLLMENT_HOOK_CLASS = f"{__name__}.RefusingHook"

    response = est_client.simpleenroll(make_csr("sensor-1"))

    assert (response.status_code, response.reason) == (403, "hook-refused")
    assert response.body.count(b"\n") == 1
    assert b"\r" not in response.body
    assert "set-cookie" not in response.headers
    assert all(character.isprintable() for character in response.text[:-1])


def test_W22_a_refusal_says_what_to_do(est_client):
    response = est_client.request("POST", est_client.url("simpleenroll"), b"MIIB", {})

    assert response.status_code == 415
    assert "is not application/pkcs10." in response.text
    assert "Send 'Content-Type: application/pkcs10'" in response.text
