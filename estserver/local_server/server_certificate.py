"""The local server's own certificate, made on first use: a CA to trust, and a leaf for localhost.

An operator may put a certificate of another CA into the same files. It is served as it is.

Clients verify the *server* with them. The CAs that sign device and client certificates are in
`pki`, and this module has nothing to do with them.
"""

import datetime as dt
import ipaddress
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
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

CA_COMMON_NAME = "EST server local CA"
NAMES = ("localhost", "127.0.0.1", "::1")
CA_LIFETIME = dt.timedelta(days=3650)
LIFETIME = dt.timedelta(days=397)
"""The longest that TLS clients accept from public CAs. Some apply it to private ones too."""
RENEW_BEFORE = dt.timedelta(days=30)
CLOCK_SKEW = dt.timedelta(minutes=5)


_PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class ServerCertificateUnusable(Exception):
    """A file in the data directory is not one that this module wrote. It stays as it is."""


@dataclass(frozen=True)
class ServerCertificateFiles:
    """The paths of the four files. Clients verify the server with ``ca``."""

    ca: Path
    ca_key: Path
    certificate: Path
    key: Path
    brought_until: dt.datetime | None = None
    """The end of the certificate that an operator brought, or None if this module made it."""

    @classmethod
    def within(cls, directory: Path) -> "ServerCertificateFiles":
        """Return the paths inside the data directory."""
        return cls(
            ca=directory / "server-ca.pem",
            ca_key=directory / "server-ca.key",
            certificate=directory / "server.pem",
            key=directory / "server.key",
        )

    def notice(self, now: dt.datetime | None = None) -> str:
        """Return for how long the operator's certificate is good, or "" if this module made it."""
        if self.brought_until is None:
            return ""
        days = (self.brought_until - (now or dt.datetime.now(dt.UTC))).days
        end = f"{self.brought_until:%Y-%m-%d %H:%M} UTC ({days} days)"
        return (
            f"Server certificate: {self.certificate} is not one that this server made. It is "
            f"served as it is, and is good until {end}. "
            f"Clients verify it with the certificate of its own CA, not with {self.ca.name}."
        )


def ensure_server_certificate(
    directory: Path, *, names: Sequence[str] = NAMES, now: dt.datetime | None = None
) -> ServerCertificateFiles:
    """Make the server's CA and certificate if they are missing, and renew what expires soon.

    A certificate that this module did not make stays, and so does every key that may belong to an
    operator. It is safe to call this at every start. A certificate of this module that is valid for
    ``names`` and for at least 30 more days stays too. A CA that expires within a leaf's lifetime is
    replaced, which happens after nine years. Clients then need the new ``server-ca.pem``.

    Args:
        directory: the data directory, which is made if it does not exist.
        names: DNS names and IP addresses for the subject alternative name, in order.
        now: an aware time, for tests.

    Raises:
        ServerCertificateUnusable: a file exists and cannot be read as what it should be, or an
            operator brought a certificate that cannot be served.
        OSError: the directory cannot be written.
    """
    now = now or dt.datetime.now(dt.UTC)
    directory.mkdir(parents=True, exist_ok=True)
    files = ServerCertificateFiles.within(directory)
    # Step 1: read the CA that clients trust. A crash between writing the two files leaves a pair
    # that does not match, of which neither is worth anything.
    ca, ca_key = _read_certificate(files.ca), _read_key(files.ca_key)
    # Step 2: make it if it is missing or expires too soon.
    if (
        ca is None
        or not isinstance(ca_key, ec.EllipticCurvePrivateKey)
        or not _matches(ca, ca_key)
        or ca.not_valid_after_utc < now + LIFETIME
    ):
        ca, ca_key = _make_ca(now)
        _write(files.ca, files.ca_key, ca, ca_key)
    leaf = _read_certificate(files.certificate)
    leaf_key = _read_key(files.key)
    # Step 3: leave a certificate alone that an operator brought.
    if leaf is not None and not _is_made_here(leaf):
        _check_usable(files, leaf, leaf_key, now=now)
        return replace(files, brought_until=leaf.not_valid_after_utc)
    # Step 4: make or renew this module's own.
    is_pair = leaf is not None and _matches(leaf, leaf_key)
    if leaf is None or not is_pair or not _is_current(leaf, ca=ca, names=names, now=now):
        # A key without its certificate may be an operator's, or what a crash between the two files
        # left. It is used as it is, which suits both.
        kept = None if is_pair else leaf_key
        leaf, leaf_key = _make_leaf(ca, ca_key, names=names, now=now, key=kept)
        _write(files.certificate, files.key, leaf, None if kept else leaf_key)
    return files


