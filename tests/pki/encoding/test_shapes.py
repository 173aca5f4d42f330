"""A structure is told by its outermost parts, a private key before anything of it is read."""

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    pkcs7,
    pkcs12,
)

from pki.encoding.shapes import Shape, shape_of
from tests.support.builders import make_ca, make_certificate, make_csr, make_key

EC, RSA = make_key(), make_key("rsa-2048")
CA = make_ca()
DER = Encoding.DER


def private(key, form, encryption=None):
    return key.private_bytes(DER, form, encryption or NoEncryption())


@pytest.mark.parametrize(
    "der",
    [
        private(EC, PrivateFormat.PKCS8),
        private(RSA, PrivateFormat.PKCS8),
        private(EC, PrivateFormat.TraditionalOpenSSL),
        private(RSA, PrivateFormat.TraditionalOpenSSL),
        private(RSA, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")),
        pkcs12.serialize_key_and_certificates(b"x", EC, None, None, NoEncryption()),
    ],
    ids=["pkcs8-ec", "pkcs8-rsa", "sec1", "pkcs1", "encrypted", "pkcs12"],
)
def test_T91_every_form_of_a_private_key_is_known_before_it_is_read(der):
    assert shape_of(der) is Shape.PRIVATE_KEY


@pytest.mark.parametrize(
    ("der", "shape"),
    [
        (CA.certificate.public_bytes(DER), Shape.CERTIFICATE),
        (make_certificate(CA).public_bytes(DER), Shape.CERTIFICATE),
        (make_csr(), Shape.CSR),
        (EC.public_key().public_bytes(DER, PublicFormat.SubjectPublicKeyInfo), Shape.PUBLIC_KEY),
        (RSA.public_key().public_bytes(DER, PublicFormat.PKCS1), Shape.PUBLIC_KEY),
        (pkcs7.serialize_certificates([CA.certificate], DER), Shape.PKCS7),
        (b"", Shape.OTHER),
        (b"\x30\x00", Shape.OTHER),
        (b"\x30\x80\x00\x00", Shape.OTHER),
        (b"not DER at all", Shape.OTHER),
    ],
    ids=[
        "ca",
        "certificate",
        "csr",
        "public-key",
        "pkcs1-public-key",
        "pkcs7",
        "nothing",
        "empty-sequence",
        "indefinite-length",
        "text",
    ],
)
def test_other_structures_are_told_apart(der, shape):
    assert shape_of(der) is shape
