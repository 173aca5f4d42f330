"""Whatever an operator has in hand finds the row, by an index, however many rows there are."""

import base64
import hashlib
import uuid

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from django.db import connection
from django.test.utils import CaptureQueriesContext

from pki.denylist.entries import deny
from pki.models import AuditEvent, IssuedCertificate
from pki.operators.errors import OperatorError
from pki.record.audit_trail import Actor
from pki.search import newest
from pki.search.find import find
from pki.search.findings import MOST_HITS
from tests.support.builders import make_csr, make_key

OPERATOR = Actor("command:tester")


@pytest.fixture
def certificate(est_client):
    """A device's certificate, beside the test client's own."""
    csr = make_csr("Sensor-1", serial_number="SN:42 b")
    assert est_client.simpleenroll(csr).status_code == 200
    return IssuedCertificate.objects.get(common_name="Sensor-1")


def colons(text):
    text = text.zfill(len(text) + len(text) % 2)
    return ":".join(text[i : i + 2] for i in range(0, len(text), 2))


def public_key_pem(row, form=PublicFormat.SubjectPublicKeyInfo):
    return row.to_x509().public_key().public_bytes(Encoding.PEM, form).decode()


def csr_pem(row):
    return x509.load_der_x509_csr(bytes(row.csr_der)).public_bytes(Encoding.PEM).decode()


ARN = "arn:aws:iot:eu-central-1:123456789012:cert/"
CERTIFICATE_FORMS = {
    "serial in hex": lambda row: row.serial_number,
    "serial in upper case with colons": lambda row: colons(row.serial_number).upper(),
    "serial with 0x": lambda row: f"0x{row.serial_number}",
    "serial with leading zeros": lambda row: f"00{row.serial_number}",
    "serial in decimal": lambda row: str(int(row.serial_number, 16)),
    "serial said to be decimal": lambda row: f"dec:{int(row.serial_number, 16)}",
    "serial as openssl prints it": lambda row: f" serial={row.serial_number.upper()}\n",
    "six digits of the serial": lambda row: row.serial_number[:6],
    "half of the serial with colons": lambda row: colons(row.serial_number[:20]).upper(),
    "all digits of the serial but one": lambda row: row.serial_number[:-1],
    "SHA-256": lambda row: row.fingerprint_sha256,
    "SHA-256 as openssl prints it": lambda row: (
        f"sha256 Fingerprint={colons(row.fingerprint_sha256).upper()}"
    ),
    "ARN": lambda row: ARN + row.fingerprint_sha256,
    "ARN in China": lambda row: ARN.replace("aws:", "aws-cn:") + row.fingerprint_sha256,
    "key": lambda row: row.key_sha256,
    "SHA-1": lambda row: hashlib.sha1(bytes(row.der)).hexdigest(),
    "SHA-1 as openssl prints it": lambda row: (
        f"SHA1 Fingerprint={colons(hashlib.sha1(bytes(row.der)).hexdigest()).upper()}"
    ),
    "request id": lambda row: row.request_id,
    "line that the device was answered": lambda row: (
        f"busy: The server is busy. (request {row.request_id})\n"
    ),
    "PEM": lambda row: row.pem,
    "PEM after words": lambda row: f"subject=CN = Sensor-1\n\n{row.pem}\n",
    "chain in PEM": lambda row: row.pem + row.ca.pem,
    "CSR in PEM": csr_pem,
    "CSR as EST sends it": lambda row: base64.encodebytes(bytes(row.csr_der)).decode(),
    "public key in PEM": public_key_pem,
    "public key in base64": lambda row: "".join(public_key_pem(row).splitlines()[1:-1]),
}
DEVICE_FORMS = {
    "name": lambda row: "Sensor-1",
    "name in another case": lambda row: "sENSOR-1",
    "beginning of the name": lambda row: "sens",
    "CN=": lambda row: "CN=Sensor-1",
    "subject as openssl prints it": lambda row: "subject=C = DE, CN = Sensor-1, O = Acme",
    "subject with slashes": lambda row: "/C=DE/CN=Sensor-1",
    "thing's ARN": lambda row: "arn:aws:iot:eu-central-1:123456789012:thing/Sensor-1",
    "device serial": lambda row: "SN:42 b",
    "device serial in another case": lambda row: " sn:42  B",
}


