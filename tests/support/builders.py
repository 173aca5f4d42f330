"""Builders of X.509 objects, with defaults, so that a test states only what it is about.

A process makes each key once, because RSA keys take long to make. Which key a test gets makes no
difference, only whether two keys are the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pki.csr.public_keys import generate_private_key

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class BuiltCA:
    """A CA certificate with its key."""

    certificate: x509.Certificate
    key: PrivateKey


@cache
def make_key(algorithm: str = "ec-p256", index: int = 0) -> PrivateKey:
    """Return the key number ``index`` of this algorithm (pki.csr.key_algorithms); cached."""
    return generate_private_key(algorithm)


def make_name(
    common_name: str | None = "sensor-1",
    *,
    serial_number: str | None = None,
    organization: str | None = None,
    country: str | None = None,
) -> x509.Name:
    """Return a subject in the order of most tools: C, O, CN, serialNumber."""
    attributes = (
        (NameOID.COUNTRY_NAME, country),
        (NameOID.ORGANIZATION_NAME, organization),
        (NameOID.COMMON_NAME, common_name),
        (NameOID.SERIAL_NUMBER, serial_number),
    )
    return x509.Name([x509.NameAttribute(oid, v) for oid, v in attributes if v is not None])


def make_csr(
    common_name: str = "sensor-1",
    *,
    key: PrivateKey | None = None,
    serial_number: str | None = None,
    subject: x509.Name | None = None,
    san: Sequence[x509.GeneralName] | None = None,
    extensions: Iterable[x509.ExtensionType] = (),
    attributes: Iterable[tuple[x509.ObjectIdentifier, bytes]] = (),
    hash_algorithm: hashes.HashAlgorithm | None = None,
) -> bytes:
    """Return a signed CSR in DER. ``subject`` takes the place of the two name arguments."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        make_name(common_name, serial_number=serial_number) if subject is None else subject
    )
    if san is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName(san), critical=False)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    for oid, value in attributes:
        builder = builder.add_attribute(oid, value)
    csr = builder.sign(key or make_key(), hash_algorithm or hashes.SHA256())
    return csr.public_bytes(serialization.Encoding.DER)


def make_ca(
    common_name: str = "Test CA",
    *,
    key: PrivateKey | None = None,
    subject: x509.Name | None = None,
    issuer: BuiltCA | None = None,
    not_before: datetime | None = None,
    not_after: datetime | None = None,
    path_length: int | None = None,
) -> BuiltCA:
    """Return a CA that is valid from yesterday for ten years, and self-signed without ``issuer``.

    Without ``key``, the CA has a key of its own for each ``common_name``.
    """
    key = key or _key_named(common_name)
    start = not_before or _yesterday()
    usage = dict.fromkeys(_KEY_USAGES, False) | {"key_cert_sign": True, "crl_sign": True}
    certificate = _sign(
        issuer_key=issuer.key if issuer else key,
        issuer_name=issuer.certificate.subject if issuer else None,
        subject=subject or make_name(common_name),
        public_key=key.public_key(),
        not_before=start,
        not_after=not_after or start + timedelta(days=3650),
        extensions=[
            (x509.BasicConstraints(ca=True, path_length=path_length), True),
            (x509.KeyUsage(**usage), True),
        ],
    )
    return BuiltCA(certificate, key)


def make_certificate(
    issuer: BuiltCA,
    common_name: str = "sensor-1",
    *,
    public_key: CertificatePublicKeyTypes | None = None,
    subject: x509.Name | None = None,
    san: Sequence[x509.GeneralName] | None = None,
    certificate_serial: int | None = None,
    not_before: datetime | None = None,
    not_after: datetime | None = None,
    extensions: Iterable[tuple[x509.ExtensionType, bool]] | None = None,
    hash_algorithm: hashes.HashAlgorithm | None = None,
) -> x509.Certificate:
    """Return a TLS client certificate of ``issuer`` that is valid from yesterday for a year.

    ``extensions`` (each with its critical flag) takes the place of those of a client
    certificate. SAN and the key identifiers are added in any case.
    """
    start = not_before or _yesterday()
    extensions = list(_client_extensions() if extensions is None else extensions)
    if san is not None:
        extensions.append((x509.SubjectAlternativeName(san), False))
    return _sign(
        issuer_key=issuer.key,
        issuer_name=issuer.certificate.subject,
        subject=subject or make_name(common_name),
        public_key=public_key or make_key().public_key(),
        not_before=start,
        not_after=not_after or start + timedelta(days=365),
        extensions=extensions,
        certificate_serial=certificate_serial,
        hash_algorithm=hash_algorithm,
    )


def _sign(
    *,
    issuer_key: PrivateKey,
    issuer_name: x509.Name | None,
    subject: x509.Name,
    public_key: CertificatePublicKeyTypes,
    not_before: datetime,
    not_after: datetime,
    extensions: Iterable[tuple[x509.ExtensionType, bool]],
    certificate_serial: int | None = None,
    hash_algorithm: hashes.HashAlgorithm | None = None,
) -> x509.Certificate:
    """Sign a certificate. Without ``issuer_name`` its issuer is its own subject."""
    issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer_name or subject)
        .public_key(public_key)
        .serial_number(certificate_serial or x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(issuer_id, critical=False)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(issuer_key, hash_algorithm or hashes.SHA256())


_KEY_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


def _client_extensions() -> list[tuple[x509.ExtensionType, bool]]:
    usage = dict.fromkeys(_KEY_USAGES, False) | {"digital_signature": True}
    return [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (x509.KeyUsage(**usage), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False),
    ]


@cache
def _key_named(_name: str) -> PrivateKey:
    return generate_private_key("ec-p256")


def _yesterday() -> datetime:
    return datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)


def make_sample_ca(
    common_name: str = "AWS IoT EST CA", *, key: PrivateKey | None = None
) -> BuiltCA:
    """Return a self-signed CA as the CDK sample makes it: RSA-4096, no path length, no AKI."""
    key = key or make_key("rsa-4096")
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
            x509.NameAttribute(NameOID.STATE_OR_PROVINCE_NAME, "Washington"),
            x509.NameAttribute(NameOID.LOCALITY_NAME, "Seattle"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )
    usage = dict.fromkeys(_KEY_USAGES, False) | dict.fromkeys(
        ("digital_signature", "key_cert_sign", "crl_sign"), True
    )
    ski = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_yesterday())
        .not_valid_after(_yesterday() + timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(ski, critical=False)
        .sign(key, hashes.SHA256())
    )
    return BuiltCA(certificate, key)
