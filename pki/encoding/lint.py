"""Look at a certificate for what RFC 5280 and AWS IoT ask of one of a device. Nothing is refused.

An issuance compares the certificate with its intent (`pki.issuance.verified_signing`). This module
finds what an external PKI, or a version from before, put into a certificate that works less well.
"""

import datetime
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID

from pki.encoding.certificates import is_signed_by
from pki.encoding.reading import UNREADABLE

_WEAK: Final = (hashes.MD5, hashes.SHA1)
_MOST_SERIAL_BYTES: Final = 20
_KNOWN_CRITICAL: Final = frozenset(
    {
        x509.BasicConstraints.oid,
        x509.KeyUsage.oid,
        x509.ExtendedKeyUsage.oid,
        x509.SubjectAlternativeName.oid,
        x509.NameConstraints.oid,
        x509.CertificatePolicies.oid,
    }
)


@dataclass(frozen=True, slots=True)
class LintFinding:
    """One thing that is not as it should be."""

    sentence: str
    source: str
    """The section that asks for it."""


Rule = Callable[[x509.Certificate, x509.Certificate | None], Iterator[LintFinding]]


def lint(certificate: x509.Certificate, issuer: x509.Certificate | None) -> list[LintFinding]:
    """Return what is not as it should be of a device's or client's certificate.

    ``issuer`` is the CA's certificate, if it is known.
    """
    found: list[LintFinding] = []
    for rule in _RULES:
        try:
            found.extend(rule(certificate, issuer))
        except UNREADABLE as error:
            found.append(LintFinding(f"A part of it cannot be read: {error}.", "RFC 5280 4.1"))
    return list(dict.fromkeys(found))


def _version_and_serial(
    certificate: x509.Certificate, _: x509.Certificate | None
) -> Iterator[LintFinding]:
    if certificate.version is not x509.Version.v3:
        yield LintFinding("It is not of version 3, which extensions need.", "RFC 5280 4.1.2.1")
    number = certificate.serial_number
    if number <= 0 or (number.bit_length() + 8) // 8 > _MOST_SERIAL_BYTES:
        yield LintFinding(
            "Its serial number is not positive, or has more than 20 octets.", "RFC 5280 4.1.2.2"
        )


def _validity(
    certificate: x509.Certificate, issuer: x509.Certificate | None
) -> Iterator[LintFinding]:
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if begins >= ends:
        yield LintFinding("It ends before it begins to be valid.", "RFC 5280 4.1.2.5")
    if issuer is not None and ends > issuer.not_valid_after_utc + datetime.timedelta(seconds=1):
        yield LintFinding(
            f"It is valid until {ends:%Y-%m-%d}, and its CA only until "
            f"{issuer.not_valid_after_utc:%Y-%m-%d}.",
            "RFC 5280 6.1.3",
        )


def _names(certificate: x509.Certificate, _: x509.Certificate | None) -> Iterator[LintFinding]:
    if not list(certificate.issuer):
        yield LintFinding("Its issuer is empty.", "RFC 5280 4.1.2.4")
    if any(len(list(rdn)) > 1 for rdn in certificate.subject.rdns):
        yield LintFinding(
            "A part of its subject has several values, which programs read differently.",
            "RFC 5280 4.1.2.4",
        )


def _signature(
    certificate: x509.Certificate, issuer: x509.Certificate | None
) -> Iterator[LintFinding]:
    used = certificate.signature_hash_algorithm
    if isinstance(used, _WEAK):
        yield LintFinding(
            f"It is signed over {used.name.upper()}, for which collisions are known.",
            "RFC 6194, NIST SP 800-131A",
        )
    if issuer is not None and not is_signed_by(certificate, issuer):
        yield LintFinding("The CA on record did not sign it.", "RFC 5280 6.1.3")


def _extensions(
    certificate: x509.Certificate, issuer: x509.Certificate | None
) -> Iterator[LintFinding]:
    present = {extension.oid: extension for extension in certificate.extensions}
    constraints = present.get(x509.BasicConstraints.oid)
    if constraints is not None and constraints.value.ca:
        yield LintFinding("It says that it is a CA.", "RFC 5280 4.2.1.9")
    usage = present.get(x509.KeyUsage.oid)
    if usage is None or not usage.value.digital_signature:
        yield LintFinding(
            "Its key usage lacks digitalSignature, with which a TLS client authenticates.",
            "RFC 8446 4.4.2.2",
        )
    extended = present.get(x509.ExtendedKeyUsage.oid)
    if extended is not None and ExtendedKeyUsageOID.CLIENT_AUTH not in extended.value:
        yield LintFinding("Its extended key usage lacks clientAuth.", "RFC 5280 4.2.1.12")
    for oid in present:
        if present[oid].critical and oid not in _KNOWN_CRITICAL:
            yield LintFinding(
                f"The extension {oid.dotted_string} is critical, and few programs know it.",
                "RFC 5280 4.2",
            )
    yield from _identifiers(present, issuer)


def _identifiers(
    present: dict[x509.ObjectIdentifier, x509.Extension[x509.ExtensionType]],
    issuer: x509.Certificate | None,
) -> Iterator[LintFinding]:
    authority = present.get(x509.AuthorityKeyIdentifier.oid)
    if authority is None:
        yield LintFinding("It has no authority key identifier.", "RFC 5280 4.2.1.1")
        return
    if issuer is None:
        return
    try:
        of_issuer = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return
    said = authority.value.key_identifier  # type: ignore[attr-defined]
    if said is not None and said != of_issuer.digest:
        yield LintFinding(
            "Its authority key identifier is not the CA's subject key identifier.",
            "RFC 5280 4.2.1.1",
        )


_RULES: Final[tuple[Rule, ...]] = (_version_and_serial, _validity, _names, _signature, _extensions)
