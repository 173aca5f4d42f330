"""The certs-only message: byte for byte what the library's own writer makes."""

import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from pki.encoding.certs_only import certs_only, der_of
from tests.support.builders import make_ca, make_certificate


@pytest.fixture(scope="module")
def certificates():
    ca = make_ca("Device CA")
    return [make_certificate(ca, f"sensor-{number}") for number in range(5)]


def der(certificate):
    return certificate.public_bytes(Encoding.DER)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_W15_it_is_what_the_library_writes(certificates, count):
    chosen = certificates[:count]

    assert certs_only(map(der, chosen)) == pkcs7.serialize_certificates(chosen, Encoding.DER)


def test_W15_the_order_of_certificates_changes_nothing(certificates):
    forwards = certs_only(map(der, certificates))

    assert certs_only(map(der, reversed(certificates))) == forwards


def test_each_certificate_is_in_it_once(certificates):
    message = certs_only([der(certificates[0])] * 3)

    assert pkcs7.load_der_pkcs7_certificates(message) == certificates[:1]


@pytest.mark.parametrize("size", [100, 200, 40_000, 70_000])
def test_lengths_of_every_size_are_written(size):
    """X.690 8.1.3: one octet below 128, then as many as the length takes."""
    contents = bytes(size)

    parsed = subprocess.run(
        ["openssl", "asn1parse", "-inform", "DER"],
        input=certs_only([b"\x30\x84" + size.to_bytes(4, "big") + contents]),
        capture_output=True,
    )

    lines = parsed.stdout.decode().splitlines()
    assert "pkcs7-signedData" in lines[1]
    assert any(f"l={size:4d} prim" in line or f"l={size:>4} cons" in line for line in lines)


def test_pem_that_we_wrote_is_read_without_the_library(certificates):
    pem = "".join(each.public_bytes(Encoding.PEM).decode() for each in certificates)

    assert der_of(pem) == [der(each) for each in certificates]
    assert der_of("") == []
    assert x509.load_der_x509_certificate(der_of(pem)[0]) == certificates[0]
