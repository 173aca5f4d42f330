"""An inspection says what a text is, and what rules and record say of it."""

import base64
import json
import logging

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    pkcs12,
)
from cryptography.x509.oid import AttributeOID

from estserver.deploy.resources.logs import ACCESS_LOG_FIELDS
from estserver.tools.inspection import MOST_BYTES, MOST_PARTS, inspect
from pki.csr.subjects import name_text
from pki.denylist.entries import deny
from pki.models import AuditEvent, IssuedCertificate
from pki.operators.errors import OperatorError
from pki.revocation.revoke import revoke_certificate
from tests.conftest import TESTER
from tests.support.builders import make_ca, make_certificate, make_csr, make_key
from tests.support.est_client import DOMAIN

PEM, DER = Encoding.PEM, Encoding.DER
SPKI = PublicFormat.SubjectPublicKeyInfo


def fact(inspected, name):
    (value,) = [value for group in inspected.groups for key, value in group.facts if key == name]
    return value


def sentences(inspected, level=None):
    return " ".join(one.finding for one in inspected.findings if level in (None, one.level))


@pytest.fixture
def issued(est_client):
    return est_client.simpleenroll(make_csr("sensor-1", serial_number="A-1")).certificate


@pytest.mark.parametrize(
    "form",
    [
        lambda one: one.public_bytes(PEM),
        lambda one: one.public_bytes(DER),
        lambda one: base64.encodebytes(one.public_bytes(DER)),
        lambda one: base64.b64encode(one.public_bytes(PEM)),
        lambda one: b"Bag Attributes\n" + one.public_bytes(PEM),
    ],
    ids=["pem", "der", "base64", "base64-of-pem", "text-around"],
)
def test_a_certificate_is_read_in_every_form(issued, form):
    found = inspect(form(issued))

    assert found.what == "a certificate"
    assert fact(found, "subject") == name_text(issued.subject)
    assert fact(found, "serial number, decimal") == str(issued.serial_number)
    assert fact(found, "extendedKeyUsage") == "clientAuth"


def test_a_certificate_of_this_server_is_found_and_would_authenticate(issued):
    found = inspect(issued.public_bytes(PEM))

    row = IssuedCertificate.objects.get(common_name="sensor-1")
    assert found.rows == [row]
    assert "authenticates a device" in sentences(found, "OK")
    assert "was issued here to sensor-1" in sentences(found, "OK")
    assert sentences(found, "FAIL") == ""


def test_a_revoked_and_denied_certificate_is_said_to_be_both(issued):
    row = IssuedCertificate.objects.get(common_name="sensor-1")
    revoke_certificate(row, reason="superseded", actor=TESTER)
    deny("device-serial", "a-1", reason="stolen", actor=TESTER)

    failed = sentences(inspect(issued.public_bytes(PEM)), "FAIL")

    assert "superseded" in failed
    assert "client-certificate-revoked" in failed
    assert "stolen" in failed


def test_a_client_behind_an_intermediate_authenticates_with_its_chain_alone(trust):
    root = make_ca("Factory root")
    between = make_ca("Line 2", issuer=root)
    trust(root)
    client = make_certificate(between, "factory-client")
    chain = client.public_bytes(PEM) + between.certificate.public_bytes(PEM)

    alone, (with_chain, ca) = inspect(client.public_bytes(PEM)), inspect(chain).parts

    assert "client-certificate-untrusted" in sentences(alone, "FAIL")
    assert "authenticates a client of the CA outside" in sentences(with_chain, "OK")
    assert "authenticates no client" in sentences(ca, "OK")


def test_the_lint_is_asked_of_what_cas_issue(issued, trust):
    other = make_ca("Elsewhere")
    trust(other)
    client = make_certificate(other, "factory-client", extensions=[])

    sound, found = inspect(issued.public_bytes(PEM)), inspect(client.public_bytes(PEM))

    assert sentences(sound, "WARN") == ""
    assert "lacks digitalSignature" in sentences(found, "WARN")


def test_a_ca_on_record_is_named(device_ca):
    found = inspect(device_ca.pem.encode())

    assert found.rows == [device_ca]
    assert "It is the CA device-ca. Active." in sentences(found)


def test_a_csr_is_checked_by_the_profile_of_the_label(installation, add_label):
    add_label("strict", key_algorithms=["ec-p384"])
    csr = make_csr("sensor-1", san=[x509.DNSName("sensor-1")])

    granted, refused = inspect(csr), inspect(csr, label="strict")

    assert fact(granted, "subjectAltName") == "sensor-1"
    assert "passes the rules" in sentences(granted, "OK")
    assert "key-not-allowed" in sentences(refused, "FAIL")


def test_T91_a_challenge_password_is_named_and_not_shown(installation):
    csr = make_csr(attributes=[(AttributeOID.CHALLENGE_PASSWORD, b"hunter2-hunter2")])

    found = json.dumps(inspect(csr).as_json())

    assert "challengePassword" in found
    assert "hunter2" not in found


def test_a_public_key_leads_to_the_certificates_that_have_it(issued):
    found = inspect(issued.public_key().public_bytes(PEM, SPKI))

    assert found.what == "a public key"
    assert found.rows == [IssuedCertificate.objects.get(common_name="sensor-1")]
    assert "sensor-1" in sentences(found)


