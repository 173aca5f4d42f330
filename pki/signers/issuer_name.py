"""Sign with the issuer's name as the CA's own certificate has it, byte by byte.

Many relying parties compare names by their bytes. ``cryptography`` writes a CA's name as it read
it, unless a deviation had to be rewritten before (`pki.encoding.deviations`). Then the name as it
came is put back here, before the signature that counts is made. All else that is signed is this
server's own encoding.
"""

from functools import lru_cache
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding

from pki.encoding.reading import is_rewritten, read_certificate
from pki.signers.certificate_contents import signature_hash

_ISSUER_IN_CERTIFICATE: Final = 3
"""After version, serial number and algorithm (RFC 5280 4.1)."""
_ISSUER_IN_CRL: Final = 2
"""After version and algorithm (RFC 5280 5.1)."""


def sign_certificate(
    builder: x509.CertificateBuilder,
    key: CertificateIssuerPrivateKeyTypes,
    issuer: x509.Certificate,
) -> x509.Certificate:
    """Return the certificate that ``builder`` describes, signed by the CA of ``issuer``.

    The builder has the issuer's name already.
    """
    signed = builder.sign(key, _hash_of(issuer))
    if not is_rewritten(issuer):
        return signed
    der = signed.public_bytes(Encoding.DER)
    return read_certificate(_with_issuer_as_it_came(der, _ISSUER_IN_CERTIFICATE, key, issuer))


@lru_cache(maxsize=64)
def _hash_of(issuer: x509.Certificate) -> hashes.SHA256 | hashes.SHA384 | hashes.SHA512:
    """Return the hash for the CA's signatures. Its key is not parsed for each of them."""
    return signature_hash(issuer.public_key())


def sign_crl(
    builder: x509.CertificateRevocationListBuilder,
    key: CertificateIssuerPrivateKeyTypes,
    issuer: x509.Certificate,
) -> bytes:
    """Return the CRL that ``builder`` describes in DER, signed by the CA of ``issuer``."""
    der = builder.sign(key, signature_hash(issuer.public_key())).public_bytes(Encoding.DER)
    if not is_rewritten(issuer):
        return der
    return _with_issuer_as_it_came(der, _ISSUER_IN_CRL, key, issuer)


def _with_issuer_as_it_came(
    der: bytes, position: int, key: CertificateIssuerPrivateKeyTypes, issuer: x509.Certificate
) -> bytes:
    """Return what ``der`` says, with the issuer's name in its bytes, signed anew.

    The signature that ``der`` had is of no use and goes nowhere.
    """
    # Imported here: the CAs of most installations have no deviation.
    from pki.encoding.as_sent import subject_as_it_came
    from pki.encoding.der import BIT_STRING, SEQUENCE, tlv
    from pki.encoding.nodes import children, whole

    signed, algorithm, _ = children(whole(der))
    fields = [field.encoded for field in children(signed)]
    fields[position] = subject_as_it_came(issuer)
    to_sign = tlv(SEQUENCE, b"".join(fields))
    signature = tlv(BIT_STRING, b"\0" + _signature(to_sign, key, issuer))
    return tlv(SEQUENCE, to_sign + algorithm.encoded + signature)


def _signature(
    to_sign: bytes, key: CertificateIssuerPrivateKeyTypes, issuer: x509.Certificate
) -> bytes:
    """Return the signature that ``cryptography`` would have made (RFC 5758 3.2, RFC 8017 8.2)."""
    algorithm = signature_hash(issuer.public_key())
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(to_sign, ec.ECDSA(algorithm))
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(to_sign, padding.PKCS1v15(), algorithm)
    raise TypeError(f"A CA has an EC or RSA key, not a {type(key).__name__}.")
