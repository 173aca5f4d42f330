"""Collect the CAs that API Gateway is to trust, check them by its rules, and compare them."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.utils import timezone

from pki.encoding.ca_files import read_ca_certificates
from pki.encoding.certificates import fingerprint_of, is_ca, is_signed_by, pem_of
from pki.encoding.names import NameKey, name_key, names_equal
from pki.encoding.reading import UNREADABLE, read_certificates
from pki.models import CertificateAuthority, IssuedCertificate
from pki.operators.errors import OperatorError

# https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-mutual-tls.html
MAX_CERTIFICATES = 1000
MAX_BYTES = 1024 * 1024
MAX_LEVELS = 4
"""A client's certificate and the CAs above it."""
MIN_RSA_BITS = 2048
CURVES = ("secp256r1", "secp384r1")
_WEAK_HASHES = (hashes.MD5, hashes.SHA1, hashes.SHA224)


@dataclass(frozen=True, slots=True)
class Bundle:
    """CA certificates, each once."""

    certificates: tuple[x509.Certificate, ...]

    @property
    def pem(self) -> bytes:
        """The contents of the stored object."""
        return pem_of(*self.certificates).encode()

    @property
    def sha256(self) -> str:
        """SHA-256 of the contents, lower-case hex."""
        return hashlib.sha256(self.pem).hexdigest()


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference between two bundles, by certificate."""

    added: tuple[x509.Certificate, ...]
    removed: tuple[x509.Certificate, ...]
    kept: tuple[x509.Certificate, ...]

    @property
    def is_empty(self) -> bool:
        """Whether both hold the same certificates."""
        return not self.added and not self.removed


def describe(certificate: x509.Certificate) -> str:
    """Return a CA in one line: subject, expiry, beginning of its SHA-256."""
    subject = certificate.subject.rfc4514_string()
    until = certificate.not_valid_after_utc.date().isoformat()
    return f"{subject}, until {until}, {fingerprint_of(certificate)[:16]}"


def bundle_from_database() -> Bundle:
    """Return the client CAs and the device CAs on record, with their chains.

    Device CAs are trusted because devices renew with their own certificates. Raises
    ``OperatorError`` when there is no client CA on record. Those that are distrusted or retired are
    left out, and with them nothing else is put in their place.
    """
    trusted = list(CertificateAuthority.objects.trusted().order_by("purpose", "name"))
    if not CertificateAuthority.objects.client().exists():
        raise OperatorError(
            "There is no client CA on record. Run manage.py bootstrap_cas, or name a file of CAs "
            "in mTlsTruststoreCertificatesChainFile."
        )
    return _bundle(certificate for ca in trusted for certificate in (ca.certificate, *ca.chain))


def bundle_from_file(path: Path) -> Bundle:
    """Return the CAs of a PEM file. Raises ``OperatorError``."""
    try:
        return _bundle(read_ca_certificates(path.read_bytes()))
    except OSError as error:
        raise OperatorError(
            f"{path} cannot be read: {error.strerror}. Correct the path, or make the file readable "
            "for this process."
        ) from error
    except ValueError as error:
        raise OperatorError(f"{path} cannot be read as CA certificates. {error}") from error


def bundle_from_pem(pem: bytes) -> Bundle:
    """Return the CAs of a PEM text that was stored. Raises ``ValueError``."""
    try:
        return _bundle(read_certificates(pem))
    except UNREADABLE as error:
        raise ValueError("There is a certificate that cannot be read.") from error


def _bundle(certificates: Iterable[x509.Certificate]) -> Bundle:
    unique = {fingerprint_of(certificate): certificate for certificate in certificates}
    # In a fixed order, so that the same CAs are the same object.
    return Bundle(tuple(unique[key] for key in sorted(unique)))


def compare(old: Bundle, new: Bundle) -> Difference:
    """Return what ``new`` adds, removes and keeps."""
    before = {fingerprint_of(each): each for each in old.certificates}
    after = {fingerprint_of(each): each for each in new.certificates}
    return Difference(
        added=tuple(after[key] for key in after if key not in before),
        removed=tuple(before[key] for key in before if key not in after),
        kept=tuple(after[key] for key in after if key in before),
    )


def check_bundle(bundle: Bundle) -> None:
    """Refuse a bundle that API Gateway would refuse, or with which it would turn clients away.

    Raises ``OperatorError`` with every problem.
    """
    problems = []
    count = len(bundle.certificates)
    if not count:
        problems.append("it is empty")
    if count > MAX_CERTIFICATES:
        problems.append(f"it has {count} certificates, and API Gateway takes {MAX_CERTIFICATES}")
    if len(bundle.pem) > MAX_BYTES:
        problems.append(f"it has {len(bundle.pem)} bytes, and API Gateway takes {MAX_BYTES}")
    by_subject: dict[NameKey, list[x509.Certificate]] = {}
    for certificate in bundle.certificates:
        by_subject.setdefault(name_key(certificate.subject), []).append(certificate)
    for certificate in bundle.certificates:
        found = [*_algorithm_problems(certificate), *_path_problems(certificate, by_subject)]
        problems += [f"{describe(certificate)}: {problem}" for problem in found]
    if problems:
        raise OperatorError(f"API Gateway cannot use this truststore: {'; '.join(problems)}.")


def _algorithm_problems(certificate: x509.Certificate) -> list[str]:
    problems = []
    try:
        algorithm = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        algorithm = None
    if algorithm is None or isinstance(algorithm, _WEAK_HASHES):
        name = algorithm.name if algorithm else "another algorithm"
        problems.append(f"signed with {name}, wanted SHA-256 or stronger")
    try:
        key = certificate.public_key()
    except (UnsupportedAlgorithm, ValueError):
        key = None
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < MIN_RSA_BITS:
            problems.append(f"RSA with {key.key_size} bits, wanted {MIN_RSA_BITS} or more")
    elif not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in CURVES:
        kind = key.curve.name if isinstance(key, ec.EllipticCurvePublicKey) else "its key"
        problems.append(f"{kind} is not RSA, P-256 or P-384")
    return problems


def _path_problems(
    certificate: x509.Certificate, by_subject: dict[NameKey, list[x509.Certificate]]
) -> list[str]:
    if not is_ca(certificate):
        return ["not a CA certificate (basicConstraints CA)"]
    if certificate.not_valid_after_utc <= timezone.now():
        return ["expired"]
    levels = 2  # a client's certificate and this one
    at = certificate
    while not names_equal(at.subject, at.issuer):
        above = [
            issuer for issuer in by_subject.get(name_key(at.issuer), []) if is_signed_by(at, issuer)
        ]
        if not above:
            missing = at.issuer.rfc4514_string()
            return [f"its path ends at {missing}, which is missing: add the CAs up to the root"]
        at = above[0]
        levels += 1
        if levels > MAX_LEVELS:
            return [f"more than {MAX_LEVELS} levels from a client's certificate to the root"]
    return []


@dataclass(frozen=True, slots=True)
class LostClients:
    """The clients that the removal of a CA shuts out."""

    certificate: x509.Certificate
    live: int
    """How many certificates of this CA on record are live."""
    has_unrecorded: bool
    """Whether the CA signed certificates that are not on record, so that none can count them."""

    def __str__(self) -> str:
        more = " and those signed elsewhere" if self.has_unrecorded else ""
        return f"{describe(self.certificate)}: {self.live} live certificates on record{more}"


def lost_clients(removed: Iterable[x509.Certificate]) -> list[LostClients]:
    """Return the removed CAs that have live certificates, or may have some off the record."""
    lost = []
    now = timezone.now()
    for certificate in removed:
        if certificate.not_valid_after_utc <= now:
            continue  # its clients are turned away already
        row = CertificateAuthority.objects.filter(
            fingerprint_sha256=fingerprint_of(certificate)
        ).first()
        live = IssuedCertificate.objects.live(now).filter(ca=row).count() if row else 0
        has_unrecorded = row is None or not row.is_every_certificate_recorded
        if live or has_unrecorded:
            lost.append(LostClients(certificate, live, has_unrecorded))
    return lost
