"""The local server's own certificate, made on first use: a CA to trust, and a leaf for localhost.

This is about the *server's* name in TLS and nothing else. It has nothing to do with the CAs that
sign device or client certificates, which live in `pki`.
"""

import datetime as dt
import ipaddress
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID

NAMES = ("localhost", "127.0.0.1", "::1")
CA_LIFETIME = dt.timedelta(days=3650)
LIFETIME = dt.timedelta(days=397)
"""What TLS clients accept at most from public CAs; the strictest apply it to private ones too."""
RENEW_BEFORE = dt.timedelta(days=30)
CLOCK_SKEW = dt.timedelta(minutes=5)


class ServerCertificateUnusable(Exception):
    """A file in the data directory isn't what this module writes; it is left alone."""


@dataclass(frozen=True)
class ServerCertificateFiles:
    """Where the files are. ``ca`` is what clients are given to verify the server with."""

    ca: Path
    ca_key: Path
    certificate: Path
    key: Path

    @classmethod
    def within(cls, directory: Path) -> "ServerCertificateFiles":
        """The files' names inside the data directory."""
        return cls(
            ca=directory / "server-ca.pem",
            ca_key=directory / "server-ca.key",
            certificate=directory / "server.pem",
            key=directory / "server.key",
        )


def ensure_server_certificate(
    directory: Path, *, names: Sequence[str] = NAMES, now: dt.datetime | None = None
) -> ServerCertificateFiles:
    """Make the server's CA and certificate if they are missing, and renew what runs out.

    Safe to call at every start: a certificate that is valid for ``names`` and for at least 30 more
    days stays. A CA that has less than a leaf's lifetime left is replaced, and clients then need
    the new ``server-ca.pem``; that happens after nine years.

    Args:
        directory: the data directory; made if it doesn't exist.
        names: DNS names and IP addresses for the subject alternative name, in order.
        now: an aware time, for tests.

    Raises:
        ServerCertificateUnusable: a file is there and can't be read as what it should be.
        OSError: the directory can't be written.
    """
    now = now or dt.datetime.now(dt.UTC)
    directory.mkdir(parents=True, exist_ok=True)
    files = ServerCertificateFiles.within(directory)
    ca, ca_key = _load(files.ca, files.ca_key)
    if ca is None or ca_key is None or ca.not_valid_after_utc < now + LIFETIME:
        ca, ca_key = _make_ca(now)
        _write(files.ca, files.ca_key, ca, ca_key)
    leaf, leaf_key = _load(files.certificate, files.key)
    if leaf is None or leaf_key is None or not _is_current(leaf, ca=ca, names=names, now=now):
        leaf, leaf_key = _make_leaf(ca, ca_key, names=names, now=now)
        _write(files.certificate, files.key, leaf, leaf_key)
    return files


def _is_current(
    leaf: x509.Certificate, *, ca: x509.Certificate, names: Sequence[str], now: dt.datetime
) -> bool:
    try:
        leaf.verify_directly_issued_by(ca)
    except (ValueError, TypeError, InvalidSignature):
        return False
    extension = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return (
        list(extension.value) == list(_general_names(names))
        and leaf.not_valid_before_utc <= now
        and leaf.not_valid_after_utc >= now + RENEW_BEFORE
    )


def _make_ca(now: dt.datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "EST server local CA")])
    certificate = (
        _builder(name, name, key.public_key(), key.public_key())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + CA_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .sign(key, SHA256())
    )
    return certificate, key


def _make_leaf(
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    *,
    names: Sequence[str],
    now: dt.datetime,
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
    server_auth = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    certificate = (
        _builder(subject, ca.subject, key.public_key(), ca_key.public_key())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(digital_signature=True), critical=True)
        .add_extension(server_auth, critical=False)
        .add_extension(x509.SubjectAlternativeName(_general_names(names)), critical=False)
        .sign(ca_key, SHA256())
    )
    return certificate, key


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    issuer_key: ec.EllipticCurvePublicKey,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False
        )
    )


def _key_usage(
    *, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _general_names(names: Sequence[str]) -> list[x509.GeneralName]:
    general_names: list[x509.GeneralName] = []
    for name in names:
        try:
            general_names.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            general_names.append(x509.DNSName(name))
    return general_names


def _load(
    certificate_file: Path, key_file: Path
) -> tuple[x509.Certificate | None, ec.EllipticCurvePrivateKey | None]:
    """The pair in two files; (None, None) when either is missing or they don't belong together."""
    try:
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        key = load_pem_private_key(key_file.read_bytes(), password=None)
    except FileNotFoundError:
        return None, None
    except (ValueError, TypeError) as error:
        raise ServerCertificateUnusable(
            f"{certificate_file} or {key_file} can't be read as PEM without a password; "
            "remove both, and new ones are made at the next start."
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ServerCertificateUnusable(
            f"{key_file} holds no elliptic curve key; remove it and {certificate_file}, "
            "and new ones are made at the next start."
        )
    # A crash between writing the two leaves a pair that doesn't match: made anew.
    return (certificate, key) if certificate.public_key() == key.public_key() else (None, None)


def _write(
    certificate_file: Path,
    key_file: Path,
    certificate: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
) -> None:
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _replace(key_file, pem, mode=0o600)
    _replace(certificate_file, certificate.public_bytes(Encoding.PEM), mode=0o644)


def _replace(path: Path, content: bytes, *, mode: int) -> None:
    """Write ``path`` whole or not at all; a key is never readable by others, not even for a moment.

    `tempfile.mkstemp` creates the file with mode 0600.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
