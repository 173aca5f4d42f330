"""``/simpleenroll``: a CSR in, one certificate out."""

import base64
import logging
import random
import socket
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import AttributeOID, ExtendedKeyUsageOID, ExtensionOID, NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pki.models import AuditEvent, IssuedCertificate
from tests.support.builders import make_ca, make_certificate, make_csr, make_key, make_name
from tests.support.est_client import ESTClient
from tests.support.transports import through_socket

CMC_RA = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.28")
Issued = IssuedCertificate.objects.exclude(operation="client")


def spki(public_key):
    return public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("algorithm", ["ec-p256", "ec-p384", "ec-p521", "rsa-2048", "rsa-3072"])
def test_W20_W21_success_is_exactly_the_issued_certificate_for_the_csrs_key(
    est_client, device_ca, algorithm
):
    key = make_key(algorithm)

    response = est_client.simpleenroll(make_csr("sensor-1", key=key))

    assert response["Content-Type"] == "application/pkcs7-mime; smime-type=certs-only"
    assert spki(response.certificate.public_key()) == spki(key.public_key())
    response.certificate.verify_directly_issued_by(device_ca.certificate)


def test_W20_openssl_reads_the_reply(est_client, tmp_path):
    response = est_client.simpleenroll(make_csr("sensor-1", serial_number="4711"))
    (tmp_path / "reply").write_bytes(base64.b64decode(response.body))

    said = subprocess.run(
        ["openssl", "pkcs7", "-inform", "DER", "-in", "reply", "-print_certs", "-noout"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert said.count("subject=") == 1
    assert "CN = sensor-1, serialNumber = 4711" in said


def test_W19_T11_no_flipped_byte_of_a_csr_gets_a_certificate_for_another_key(est_client):
    csr = make_csr("sensor-1")
    wanted = spki(make_key().public_key())
    rng = random.Random(7)

    signed = x509.load_der_x509_csr(csr).tbs_certrequest_bytes
    begin = csr.index(signed)

    for position in rng.sample(range(len(csr)), 120):
        flipped = bytearray(csr)
        flipped[position] ^= 1 << rng.randrange(8)
        response = est_client.simpleenroll(bytes(flipped))
        if response.status_code == 200:
            # The count of unused bits before the signature says nothing, so it may say anything.
            assert not begin <= position < begin + len(signed)
            assert spki(response.certificate.public_key()) == wanted
        else:
            assert response.status_code == 400, position
            assert response.body.count(b"\n") == 1

    assert spki(est_client.simpleenroll(csr).certificate.public_key()) == wanted


def test_W19_a_csr_signed_by_another_key_is_refused(est_client):
    csr = make_csr("sensor-1")
    other = make_csr("sensor-1", key=make_key("ec-p256", 5))
    der = csr[: -len(x509.load_der_x509_csr(csr).signature)]
    forged = der + x509.load_der_x509_csr(other).signature[: len(csr) - len(der)]

    response = est_client.simpleenroll(forged)

    assert response.status_code == 400
    assert response.reason in ("proof-of-possession-failed", "csr-malformed")


def test_W24_without_a_certificate_401_with_it_but_not_allowed_403(est_client, stranger):
    csr = make_csr("sensor-1")
    outsider = est_client.using(make_certificate(make_ca("elsewhere"), "sensor-1"))

    assert stranger.simpleenroll(csr).status_code == 401
    assert outsider.simpleenroll(csr).status_code == 403
    assert not Issued.exists()


def test_W43_T08_a_401_carries_a_challenge_and_no_cookie_authenticates(stranger):
    for headers in ({}, {"Cookie": "sessionid=x; csrftoken=y"}, {"Authorization": "Basic eDp5"}):
        response = stranger.request(
            "POST",
            stranger.url("simpleenroll"),
            make_csr(),
            {"Content-Type": "application/pkcs10", **headers},
        )
        assert response.status_code == 401
        assert response["WWW-Authenticate"].startswith('Basic realm="est"')
        assert "set-cookie" not in response.headers


def test_T08_an_admins_session_is_nothing_to_the_device_side(stranger, client, django_user_model):
    admin = django_user_model.objects.create_superuser("admin", password="x" * 16)
    client.force_login(admin)
    cookie = f"sessionid={client.cookies['sessionid'].value}"

    response = stranger.request(
        "POST", stranger.url("simpleenroll"), make_csr(), {"Cookie": cookie}
    )

    assert (response.status_code, response.reason) == (401, "client-certificate-missing")


def test_W24_nobody_unknown_gets_his_csr_read(stranger):
    for body in (b"", b"junk", b"\0" * 100_000):
        response = stranger.request("POST", stranger.url("simpleenroll"), body)
        assert (response.status_code, response.reason) == (401, "client-certificate-missing")


def test_W25_an_ra_certificate_is_no_way_round_the_identity_rule(
    est_client, trust, change_default_profile
):
    factory = make_ca("factory")
    trust(factory)
    change_default_profile(identity_rule="same-cn")
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, CMC_RA])
    ra = make_certificate(factory, "ra", extensions=[(usage, False)])

    response = est_client.using(ra).simpleenroll(make_csr("sensor-1"))

    assert (response.status_code, response.reason) == (403, "name-not-yours")


