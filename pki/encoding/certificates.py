"""What is read from an X.509 certificate (RFC 5280): issuer's signature, CA flag, names, digests.

Every module that compares or identifies certificates asks here, so one certificate has one
fingerprint and one serial number text everywhere. This module imports ``cryptography``, so
/cacerts must not import it; `pki.encoding.der` has the fingerprint of bytes.
"""

import hashlib
from contextlib import suppress
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from pki.encoding.der import BIT_STRING, SEQUENCE, fingerprint_of_der, tlv
from pki.encoding.reading import UNREADABLE, is_rewritten
from pki.encoding.signatures import is_issued_by

# The order n of each curve's group (SEC 2, 2.4.2, 2.5.1 and 2.6.1).
_CURVE_ORDERS: Final = {
    "secp256r1": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "secp384r1": int(
        "F" * 48 + "C7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973",
        16,
    ),
    "secp521r1": int(
        "01" + "F" * 65 + "A51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409",
        16,
    ),
}


def is_signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Return whether ``issuer`` signed ``certificate``: its name and its signature (RFC 5280 6.1).

    Names are compared as RFC 5280 7.1 says, so string types, letter case and runs of spaces make no
    difference. The signature decides. One that ``cryptography`` does not know counts as not
    signed. Validity times and extensions are not compared.
    """
    try:
        if not is_rewritten(certificate) and not is_rewritten(issuer):
            # It compares the names' bytes, before the signature. Other bytes (a ValueError) mean
            # nothing here. Equal ones mean equal names, which need not be parsed then.
            with suppress(ValueError):
                certificate.verify_directly_issued_by(issuer)
                return True
        return is_issued_by(certificate, issuer)
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
        return False


def is_ca(certificate: x509.Certificate) -> bool:
    """Return whether the certificate says that it is a CA's (RFC 5280 4.2.1.9).

    A certificate without basicConstraints, or whose extensions cannot be read, is not.
    """
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except (x509.ExtensionNotFound, *UNREADABLE):
        return False
    return constraints.value.ca


def san_of(extensions: x509.Extensions) -> x509.SubjectAlternativeName | None:
    """Return the subject alternative name among a certificate's or CSR's extensions, if any."""
    try:
        return extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None


def fingerprint_of(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of the whole certificate, in lower-case hex."""
    return certificate.fingerprint(SHA256()).hex()


def signed_part_sha256(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of what the issuer signed (TBSCertificate, RFC 5280 4.1), in hex.

    Anybody can rewrite an ECDSA signature into another valid one. The certificate then has another
    fingerprint, and the same signed part.
    """
    return hashlib.sha256(certificate.tbs_certificate_bytes).hexdigest()


def with_other_signature(certificate: x509.Certificate, issuer: x509.Certificate) -> bytes | None:
    """Return the certificate in DER with the other ECDSA signature that verifies as well.

    Of a signature (r, s), (r, n - s) is valid too, n being the order of the curve's group. Returns
    None for another kind of signature, and for a curve that this server does not know.
    """
    key = issuer.public_key()
    order = (
        _CURVE_ORDERS.get(key.curve.name) if isinstance(key, ec.EllipticCurvePublicKey) else None
    )
    if order is None:
        return None
    der, signed = certificate.public_bytes(Encoding.DER), certificate.tbs_certificate_bytes
    r, s = decode_dss_signature(certificate.signature)
    before = der[der.index(signed) : -len(_signature_field(certificate.signature))]
    return tlv(SEQUENCE, before + _signature_field(encode_dss_signature(r, order - s)))


def other_fingerprint(certificate: x509.Certificate, issuer: x509.Certificate) -> str:
    """Return the fingerprint of ``with_other_signature``, or "" if there is none."""
    other = with_other_signature(certificate, issuer)
    return fingerprint_of_der(other) if other is not None else ""


def _signature_field(signature: bytes) -> bytes:
    return tlv(BIT_STRING, b"\0" + signature)


def serial_number_text(serial_number: int) -> str:
    """Return a serial number in lower-case hex, as the database, logs and pages have it."""
    return f"{serial_number:x}"


def pem_of(*certificates: x509.Certificate) -> str:
    """Return the certificates in PEM form, one after the other."""
    return "".join(one.public_bytes(Encoding.PEM).decode() for one in certificates)
