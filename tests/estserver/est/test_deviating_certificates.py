"""Client certificates as factories made them: read as they came, and compared by RFC 5280 7.1."""

import datetime
import hashlib
import io
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.core.management import call_command

from pki.authorities.import_ca import import_authority
from pki.authorities.pem_files import read_certificates
from pki.encoding.der import SEQUENCE, tlv
from pki.encoding.nodes import children, whole
from pki.encoding.pem import pem_text
from pki.issuance.client_authentication import authenticate_certificate
from pki.models import CertificateAuthority, IssuedCertificate
from tests.conftest import TESTER
from tests.support.builders import make_ca, make_certificate, make_csr, make_key, make_name
from tests.support.by_hand import (
    ALGORITHM,
    ECDSA_SHA256_NULL,
    EXTENSIONS,
    ISSUER,
    KEY,
    SUBJECT,
    printable,
    resigned,
)
from tests.support.openssl import openssl

CASES = Path(__file__).parents[2] / "cases"
DEVIATING = ["client-null", "client-underscore", "client-t61", "client-critical-false"]
OTHER_NAMES = ["client-issuer-utf8", "client-issuer-case"]
EXPLICIT_P256 = bytes.fromhex(
    "3081f7020101302c06072a8648ce3d0101022100ffffffff00000001000000000000000000000000ffffffffff"
    "ffffffffffffff305b0420ffffffff00000001000000000000000000000000fffffffffffffffffffffffc0420"
    "5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b031500c49d360886e704936a66"
    "78e1139d26b7819f7e900441046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5022100ffffffff00000000ffff"
    "ffffffffffffbce6faada7179e84f3b9cac2fc632551020101"
)
"""Of RFC 5480 2.1.1's specifiedCurve, as OpenSSL writes P-256 with ec_param_enc:explicit."""


def client_in(name):
    (certificate,) = read_certificates(CASES / f"{name}.pem")
    return certificate


@pytest.fixture
def acme(change_default_profile):
    """The CA of the clients in the cases, whose clients may use the default profile."""
    authority = import_authority(
        CertificateAuthority.Purpose.CLIENT,
        "acme",
        read_certificates(CASES / "client-ca.pem"),
        key=None,
        signer="",
        actor=TESTER,
    )
    change_default_profile(client_cas=["acme"])
    return authority


@pytest.fixture
def factory(trust):
    ca = make_ca("Factory CA")
    trust(ca)
    return ca


@pytest.mark.parametrize("name", DEVIATING + OTHER_NAMES)
def test_W27_T13_a_client_of_a_trusted_ca_enrolls_with_its_deviation(acme, est_client, name):
    certificate = client_in(name)

    response = est_client.using(certificate).simpleenroll(make_csr("sensor-1"))

    assert response.status_code == 200
    der = certificate.public_bytes(Encoding.DER)
    (row,) = IssuedCertificate.objects.filter(common_name="sensor-1")
    assert row.client_fingerprint == hashlib.sha256(der).hexdigest()
    signed = children(whole(der))[0].encoded
    assert row.client_signed_sha256 == hashlib.sha256(signed).hexdigest()


@pytest.mark.parametrize("name", DEVIATING)
def test_T40_a_deviating_client_is_denied_by_its_very_certificate(acme, est_client, name):
    call_command(
        "deny", "client", str(CASES / f"{name}.pem"), reason="stolen", stdout=io.StringIO()
    )

    response = est_client.using(client_in(name)).simpleenroll(make_csr("sensor-1"))

    assert (response.status_code, response.reason) == (403, "client-denied")


@pytest.mark.parametrize(
    "fields",
    [
        {ALGORITHM: ECDSA_SHA256_NULL},
        {SUBJECT: printable(make_name("dev_01").public_bytes())},
        {},
    ],
    ids=["null", "underscore", "as it should be"],
)
def test_T13_another_key_of_the_same_name_signs_for_nobody(factory, est_client, fields):
    """A deviation, or a name that is equal only by RFC 5280 7.1, never replaces the signature."""
    leaf = make_certificate(factory, "dev-01")
    for issuer in (factory.certificate.subject, make_name("FACTORY  ca")):
        changed = {**fields, ISSUER: issuer.public_bytes()}
        outside = fields.get(ALGORITHM, bytes.fromhex("300a06082a8648ce3d040302"))
        own = resigned(leaf, factory.key, changed, outside=outside)
        forged = resigned(leaf, make_key("ec-p256", 77), changed, outside=outside)

        assert authenticate_certificate(own).authority.name == "outside"
        response = est_client.using(_AsBytes(forged)).simpleenroll(make_csr("sensor-1"))
        assert (response.status_code, response.reason) == (403, "client-certificate-untrusted")


