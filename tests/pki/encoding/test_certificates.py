"""What is read from a certificate: the same answer wherever the product asks."""

import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki.encoding.certificates import (
    fingerprint_of,
    is_ca,
    is_signed_by,
    pem_of,
    san_of,
    serial_number_text,
)
from pki.encoding.der import fingerprint_of_der
from tests.support.builders import make_ca, make_certificate, make_csr

SECP256R1, SECP192R1_TWIN = (bytes.fromhex(f"06082a8648ce3d0301{last}") for last in ("07", "06"))
BASIC_CONSTRAINTS = bytes.fromhex("0603551d130101ff0405") + b"\x30\x03\x01\x01\xff"


@pytest.fixture(scope="module")
def ca():
    return make_ca("Device CA")


def changed(certificate, old, new):
    """The certificate with some of its bytes replaced; its signature no longer verifies."""
    der = certificate.public_bytes(Encoding.DER)
    assert old in der
    return x509.load_der_x509_certificate(der.replace(old, new))


def test_a_certificate_is_signed_by_its_issuer_alone(ca):
    certificate = make_certificate(ca, "sensor-1")

    assert is_signed_by(certificate, ca.certificate)
    assert not is_signed_by(certificate, make_ca("Another CA").certificate)


def test_a_ca_of_the_same_name_with_another_key_signed_nothing(ca):
    certificate = make_certificate(ca, "sensor-1")
    look_alike = changed(ca.certificate, SECP256R1, SECP192R1_TWIN)

    with pytest.raises(Exception, match="not supported"):
        look_alike.public_key()
    assert not is_signed_by(certificate, look_alike)


def test_a_ca_says_that_it_is_one(ca):
    assert is_ca(ca.certificate)
    assert not is_ca(make_certificate(ca, "sensor-1"))
    assert not is_ca(make_certificate(ca, "sensor-1", extensions=[]))


def test_basic_constraints_that_cannot_be_read_make_no_ca(ca):
    broken = changed(ca.certificate, BASIC_CONSTRAINTS, BASIC_CONSTRAINTS[:-3] + b"\x02\x01\xff")

    with pytest.raises(ValueError, match="parsing asn1"):
        _ = broken.extensions
    assert not is_ca(broken)


def test_a_san_is_found_in_a_certificate_and_in_a_csr(ca):
    san = x509.SubjectAlternativeName([x509.DNSName("sensor-1.example")])
    certificate = make_certificate(ca, "sensor-1", extensions=[(san, False)])
    csr = x509.load_der_x509_csr(make_csr(san=list(san)))

    assert san_of(certificate.extensions) == san_of(csr.extensions) == san
    assert san_of(make_certificate(ca, "sensor-1", extensions=[]).extensions) is None
    assert san_of(x509.load_der_x509_csr(make_csr()).extensions) is None


def test_a_fingerprint_is_of_the_whole_certificate_parsed_or_not(ca):
    der = ca.certificate.public_bytes(Encoding.DER)

    wanted = hashlib.sha256(der).hexdigest()
    assert fingerprint_of(ca.certificate) == fingerprint_of_der(der) == wanted


def test_a_serial_number_is_lower_case_hex():
    assert serial_number_text(0xABC) == "abc"


def test_pem_keeps_the_order(ca):
    certificates = [ca.certificate, make_certificate(ca, "sensor-1")]

    assert x509.load_pem_x509_certificates(pem_of(*certificates).encode()) == certificates