def test_W49_a_challenge_password_is_refused_or_ignored_by_setting_and_never_copied(
    est_client, change_default_profile, caplog
):
    secret = b"otp-5f3a9c"
    csr = make_csr("sensor-1", attributes=[(AttributeOID.CHALLENGE_PASSWORD, secret)])

    with caplog.at_level(logging.INFO, "estserver.enrollment"):
        certificate = est_client.simpleenroll(csr).certificate
    change_default_profile(pop_linking="refuse")
    refused = est_client.simpleenroll(csr)

    assert secret not in certificate.public_bytes(Encoding.DER)
    assert (refused.status_code, refused.reason) == (400, "pop-linking-unverifiable")
    said = refused.text + caplog.text + "".join(str(e.__dict__) for e in AuditEvent.objects.all())
    assert secret.decode() not in said
    (line,) = [each for each in caplog.messages if "challengePassword" in each]
    assert line == f"the challengePassword of {Issued.get()} was ignored: it is unverified"


def test_W23_T18_the_same_csr_again_gets_the_same_certificate(est_client):
    csr = make_csr("sensor-1")

    replies = [est_client.simpleenroll(csr) for _ in range(20)]

    assert len({reply.body for reply in replies}) == 1
    assert Issued.count() == 1


def test_T18_a_csr_replayed_by_somebody_else_gets_nothing(est_client, make_client_certificate):
    csr = make_csr("sensor-1")
    assert est_client.simpleenroll(csr).status_code == 200

    response = est_client.using(make_client_certificate("thief")).simpleenroll(csr)

    assert (response.status_code, response.reason) == (403, "name-bound-to-another")
    assert Issued.count() == 1


def test_T18_after_the_window_the_same_csr_is_a_new_request(est_client, change_default_profile):
    change_default_profile(idempotency_seconds=0)
    csr = make_csr("sensor-1")

    first, second = (est_client.simpleenroll(csr).certificate for _ in range(2))

    assert first.serial_number != second.serial_number


PROFILE_EXTENSIONS = {
    ExtensionOID.BASIC_CONSTRAINTS: True,
    ExtensionOID.KEY_USAGE: True,
    ExtensionOID.EXTENDED_KEY_USAGE: False,
    ExtensionOID.SUBJECT_KEY_IDENTIFIER: False,
    ExtensionOID.AUTHORITY_KEY_IDENTIFIER: False,
}
SMUGGLED = [
    x509.BasicConstraints(ca=True, path_length=None),
    x509.KeyUsage(True, True, True, True, True, True, True, False, False),
    x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, CMC_RA]),
    x509.SubjectKeyIdentifier(b"x" * 20),
    x509.AuthorityKeyIdentifier(b"x" * 20, None, None),
    x509.NameConstraints([x509.DNSName("example.com")], None),
    x509.AuthorityInformationAccess(
        [
            x509.AccessDescription(
                x509.AuthorityInformationAccessOID.OCSP,
                x509.UniformResourceIdentifier("http://127.0.0.1:9/canary"),
            )
        ]
    ),
    x509.OCSPNoCheck(),
    x509.InhibitAnyPolicy(0),
]