def test_T13_a_signature_over_the_rewritten_certificate_is_none(factory, est_client):
    leaf = make_certificate(factory, "dev-01")
    odd = printable(make_name("dev_01").public_bytes())
    sent = resigned(leaf, factory.key, {SUBJECT: odd})
    rewritten = resigned(leaf, factory.key, {SUBJECT: make_name("dev_01").public_bytes()})
    signature = children(whole(rewritten))[2].encoded
    signed, algorithm, _ = children(whole(sent))
    forged = tlv(SEQUENCE, signed.encoded + algorithm.encoded + signature)

    assert authenticate_certificate(sent).common_name == "dev_01"
    response = est_client.using(_AsBytes(forged)).simpleenroll(make_csr("sensor-1"))
    assert (response.status_code, response.reason) == (403, "client-certificate-untrusted")


def test_T13_null_inside_only_is_not_taken(factory, est_client):
    leaf = make_certificate(factory, "dev-01")

    der = resigned(leaf, factory.key, {ALGORITHM: ECDSA_SHA256_NULL})

    response = est_client.using(_AsBytes(der)).simpleenroll(make_csr("sensor-1"))
    assert (response.status_code, response.reason) == (403, "client-certificate-malformed")
    assert "signature algorithm differs between the signed part and the outside" in response.text


def test_W27_T13_an_intermediate_may_have_a_name_of_other_letters(factory, est_client):
    """The names are joined by RFC 5280 7.1 at each step of the path."""
    middle = make_ca("Line  7", issuer=factory)
    leaf = make_certificate(middle, "dev-01")
    leaf_der = resigned(leaf, middle.key, {ISSUER: make_name("LINE 7").public_bytes()})
    middle_der = resigned(
        middle.certificate, factory.key, {ISSUER: make_name("factory CA").public_bytes()}
    )

    client = authenticate_certificate(leaf_der, (leaf_der, middle_der))

    assert client.authority.name == "outside"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {EXTENSIONS: lambda field: _with_first_extension_twice(field)},
            "The client certificate's extensions have basicConstraints twice. Send each",
        ),
        (
            {SUBJECT: printable(make_name("a$b").public_bytes())},
            "The client certificate's subject has the commonName as a PrintableString with the "
            "character '$'. Write",
        ),
        (
            {KEY: lambda field: _explicit(field)},
            "has an EC key that spells the parameters of its curve out. Make a key",
        ),
        ({0: b"\xa0\x03\x02\x01\x07"}, "The client certificate's version is 8. Make it as"),
    ],
    ids=["extension twice", "dollar", "explicit curve", "version 8"],
)
def test_T09_a_client_certificate_that_cannot_be_read_is_refused_by_its_part(
    factory, est_client, fields, said
):
    der = resigned(make_certificate(factory, "dev-01"), factory.key, fields)

    response = est_client.using(_AsBytes(der)).simpleenroll(make_csr("sensor-1"))

    assert (response.status_code, response.reason) == (403, "client-certificate-malformed")
    assert said in response.text


def test_T10_a_csr_over_a_curve_in_explicit_parameters_is_refused(tmp_path, est_client):
    made = openssl(
        *("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
        *("-pkeyopt", "ec_param_enc:explicit", "-nodes", "-keyout", tmp_path / "key.pem"),
        *("-subj", "/CN=sensor-1", "-outform", "DER", "-out", tmp_path / "csr.der"),
    )
    assert made.returncode == 0, made.stderr
    der = (tmp_path / "csr.der").read_bytes()
    assert x509.load_der_x509_csr(der).is_signature_valid  # the library takes it

    response = est_client.simpleenroll(der)

    assert (response.status_code, response.reason) == (400, "key-not-allowed")
    assert "Name the curve (RFC 5480 2.1.1)" in response.text


def test_T13_the_dates_of_a_deviating_certificate_count(factory, est_client):
    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    leaf = make_certificate(
        factory, "x", not_before=past, not_after=past + datetime.timedelta(days=1)
    )
    der = resigned(leaf, factory.key, {SUBJECT: printable(make_name("dev_01").public_bytes())})

    response = est_client.using(_AsBytes(der)).simpleenroll(make_csr("sensor-1"))

    assert (response.status_code, response.reason) == (403, "client-certificate-expired")


class _AsBytes:
    """What the client presents, for an EST client that asks for its PEM."""

    subject = issuer = make_name("for the event alone")
    serial_number = 1

    def __init__(self, der):
        self._der = der

    def public_bytes(self, encoding):
        return (
            self._der if encoding is Encoding.DER else pem_text(self._der, "CERTIFICATE").encode()
        )


def _with_first_extension_twice(field):
    (extensions,) = children(whole(field))
    each = [one.encoded for one in children(extensions)]
    constraints = next(one for one in each if b"\x06\x03\x55\x1d\x13" in one)
    return tlv(b"\xa3", tlv(SEQUENCE, b"".join([*each, constraints])))


def _explicit(field):
    algorithm, key = children(whole(field))
    kind = children(algorithm)[0].encoded
    return tlv(SEQUENCE, tlv(SEQUENCE, kind + EXPLICIT_P256) + key.encoded)