def test_the_rules_of_keys_are_asked(installation):
    sound = make_key("rsa-2048").public_key().public_bytes(DER, PublicFormat.PKCS1)
    small = ec.generate_private_key(ec.SECP224R1()).public_key().public_bytes(PEM, SPKI)

    assert "passes the checks" in sentences(inspect(sound), "OK")
    assert "key-not-allowed" in sentences(inspect(small), "FAIL")


def test_a_certs_only_pkcs7_shows_each_certificate(est_client):
    answer = est_client.cacerts()

    found = inspect(base64.b64decode(answer.body))

    assert found.what == "a PKCS #7"
    assert [part.what for part in found.parts] == ["a certificate"]
    assert "It is the CA device-ca" in sentences(found.parts[0])


@pytest.mark.parametrize("wrap", [lambda one: one, base64.b64encode], ids=["plain", "base64"])
@pytest.mark.parametrize(
    "key",
    [
        make_key().private_bytes(PEM, PrivateFormat.PKCS8, NoEncryption()),
        make_key().private_bytes(PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
        make_key().private_bytes(PEM, PrivateFormat.OpenSSH, NoEncryption()),
        make_key().private_bytes(PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")),
        make_key().private_bytes(DER, PrivateFormat.PKCS8, NoEncryption()),
        make_key("rsa-2048").private_bytes(DER, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
        pkcs12.serialize_key_and_certificates(b"x", make_key(), None, None, NoEncryption()),
        make_ca().certificate.public_bytes(PEM)
        + make_key().private_bytes(PEM, PrivateFormat.PKCS8, NoEncryption()),
    ],
    ids=["pkcs8", "sec1", "openssh", "encrypted", "der", "pkcs1", "pkcs12", "after-a-certificate"],
)
def test_T91_a_private_key_is_refused_unread(key, wrap, installation, caplog):
    with caplog.at_level(logging.DEBUG), pytest.raises(OperatorError, match="private key") as told:
        inspect(wrap(key))

    middle = key[len(key) // 2 :][:20]
    assert middle not in str(told.value).encode()
    assert middle not in caplog.text.encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b"\x30\x03\x02\x01",
        b"{}",
        b'{"status": 1}',
        b'{"status":' * 6000,
        b"-----BEGIN CERTIFICATE-----\nnot base64 %%\n-----END CERTIFICATE-----",
        b"-----BEGIN CERTIFICATE-----\nAAAA",
        b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----",
        b"A" * (MOST_BYTES + 1),
        base64.b64encode(b"\x30" * 100),
    ],
)
def test_what_is_nothing_of_these_is_refused_with_what_would_be(content, installation):
    with pytest.raises(OperatorError, match=r"(Give|Copy|has none|ends with|at most)"):
        inspect(content)


def test_a_certificate_that_cannot_be_read_names_the_part_at_fault(device_ca):
    der = bytearray(device_ca.certificate.public_bytes(DER))
    place = der.index(b"\xa0\x03\x02\x01\x02")
    der[place + 4] = 9

    found = inspect(bytes(der))

    assert "cannot be read" in found.what
    assert "version is 10" in sentences(found, "FAIL")


def test_many_certificates_are_read_up_to_a_bound(device_ca):
    found = inspect(device_ca.pem.encode() * (MOST_PARTS + 1))

    assert len(found.parts) == MOST_PARTS
    assert "Only the first" in sentences(found, "WARN")


def line(**changes):
    fields = {**dict.fromkeys(ACCESS_LOG_FIELDS, "-"), "requestId": "req-1", "status": "403"}
    return json.dumps({**fields, "domain": DOMAIN, **changes}).encode()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"status": "200", "integrationStatus": "200"}, "The client got 200"),
        ({"wafStatus": "403"}, "The WAF refused"),
        ({"domain": "abc.execute-api.eu-west-1.amazonaws.com"}, "default endpoint"),
        ({"integrationStatus": "403"}, "The function answered 403"),
        ({"error": "Forbidden", "errorType": "ACCESS_DENIED"}, "the function was not asked"),
        ({"clientNotAfter": "May 28 12:30:02 2019 GMT"}, "expired on 2019-05-28"),
    ],
)
def test_a_line_of_the_access_log_says_who_answered(changes, said, installation):
    assert said in sentences(inspect(line(**changes)))


def test_a_line_leads_to_the_certificate_and_the_refusal(issued, est_client):
    device = est_client.using(issued)
    response = device.simpleenroll(make_csr("sensor-2"))
    assert response.status_code == 403
    event = AuditEvent.objects.get(action="refuse-enroll")
    text = b"2026-11-27T08:00:00 log-stream " + line(
        requestId=event.request_id,
        integrationStatus="403",
        clientSerial=str(issued.serial_number),
        clientCertificate=issued.public_bytes(PEM).decode(),
    )

    found = inspect(text)

    assert event in found.rows
    assert IssuedCertificate.objects.get(common_name="sensor-1") in found.rows
    assert found.parts[0].what == "a certificate"


def test_T90_an_inspection_writes_nothing(issued, contents):
    before = contents()

    for content in (issued.public_bytes(PEM), make_csr("sensor-1"), line()):
        inspect(content)

    assert contents() == before
