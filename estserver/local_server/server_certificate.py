"""The local server's own certificate, made on first use: a CA to trust, and a leaf for localhost.

Clients verify the *server* with them. The CAs that sign device and client certificates are in
`pki`, and this module has nothing to do with them.
"""

import datetime as dt
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID

from pki.encoding.certificates import is_signed_by, san_of
from pki.encoding.key_usage import key_usage
from pki.operators.files import replace_file

NAMES = ("localhost", "127.0.0.1", "::1")
CA_LIFETIME = dt.timedelta(days=3650)
LIFETIME = dt.timedelta(days=397)
"""The longest that TLS clients accept from public CAs. Some apply it to private ones too."""
RENEW_BEFORE = dt.timedelta(days=30)
CLOCK_SKEW = dt.timedelta(minutes=5)


class ServerCertificateUnusable(Exception):
    """A file in the data directory is not one that this module wrote. It stays as it is."""


@dataclass(frozen=True)
class ServerCertificateFiles:
    """The paths of the four files. Clients verify the server with ``ca``."""

    ca: Path
    ca_key: Path
    certificate: Path
    key: Path

    @classmethod
    def within(cls, directory: Path) -> "ServerCertificateFiles":
        """Return the paths inside the data directory."""
        return cls(
            ca=directory / "server-ca.pem",
            ca_key=directory / "server-ca.key",
            certificate=directory / "server.pem",
            key=directory / "server.key",
        )


def ensure_server_certificate(
    directory: Path, *, names: Sequence[str] = NAMES, now: dt.datetime | None = None
) -> ServerCertificateFiles:
    """Make the server's CA and certificate if they are missing, and renew what expires soon.

    It is safe to call this at every start. A certificate that is valid for ``names`` and for at
    least 30 more days stays. A CA that expires within a leaf's lifetime is replaced, which happens
    after nine years. Clients then need the new ``server-ca.pem``.

    Args:
        directory: the data directory, which is made if it does not exist.
        names: DNS names and IP addresses for the subject alternative name, in order.
        now: an aware time, for tests.

    Raises:
        ServerCertificateUnusable: a file exists and cannot be read as what it should be.
        OSError: the directory cannot be written.
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
    return (
        is_signed_by(leaf, ca)
        and list(san_of(leaf.extensions) or ()) == list(_general_names(names))
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
        .add_extension(key_usage(key_cert_sign=True, crl_sign=True), critical=True)
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
        .add_extension(key_usage(digital_signature=True), critical=True)
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
    """Return the pair of two files, or (None, None) if one is missing or they do not match."""
    try:
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        key = load_pem_private_key(key_file.read_bytes(), password=None)
    except FileNotFoundError:
        return None, None
    except (ValueError, TypeError) as error:
        raise ServerCertificateUnusable(
            f"{certificate_file} or {key_file} cannot be read as PEM without a password. "
            "Remove both, and the next start makes new ones."
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ServerCertificateUnusable(
            f"{key_file} contains no elliptic curve key. Remove it and {certificate_file}, "
            "and the next start makes new ones."
        )
    # A crash between writing the two leaves a pair that does not match. Both are made anew.
    return (certificate, key) if certificate.public_key() == key.public_key() else (None, None)


def _write(
    certificate_file: Path,
    key_file: Path,
    certificate: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
) -> None:
    # The certificate comes last, because its time tells running servers that there is a new pair.
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    replace_file(key_file, pem, secret=True)
    replace_file(certificate_file, certificate.public_bytes(Encoding.PEM))
