"""One JSON object a line and a request, whatever the request holds."""

import base64
import io
import json
import logging
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from estserver.operations.logs import JSONFormatter
from tests.support.builders import make_csr, make_key, make_name
from tests.support.est_client import BASE
from tests.support.transports import through_socket


@pytest.fixture
def lines():
    """What is written to the log, as the settings format it; each line parsed."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JSONFormatter())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)

    def read():
        text = stream.getvalue()
        stream.seek(0)
        stream.truncate()
        assert text.isascii()
        return [json.loads(line) for line in text.splitlines()]

    yield read
    root.removeHandler(handler)
    root.setLevel(level)


def of_requests(lines):
    return [line for line in lines if line["logger"] == "estserver.request"]


def test_one_line_a_request_says_what_happened(est_client, lines):
    certificate = est_client.simpleenroll(make_csr("sensor-1")).certificate
    (line,) = of_requests(lines())

    assert line["message"] == "request"
    assert line["level"] == "INFO"
    assert line["method"] == "POST"
    assert line["path"] == f"{BASE}/simpleenroll"
    assert line["status"] == 200
    assert line["thing"] == "sensor-1"
    assert line["serial_number"] == f"{certificate.serial_number:x}"
    assert line["request_id"] == "11111111-2222-3333-4444-555555555555"
    assert line["source_ip"] == "192.0.2.10"
    assert len(line["client"]) == 64
    assert line["milliseconds"] >= 0


def test_a_refusal_is_found_by_the_id_that_the_client_was_told(stranger, est_client, lines):
    for send, reason in (
        (lambda: stranger.simpleenroll(make_csr()), "client-certificate-missing"),
        (lambda: est_client.simpleenroll(b"\x30\x00"), "csr-malformed"),
        (lambda: est_client.request("GET", "/nowhere"), "not-found"),
        (lambda: est_client.request("PUT", f"{BASE}/cacerts"), "method-not-allowed"),
        (lambda: est_client.request("POST", f"{BASE}/fullcmc"), "not-implemented"),
        (
            lambda: est_client.request("GET", "/", headers={"Host": "evil.example"}),
            "host-not-allowed",
        ),
    ):
        response = send()
        (line,) = of_requests(lines())
        assert line["reason"] == response.reason == reason
        assert f"(request {line['request_id']})" in response.text
        assert line["status"] == response.status_code


def test_neither_csr_nor_key_nor_header_is_logged(est_client, lines):
    key = make_key("ec-p256", 50)
    csr = make_csr("sensor-1", key=key)
    headers = {
        "Content-Type": "application/pkcs10",
        "Cookie": "sessionid=cookie-canary",
        "Authorization": "Basic auth-canary",
        "X-Anything": "header-canary",
        "User-Agent": "agent-canary",
    }

    for body in (csr, csr[:-1], b"body-canary"):
        est_client.request("POST", est_client.url("simpleenroll"), body, headers)
        est_client.request(
            "POST", est_client.url("simplereenroll") + "?q=query-canary", body, headers
        )
    text = json.dumps(lines())

    assert "canary" not in text
    assert base64.b64encode(csr).decode()[40:80] not in text
    assert csr.hex()[80:160] not in text
    assert est_client.certificate.public_bytes(Encoding.PEM).decode()[60:90] not in text
    assert "PRIVATE KEY" not in text


HOSTILE = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from('\r\n\t\0"\\{}\u2028\x85\x1b'),
    min_size=1,
    max_size=40,
)
QUICK = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@given(segment=HOSTILE)
@QUICK
def test_T06_a_hostile_path_is_one_line_that_parses_back(installation, lines, segment):
    lines()
    path = f"/{segment}"

    through_socket("GET", "/" + quote(segment, safe=""))

    (line,) = of_requests(lines())
    assert line["path"] == path


@given(name=HOSTILE)
@QUICK
def test_T06_a_hostile_subject_is_one_line_that_parses_back(est_client, lines, name):
    lines()
    csr = make_csr(subject=make_name(organization=name[:64], common_name="sensor-1"))

    response = est_client.simpleenroll(csr)

    (line,) = of_requests(lines())
    assert line["status"] == response.status_code
    if response.status_code != 200:
        assert line["why"].isascii()
        assert "\n" not in line["why"]


def test_T06_a_failure_is_one_line_too(est_client, lines, monkeypatch):
    monkeypatch.setattr("pki.signers.keyfile.KeyFileSigner.sign", lambda *args: 1 / 0)

    est_client.simpleenroll(make_csr("sensor-1"))

    found = lines()
    (failure,) = [line for line in found if line["logger"] == "estserver.est.exceptions"]
    assert failure["level"] == "ERROR"
    assert "ZeroDivisionError" in failure["traceback"]
    assert failure["request_id"] == of_requests(found)[0]["request_id"]
