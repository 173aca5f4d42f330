"""Verify the signature of a certificate or CSR over given bytes.

``cryptography`` verifies what it has parsed. Where that is a rewritten copy, or the names differ in
their encoding, the bytes as they came are verified here with the same algorithms.
"""

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding

from pki.encoding.names import names_equal
from pki.encoding.nodes import children, whole


def has_valid_signature(
    signed_object: x509.Certificate | x509.CertificateSigningRequest,
    signed: bytes,
    key: CertificatePublicKeyTypes,
) -> bool:
    """Return whether the object's signature is that of ``key`` over ``signed``.

    MD5 and SHA-1 count as no signature. So does an algorithm that ``cryptography`` does not know,
    and one that is not of the key's kind.
    """
    try:
        algorithm = signed_object.signature_hash_algorithm
        if isinstance(algorithm, hashes.MD5 | hashes.SHA1):
            return False
        parameters = signed_object.signature_algorithm_parameters
        signature = signed_object.signature
        if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(parameters, ec.ECDSA):
            key.verify(signature, signed, parameters)
        elif (
            isinstance(key, rsa.RSAPublicKey)
            and isinstance(parameters, padding.PKCS1v15 | padding.PSS)
            and algorithm is not None
        ):
            key.verify(signature, signed, parameters, algorithm)
        elif isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey) and not algorithm:
            key.verify(signature, signed)
        else:
            return False
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


def is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Return whether ``issuer`` signed ``certificate``, by the bytes as they came (RFC 5280 6.1).

    Names are compared as RFC 5280 7.1 says. The algorithm is named twice, and has to be the same
    both times (RFC 5280 4.1.1.2). Raises what ``cryptography`` raises for parts it cannot read.
    """
    return (
        names_equal(certificate.issuer, issuer.subject)
        and _names_one_algorithm(certificate)
        and has_valid_signature(certificate, certificate.tbs_certificate_bytes, issuer.public_key())
    )


def _names_one_algorithm(certificate: x509.Certificate) -> bool:
    signed, algorithm, _ = children(whole(certificate.public_bytes(Encoding.DER)))
    fields = children(signed)
    is_versioned = fields[0].tag == 0xA0
    return fields[2 if is_versioned else 1].encoded == algorithm.encoded