@given(
    known=st.lists(st.sampled_from(SMUGGLED), unique_by=lambda one: one.oid, max_size=9),
    unknown=st.dictionaries(
        st.integers(1, 9999).map(lambda arc: f"1.3.6.1.4.1.99999.{arc}"),
        st.binary(max_size=40),
        max_size=5,
    ),
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_T34_whatever_a_csr_asks_for_the_extensions_are_the_profiles(est_client, known, unknown):
    unknown = [x509.UnrecognizedExtension(x509.ObjectIdentifier(o), v) for o, v in unknown.items()]
    csr = make_csr("sensor-1", extensions=[*known, *unknown])

    certificate = est_client.simpleenroll(csr).certificate

    assert {one.oid: one.critical for one in certificate.extensions} == PROFILE_EXTENSIONS
    value = {one.oid: one.value for one in certificate.extensions}
    assert not value[ExtensionOID.BASIC_CONSTRAINTS].ca
    usage = value[ExtensionOID.KEY_USAGE]
    assert usage.digital_signature
    assert not usage.key_cert_sign
    assert list(value[ExtensionOID.EXTENDED_KEY_USAGE]) == [ExtendedKeyUsageOID.CLIENT_AUTH]


@given(
    name=st.text("abcXYZ019:_-", min_size=1, max_size=64),
    encoding=st.sampled_from(["utf8", "printable"]),
)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_T14_the_issued_name_is_the_stored_name_is_the_requested_name(installation, name, encoding):
    IssuedCertificate.objects.exclude(operation="client").update(name_owner=None, key_owner=None)
    printable = x509.name._ASN1Type.PrintableString
    kind = printable if encoding == "printable" and "_" not in name else None
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name, kind)])

    client = ESTClient.from_files(installation / "test-client.pem")
    certificate = client.simpleenroll(make_csr(subject=subject)).certificate

    (issued,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    row = IssuedCertificate.objects.get(fingerprint_sha256=certificate.fingerprint(SHA256()).hex())
    assert issued.value == row.common_name == name
    assert row.name_folded == name.casefold()


AMBIGUOUS = {
    "two common names": x509.Name([*make_name("a"), *make_name("b")]),
    "joined attributes": x509.Name(
        [
            x509.RelativeDistinguishedName(
                [
                    x509.NameAttribute(NameOID.COMMON_NAME, "a"),
                    x509.NameAttribute(NameOID.SERIAL_NUMBER, "1"),
                ]
            )
        ]
    ),
    "none": x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example")]),
    "nothing": x509.Name([]),
    "a newline": make_name("sensor-1\n"),
    "NUL": make_name("sensor-1\0"),
    "a look-alike": make_name("sens\u043er-1"),
    "fullwidth": make_name("\uff53ensor-1"),
    "bidi": make_name("sensor-1\u202e"),
    "a formula": make_name("=cmd|' /C calc'!A0"),
    "markup": make_name("<script>alert(1)</script>"),
    "a space": make_name("sensor 1"),
    "a dollar": make_name("$aws"),
    "a plus": make_name("sensor+1"),
    "a slash": make_name("a/b"),
}


@pytest.mark.parametrize("what", AMBIGUOUS)
def test_T14_T15_a_subject_that_could_be_read_in_two_ways_is_refused(est_client, what):
    response = est_client.simpleenroll(make_csr(subject=AMBIGUOUS[what]))

    assert response.status_code == 400
    assert response.body.count(b"\n") == 1
    assert response.body.isascii()
    assert not Issued.exists()


def test_T32_no_address_in_a_csr_is_ever_called(est_client, monkeypatch):
    monkeypatch.setattr(socket.socket, "connect", lambda *args: pytest.fail("a connection"))
    csr = make_csr("sensor-1", extensions=[SMUGGLED[6]])

    assert est_client.simpleenroll(csr).status_code == 200


def test_the_tls_server_issues_too(est_client):
    response = through_socket(
        "POST",
        est_client.url("simpleenroll"),
        certificate=est_client.certificate,
        headers={"Content-Type": "application/pkcs10"},
        body=make_csr("sensor-1"),
    )

    row = Issued.get()
    assert response.certificate == row.to_x509()
    assert row.source_ip == "198.51.100.7"
