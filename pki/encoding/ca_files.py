"""Read the certificates of CAs that an operator brings, or say which one is at fault, and where.

What is on record is read with `pki.encoding.reading`, and is not judged again.
"""

from typing import Final

from cryptography import x509

from pki.encoding.key_parameters import has_explicit_curve
from pki.encoding.pem import CERTIFICATE, pem_blocks, unwrapped
from pki.encoding.reading import UNREADABLE, read_certificate

_ORDINALS: Final = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")


def read_ca_certificates(pem: bytes) -> list[x509.Certificate]:
    """Return the certificates of a PEM text, of which every part can be read.

    Raises ``ValueError``, whose text is a sentence that names the certificate (first, second ...)
    and the field at fault.
    """
    blocks = pem_blocks(unwrapped(pem), CERTIFICATE)
    if not blocks:
        raise ValueError(
            "There is no certificate. Give it as PEM, which begins with "
            "-----BEGIN CERTIFICATE-----."
        )
    return [_read(der, f"The {_ordinal(number)} certificate") for number, der in enumerate(blocks)]


def _read(der: bytes, which: str) -> x509.Certificate:
    try:
        certificate = read_certificate(der)
        # Parsed on access.
        _ = certificate.subject, certificate.issuer, certificate.extensions
        is_curve_explicit = has_explicit_curve(certificate)
    except UNREADABLE as error:
        raise ValueError(_fault(der, which)) from error
    if is_curve_explicit:
        raise ValueError(
            f"{which} has an EC key that spells the parameters of its curve out. Make a key that "
            "names its curve (RFC 5480 2.1.1)."
        )
    return certificate


def _fault(der: bytes, which: str) -> str:
    # Imported here: files that can be read need not load it.
    from pki.encoding.faults import fault_of_certificate

    fault = fault_of_certificate(der)
    if fault is None:
        return f"{which} cannot be read as RFC 5280 says. Have its CA make it anew."
    return f"{which} cannot be read: its {fault.part} {fault.found}. {fault.advice}"


def _ordinal(number: int) -> str:
    """Return the word for the position ``number``, counted from 0."""
    return _ORDINALS[number] if number < len(_ORDINALS) else f"{number + 1}th"
