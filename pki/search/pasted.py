"""Read what an operator pastes: a certificate, a CSR or a public key. A private key is refused."""

import base64
import binascii
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key
from cryptography.x509.oid import NameOID

from pki.csr.public_keys import public_key_sha256
from pki.csr.thing_names import normal_serial
from pki.encoding.certificates import fingerprint_of, serial_number_text, signed_part_sha256
from pki.encoding.pem import (
    CERTIFICATE,
    CERTIFICATE_REQUEST,
    has_private_key,
    pem_blocks,
    unwrapped,
)
from pki.encoding.reading import UNREADABLE, read_certificate, read_csr
from pki.operators.errors import OperatorError

MOST_BYTES = 64 * 1024
"""Of a pasted text. A chain of RSA certificates is a tenth of it."""

_PUBLIC_KEY = "PUBLIC KEY"  # RFC 7468 13
_PKCS1 = b"-----BEGIN RSA PUBLIC KEY-----"  # RFC 8017 A.1.1
_SHORTEST = 100  # characters of base64: the SHA-256 of a key has 44, and a CSR has hundreds


@dataclass(frozen=True, slots=True)
class Pasted:
    """What a pasted text holds, as far as it can be looked up."""

    what: str
    """In words, with the article: "a certificate"."""
    key_sha256: str
    """Of its SubjectPublicKeyInfo, in lower-case hex."""
    fingerprint: str = ""
    """Of a certificate: the SHA-256 of its DER."""
    common_name: str = ""
    device_serial: str = ""
    """The subject's serialNumber (X.520), as it is recorded."""
    serial_number: str = ""
    """Of a certificate, in lower-case hex."""
    signed_sha256: str = ""
    """Of a certificate: the SHA-256 of what its issuer signed."""


def read_pasted(text: str) -> Pasted | None:
    """Return what the text holds; ``None`` if it is no PEM, nor base64 of DER.

    Of several certificates the first counts, which in a chain is the device's. Raises
    ``OperatorError`` for a private key, which is not read, and for what cannot be read.
    """
    content = text.encode()
    if has_private_key(content):
        raise OperatorError(
            "That is a private key. It was not read, and nothing of it was kept. Search with its "
            "certificate, its CSR or its public key. If other people could see the key on the way "
            "here, make a new one."
        )
    if len(content) > MOST_BYTES:
        raise OperatorError(
            f"The text has {len(content)} bytes. Paste one certificate, CSR or public key, of at "
            f"most {MOST_BYTES} bytes."
        )
    content = unwrapped(content)
    try:
        return _read_pem(content) if b"-----BEGIN " in content else _read_base64(content)
    except UNREADABLE as error:
        raise OperatorError(
            "The text is PEM, and no certificate, CSR or public key that can be read. Copy it "
            "whole, with its first and last line."
        ) from error


def _read_pem(content: bytes) -> Pasted:
    for der in pem_blocks(content, CERTIFICATE):
        return _of_certificate(read_certificate(der))
    for der in pem_blocks(content, CERTIFICATE_REQUEST):
        return _of_csr(read_csr(der))
    for der in pem_blocks(content, [_PUBLIC_KEY]):
        return Pasted("a public key", public_key_sha256(load_der_public_key(der)))
    if _PKCS1 in content:
        return Pasted("a public key", public_key_sha256(load_pem_public_key(content)))
    raise ValueError("There is no block of these kinds.")


def _read_base64(content: bytes) -> Pasted | None:
    """Return what base64 of DER holds, as EST sends a CSR (RFC 8951); ``None`` for other text.

    Raises ``OperatorError`` for DER of another kind, which may be a private key.
    """
    compact = b"".join(content.split())
    if len(compact) < _SHORTEST or not compact.startswith(b"M"):  # DER begins with 0x30
        return None
    try:
        der = base64.b64decode(compact, validate=True)
    except binascii.Error:
        return None
    readers: tuple[Callable[[], Pasted], ...] = (
        lambda: _of_certificate(read_certificate(der)),
        lambda: _of_csr(read_csr(der)),
        lambda: Pasted("a public key", public_key_sha256(load_der_public_key(der))),
    )
    for read in readers:
        with suppress(*UNREADABLE):
            return read()
    raise OperatorError(
        "The text is base64, and no certificate, CSR or public key. It was not kept. If it was a "
        "private key that other people could see on the way here, make a new one."
    )


def _of_certificate(certificate: x509.Certificate) -> Pasted:
    return Pasted(
        "a certificate",
        public_key_sha256(certificate.public_key()),
        fingerprint_of(certificate),
        _only(certificate.subject, NameOID.COMMON_NAME),
        normal_serial(_only(certificate.subject, NameOID.SERIAL_NUMBER)),
        serial_number_text(certificate.serial_number),
        signed_part_sha256(certificate),
    )


def _of_csr(csr: x509.CertificateSigningRequest) -> Pasted:
    return Pasted(
        "a CSR",
        public_key_sha256(csr.public_key()),
        common_name=_only(csr.subject, NameOID.COMMON_NAME),
        device_serial=normal_serial(_only(csr.subject, NameOID.SERIAL_NUMBER)),
    )


def _only(subject: x509.Name, kind: x509.ObjectIdentifier) -> str:
    """Return the attribute of a subject; "" if it has none, or several."""
    found = subject.get_attributes_for_oid(kind)
    return str(found[0].value) if len(found) == 1 else ""
