"""Whatever is asked of the packaged device side is answered, with all that is left out of it."""

import base64

import pytest
from cryptography import x509

from bench.load import make_csr
from tests.estserver.deploy.functions import est_answers
from tests.interop.server import Installation
from tests.support.builders import make_ca, make_certificate
from tests.support.est_client import ESTClient

pytestmark = pytest.mark.deploy

PKCS10 = {"Content-Type": "application/pkcs10"}
FORM = {"Content-Type": "multipart/form-data; boundary=x"}


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    """A database with CAs and a client certificate, as on a laptop."""
    made = Installation.at(tmp_path_factory.mktemp("installation"))
    made.quickstart()
    return made


def questions(installation):
    """Events, each with the status and the beginning of the answer."""
    pem = installation.test_client[0].read_bytes()
    client = ESTClient(x509.load_pem_x509_certificate(pem))
    nobody, elsewhere = ESTClient(), ESTClient(client.certificate, domain="other.example.com")
    stranger = client.using(make_certificate(make_ca("other"), "stranger"))
    enroll = client.url("simpleenroll")
    csr = make_csr("asked-1", "p256")
    return {
        "certificate": (client.event("POST", enroll, csr, PKCS10), 200, ""),
        "the same again": (client.event("POST", enroll, csr, PKCS10), 200, ""),
        "attributes": (nobody.event("GET", client.url("csrattrs")), 204, ""),
        "health": (nobody.event("GET", "/healthz"), 200, "ok"),
        "ready": (nobody.event("GET", "/readyz"), 200, "ready"),
        "nowhere": (nobody.event("GET", "/nowhere"), 404, "not-found"),
        "another script": (nobody.event("GET", "/日本%ff"), 404, "not-found"),
        "no text": (nobody.event("GET", "/\udcff%ff"), 404, "not-found"),
        "another label": (nobody.event("GET", client.at("x").url("cacerts")), 404, "label-"),
        "no such list": (nobody.event("GET", "/crl/none.crl"), 404, "not-found"),
        "method": (client.event("POST", client.url("cacerts"), b"x"), 405, "method-not-allowed"),
        "not offered": (client.event("POST", client.url("serverkeygen"), csr, PKCS10), 501, "not-"),
        "media type": (client.event("POST", enroll, csr, {"Content-Type": "text/plain"}), 415, "m"),
        "form": (client.event("POST", enroll, b"--x\r\n\r\nx\r\n--x--", FORM), 415, "media-type"),
        "nothing": (client.event("POST", enroll, b"", PKCS10), 400, "body-empty"),
        "no base64": (client.event("POST", enroll, b"!!!!", PKCS10), 400, "body-not-base64"),
        "no CSR": (client.event("POST", enroll, b"MAA=", PKCS10), 400, "csr-"),
        "too large": (client.event("POST", enroll, b"A" * 40_000, PKCS10), 413, "body-too-large"),
        "nobody": (nobody.event("POST", enroll, csr, PKCS10), 401, "client-certificate-missing"),
        "stranger": (stranger.event("POST", enroll, csr, PKCS10), 403, "client-"),
        "elsewhere": (elsewhere.event("POST", enroll, csr, PKCS10), 403, "endpoint-not-allowed"),
    }


def test_every_question_has_its_answer(est_package, installation, tmp_path):
    asked = questions(installation)

    answers = est_answers(
        est_package, installation, tmp_path, [event for event, _, _ in asked.values()]
    )

    assert not [each for each in zip(asked, answers, strict=True) if "errorType" in each[1]]
    found = {}
    for name, answer in zip(asked, answers, strict=True):
        body = answer.get("body") or ""
        text = base64.b64decode(body).decode("latin-1") if answer.get("isBase64Encoded") else body
        found[name] = (answer["statusCode"], text)
    wanted = {name: (status, beginning) for name, (_, status, beginning) in asked.items()}
    assert {
        name: (status, text[: len(wanted[name][1])]) for name, (status, text) in found.items()
    } == wanted
    assert found["certificate"] == found["the same again"]


def test_a_revocation_list_is_made_there(est_package, installation, tmp_path):
    name = installation.ask("""
        from pki.models import CertificateAuthority
        answer = CertificateAuthority.objects.device().get().name
    """)

    (answer,) = est_answers(
        est_package, installation, tmp_path, [ESTClient().event("GET", f"/crl/{name}.crl")]
    )

    assert answer["statusCode"] == 200
    crl = x509.load_der_x509_crl(base64.b64decode(answer["body"]))
    assert crl.next_update_utc > crl.last_update_utc
