"""The fields of a certificate, CSR or public key, as names and values for people."""

import datetime
import hashlib

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AttributeOID
from django.utils import timezone

from estserver.tools.inspected import Group
from pki.csr.public_keys import key_algorithm_name, public_key_sha256
from pki.csr.subjects import name_text
from pki.encoding.certificates import fingerprint_of, serial_number_text
from pki.encoding.extension_words import extension_words
from pki.encoding.reading import UNREADABLE

_DAY = datetime.timedelta(days=1)


def certificate_groups(certificate: x509.Certificate) -> list[Group]:
    """Return the facts of a certificate. Raises one of ``UNREADABLE``."""
    der = certificate.public_bytes(Encoding.DER)
    contents, *more = contents_groups(certificate)
    digests = (
        ("SHA-256", fingerprint_of(certificate)),
        ("SHA-1", hashlib.sha1(der, usedforsecurity=False).hexdigest()),
    )
    return [Group(contents.title, (*contents.facts, *digests)), *more]


def contents_groups(certificate: x509.Certificate) -> list[Group]:
    """Return the facts of a certificate's signed part, also of one that is not signed yet."""
    serial = certificate.serial_number
    facts = (
        ("subject", name_text(certificate.subject) or "(empty)"),
        ("issuer", name_text(certificate.issuer) or "(empty)"),
        ("serial number", serial_number_text(serial)),
        ("serial number, decimal", str(serial)),
        ("valid from", _utc(certificate.not_valid_before_utc)),
        ("valid until", _until(certificate.not_valid_after_utc)),
        ("signature algorithm", certificate.signature_algorithm_oid._name),
    )
    return [
        Group("Certificate", facts),
        key_group(certificate.public_key()),
        *_extensions("Extensions", certificate),
    ]


def csr_groups(csr: x509.CertificateSigningRequest) -> list[Group]:
    """Return the facts of a CSR. Raises one of ``UNREADABLE``.

    The value of a challengePassword is not among them (RFC 2986 5.4.1: it is a password).
    """
    attributes = ", ".join(
        _attribute_name(each.oid)
        for each in csr.attributes
        if each.oid.dotted_string != "1.2.840.113549.1.9.14"  # extensionRequest, which follows
    )
    facts = (
        ("subject", name_text(csr.subject) or "(empty)"),
        ("signature algorithm", csr.signature_algorithm_oid._name),
        ("attributes", attributes or "(none)"),
    )
    return [
        Group("Certificate request", facts),
        key_group(csr.public_key()),
        *_extensions("Requested extensions", csr),
    ]


def key_group(key: PublicKeyTypes) -> Group:
    """Return the facts of a public key."""
    return Group(
        "Public key", (("algorithm", key_algorithm_name(key)), ("SHA-256", public_key_sha256(key)))
    )


def _extensions(
    title: str, holder: x509.Certificate | x509.CertificateSigningRequest
) -> list[Group]:
    try:
        facts = tuple(
            (f"{one.name} (critical)" if one.is_critical else one.name, one.value)
            for one in extension_words(holder.extensions)
        )
    except UNREADABLE:
        return [Group(title, (("extensions", "They cannot be read."),))]
    return [Group(title, facts)] if facts else []


def _attribute_name(oid: x509.ObjectIdentifier) -> str:
    if oid == AttributeOID.CHALLENGE_PASSWORD:
        return "challengePassword"
    return oid._name if oid._name != "Unknown OID" else oid.dotted_string


def _utc(at: datetime.datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _until(at: datetime.datetime) -> str:
    days = (at - timezone.now()) // _DAY
    return f"{_utc(at)} ({f'{days} days left' if days >= 0 else 'expired'})"