@pytest.mark.parametrize("form", CERTIFICATE_FORMS)
def test_each_form_finds_the_certificate_and_nothing_else(certificate, form):
    found = find(CERTIFICATE_FORMS[form](certificate))

    assert [hit.row for hit in found.hits] == [certificate], found
    assert found.only().kind == "Certificate"
    assert found.understood
    assert not found.advice


@pytest.mark.parametrize("form", DEVICE_FORMS)
def test_each_form_of_a_name_finds_the_device_and_nothing_else(certificate, form):
    found = find(DEVICE_FORMS[form](certificate))

    assert [(hit.kind, hit.title) for hit in found.hits] == [("Device", "Sensor-1")], found


def test_a_client_is_found_with_what_it_enrolled(certificate, installation):
    client = IssuedCertificate.objects.get(operation="client")

    groups = dict(find(client.fingerprint_sha256).groups())
    by_name = find(client.common_name)

    assert [hit.row for hit in groups["Certificate"]] == [client]
    assert [hit.row for hit in groups["Enrolled by this client"]] == [certificate]
    assert [(hit.kind, hit.row) for hit in by_name.hits] == [("Client certificate", client)]


def test_a_source_address_finds_what_was_asked_for_from_there(certificate):
    assert certificate.source_ip

    found = find(certificate.source_ip)

    assert [hit.row for hit in found.hits] == [certificate]


def test_a_refused_request_finds_its_event_by_id_and_by_address(certificate, est_client):
    refused = est_client.simplereenroll(make_csr("sensor-9"))
    (event,) = AuditEvent.objects.filter(action="refuse-reenroll")

    by_line = find(refused.text)
    by_address = find(event.source_ip)

    (hit,) = dict(by_line.groups())["Audit event"]  # the tests' requests share an id
    assert hit.row == event
    assert refused.reason in hit.detail
    assert event in [hit.row for hit in by_address.hits]


def test_cas_profiles_and_denials_are_found(certificate, device_ca):
    deny("name", "stolen-7", reason="stolen", actor=OPERATOR)
    deny("key", "ab" * 32, reason="lost", actor=OPERATOR)

    for term in (device_ca.pem, device_ca.fingerprint_sha256, device_ca.serial_number):
        assert [hit.row for hit in find(term).hits] == [device_ca]
    assert "CA" in dict(find("device-ca").groups())
    assert "Profile" in dict(find("default").groups())
    assert [hit.kind for hit in find("STOLEN").hits] == ["Denylist entry"]
    assert [hit.kind for hit in find("AB" * 32).hits] == ["Denylist entry"]


def test_a_denied_device_is_one_hit_because_its_page_shows_the_entry(certificate):
    deny("name", "sensor-1", reason="stolen", actor=OPERATOR)

    assert find("sensor-1").only().kind == "Device"


def test_a_released_name_is_still_found(certificate):
    IssuedCertificate.objects.filter(pk=certificate.pk).update(name_owner=None)

    assert [hit.title for hit in find("sensor").hits] == ["Sensor-1"]


def test_the_whole_name_comes_before_longer_ones_and_is_no_single_hit(est_client):
    for index, name in enumerate(("pump-12", "pump-1", "pump-10")):
        est_client.simpleenroll(make_csr(name, key=make_key(index=index)))

    found = find("pump-1")

    assert next(hit.title for _, hits in found.groups() for hit in hits) == "pump-1"
    assert len(found.hits) == 3
    assert found.only() is None


@pytest.fixture
def fleet(certificate):
    """Add copies of the certificate's row, each with a name of its own."""

    def make(count):
        rows = []
        for number in range(count):
            row = IssuedCertificate.objects.get(pk=certificate.pk)
            row.pk = uuid.uuid4()
            row.serial_number, row.fingerprint_sha256 = uuid.uuid4().hex, uuid.uuid4().hex * 2
            row.common_name, row.name_folded = f"unit-{number}", f"unit-{number}"
            row.name_owner, row.key_sha256 = row.name_folded, uuid.uuid4().hex * 2
            row.key_owner = row.current_name = row.request_key = None
            row.serial_folded = f"sn{number}"
            rows.append(row)
        IssuedCertificate.objects.bulk_create(rows)

    return make


def test_many_hits_are_shortened_and_this_is_said(fleet):
    fleet(MOST_HITS + 5)

    found = find("unit-")

    assert len(found.hits) == MOST_HITS
    assert found.shortened == ["Device"]