def renew_if_made_here(directory: Path, *, now: dt.datetime | None = None) -> bool:
    """Renew the certificate that this module made if it expires soon; return whether it did.

    It keeps its names. Servers that run take the new one within seconds. Raises as
    ``ensure_server_certificate`` does.
    """
    path = ServerCertificateFiles.within(directory).certificate
    leaf = _read_certificate(path)
    if leaf is None or not _is_made_here(leaf):
        return False
    names = [str(name.value) for name in san_of(leaf.extensions) or ()]
    ensure_server_certificate(directory, names=names or NAMES, now=now)
    return _read_certificate(path) != leaf


def _is_made_here(leaf: x509.Certificate) -> bool:
    names = leaf.issuer.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return [name.value for name in names] == [CA_COMMON_NAME]


def _matches(certificate: x509.Certificate, key: _PrivateKey | None) -> bool:
    return key is not None and certificate.public_key() == key.public_key()


def _check_usable(
    files: ServerCertificateFiles,
    leaf: x509.Certificate,
    key: _PrivateKey | None,
    *,
    now: dt.datetime,
) -> None:
    """Raise `ServerCertificateUnusable` unless TLS can serve the certificate that is there."""
    problem = ""
    if not _matches(leaf, key):
        problem = f"{files.key} is not its key"
    elif leaf.not_valid_after_utc <= now:
        problem = f"it expired on {leaf.not_valid_after_utc:%Y-%m-%d}"
    elif leaf.not_valid_before_utc > now:
        problem = f"it is not valid before {leaf.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
    else:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(files.certificate, files.key)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            problem = f"TLS cannot use it ({error})"
    if problem:
        raise ServerCertificateUnusable(
            f"{files.certificate}, which this server did not make, cannot be served because "
            f"{problem}: replace both files, or move them away to have new ones made."
        )


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
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, CA_COMMON_NAME)])
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
    key: _PrivateKey | None = None,
) -> tuple[x509.Certificate, _PrivateKey]:
    key = key or ec.generate_private_key(ec.SECP256R1())
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
    public_key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
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


def _read_certificate(path: Path) -> x509.Certificate | None:
    """Return the first certificate in the file, or None if there is no file."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise _unreadable(path, "a PEM certificate") from error


def _read_key(path: Path) -> _PrivateKey | None:
    """Return the private key in the file, or None if there is no file."""
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _unreadable(path, "a PEM key without a password") from error
    if not isinstance(key, _PrivateKey):
        raise _unreadable(path, "an elliptic curve or RSA key")
    return key


def _unreadable(path: Path, wanted: str) -> ServerCertificateUnusable:
    return ServerCertificateUnusable(
        f"{path} is not {wanted}: replace it, or move it away together with the other file of its "
        "pair to have new ones made."
    )


def _write(
    certificate_file: Path,
    key_file: Path,
    certificate: x509.Certificate,
    key: _PrivateKey | None,
) -> None:
    """Write both files, or the certificate alone if the key is already there (``key`` is None)."""
    # The certificate comes last, because its time tells running servers that there is a new pair.
    if key is not None:
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        replace_file(key_file, pem, secret=True)
    replace_file(certificate_file, certificate.public_bytes(Encoding.PEM))