@pytest.mark.parametrize(
    "term", ["ensor", "%", "_", "'", "zz:yy", "9" * 60, "arn:aws:iot:eu:1:cert/xy", "ab" * 32]
)
def test_a_term_that_is_nothing_finds_nothing_and_says_what_to_try(certificate, term):
    found = find(term)

    assert found.hits == []
    assert "at least six hexadecimal digits" in " ".join(found.advice)
    assert found.understood


def test_no_term_is_no_search(installation):
    assert find("  ").hits == []
    assert find("  ").understood == []


@pytest.mark.parametrize("term", ["x" * 1001, "a\0b"])
def test_a_term_that_no_column_can_hold_is_refused(installation, term):
    with pytest.raises(OperatorError, match=r"^The search term has \d+ characters\."):
        find(term)


@pytest.mark.parametrize(
    "form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL, PrivateFormat.OpenSSH]
)
def test_T64_a_private_key_is_refused_unread(certificate, form, monkeypatch):
    def fail(*_):
        raise AssertionError("the key was read")

    key = make_key().private_bytes(Encoding.PEM, form, NoEncryption()).decode()
    for reader in ("read_certificate", "read_csr", "load_der_public_key", "pem_blocks"):
        monkeypatch.setattr(f"pki.search.pasted.{reader}", fail)

    with pytest.raises(OperatorError, match=r"is a private key\. It was not read") as refusal:
        find(f"{certificate.pem}\n{key}")

    assert not any(line in str(refusal.value) for line in key.splitlines()[1:])


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----\nMIIB",
        "-----BEGIN PGP MESSAGE-----\nMIIB\n-----END PGP MESSAGE-----",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
        "-----BEGIN RSA PUBLIC KEY-----\nAAAA\n-----END RSA PUBLIC KEY-----",
    ],
)
def test_pem_that_cannot_be_read_is_refused_in_words(installation, text):
    with pytest.raises(OperatorError, match="Copy it whole"):
        find(text)


def test_a_certificate_of_strangers_is_said_to_be_unknown(certificate):
    found = find(csr_pem(certificate).replace("\n", "\r\n"))
    assert found.only().row == certificate
    other = make_csr("stranger", key=make_key("ec-p384"))

    found = find(base64.b64encode(other).decode())

    assert found.hits == []
    assert "never seen a CSR with this key" in found.advice[0]


def test_what_has_no_index_is_looked_for_among_the_newest_and_this_is_said(
    certificate, fleet, monkeypatch
):
    monkeypatch.setattr(newest, "MOST_ROWS", 3)
    fleet(5)  # random keys, which are higher than any that begins with the time
    sha1 = hashlib.sha1(bytes(certificate.der)).hexdigest()
    IssuedCertificate.objects.exclude(pk=certificate.pk).update(der=b"other", source_ip="10.0.0.9")

    by_sha1, by_address = find(sha1), find(certificate.source_ip)

    assert by_sha1.hits == [] == by_address.hits
    assert "with --all" in " ".join(by_sha1.advice)
    assert "newest certificates and events only" in " ".join(by_address.advice)
    assert [hit.row for hit in find(sha1, walks_everything=True).hits] == [certificate]


@pytest.mark.skipif(
    "sqlite" not in connection.settings_dict["ENGINE"], reason="reads SQLite's query plan"
)
@pytest.mark.parametrize("form", [*CERTIFICATE_FORMS, *DEVICE_FORMS, "address"])
def test_no_form_walks_a_table(certificate, fleet, form, monkeypatch):
    fleet(50)
    if form == "address":
        monkeypatch.setattr(newest, "MOST_ROWS", 3)
    forms = CERTIFICATE_FORMS | DEVICE_FORMS | {"address": lambda row: "10.1.2.3"}
    with CaptureQueriesContext(connection) as queries:
        find(forms[form](certificate))

    assert 0 < len(queries) <= 16, [query["sql"] for query in queries]
    with connection.cursor() as cursor:
        for query in queries:
            cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
            steps = [step for *_, step in cursor.fetchall()]
            walked = [
                step
                for step in steps
                if step.startswith("SCAN pki_")
                and " USING " not in step
                and "authority" not in step
                and "profile" not in step
            ]
            assert walked == [], (query["sql"], steps)
