"""Authenticate an EST client by its TLS client certificate (RFC 7030 3.3.2).

API Gateway and the local TLS server have verified the chain. Neither checks revocation, and a
truststore can be out of date. So every certificate is checked here again, against the database, and
always by the SHA-256 of the whole certificate. A certificate from another CA can have the same
serial number and subject (RFC 5280 6).
"""

import datetime
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from django.utils import timezone

from pki.csr.public_keys import public_key_sha256
from pki.csr.subjects import name_text
from pki.encoding.certificates import (
    is_ca,
    is_signed_by,
    other_fingerprint,
    serial_number_text,
    signed_part_sha256,
)
from pki.encoding.der import fingerprint_of_der
from pki.encoding.key_parameters import has_explicit_curve
from pki.encoding.names import name_key
from pki.encoding.reading import UNREADABLE, read_certificate
from pki.exceptions import ClientRefused
from pki.models import CertificateAuthority, IssuedCertificate, hot_path_sql
from pki.reasons import Reason
from pki.record.snapshot import AuthoritySnapshot, CASnapshot, current_snapshot

MAX_CHAIN = 6
"""The most certificates from a client's to one that a CA on record signed, both included."""

_LIVE_STATES = frozenset({IssuedCertificate.State.ISSUED, IssuedCertificate.State.SUPERSEDED})


@dataclass(frozen=True, slots=True)
class Client:
    """An authenticated EST client (RFC 7030 3.3.2)."""

    certificate: x509.Certificate
    fingerprint: str
    """SHA-256 of the whole certificate, lower-case hex."""
    subject: str
    """RFC 4514 text."""
    common_name: str
    """"" if the subject has none, as in some factory certificates."""
    device_serial: str
    """The subject's serialNumber, or ""."""
    key_sha256: str
    """SHA-256 of the certificate's SubjectPublicKeyInfo, in hex."""
    signed_sha256: str
    """SHA-256 of the certificate's signed part. It identifies a client that is not on record."""
    other_fingerprint: str
    """The fingerprint that a rewritten ECDSA signature would give the certificate, or ""."""
    name_sha256: str
    """SHA-256 of the client CA's key and the CN, which a reissued certificate has too, or ""."""
    authority: CertificateAuthority
    record: IssuedCertificate | None
    """The record of the certificate, or None if another PKI issued it."""

    @property
    def is_device(self) -> bool:
        """Whether the client has a device certificate of this server."""
        return self.authority.purpose == CertificateAuthority.Purpose.DEVICE

    @property
    def serial_number(self) -> str:
        """The certificate's serial number in lower-case hex."""
        return serial_number_text(self.certificate.serial_number)


def authenticate_certificate(
    der: bytes,
    chain: tuple[bytes, ...] = (),
    *,
    snapshot: CASnapshot | None = None,
    records: Sequence[IssuedCertificate] | None = None,
    at: datetime.datetime | None = None,
) -> Client:
    """Return the client of a certificate in DER, with the chain that TLS verified, if it is known.

    ``snapshot`` is the request's ``current_snapshot()``, ``records`` is what ``look_for_client``
    found in the request, and ``at`` is the time (default: now).
    Raises ``ClientRefused`` when the certificate is malformed, not from a CA on record, from one
    that is distrusted, out of its time, not for TLS clients, revoked, superseded for too long, or
    not on record although a CA of this server signed it.
    """
    at = at or timezone.now()
    read = _read(der, chain, snapshot or current_snapshot())
    for certificate in read.path:
        if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
            raise ClientRefused(Reason.CLIENT_CERTIFICATE_EXPIRED)
    if read.authority.row.not_after <= at:
        raise ClientRefused(Reason.CLIENT_CERTIFICATE_UNTRUSTED)
    return Client(
        certificate=read.path[0],
        fingerprint=read.fingerprint,
        subject=read.subject,
        common_name=read.common_name,
        device_serial=read.device_serial,
        key_sha256=read.key_sha256,
        signed_sha256=read.signed_sha256,
        other_fingerprint=read.other_fingerprint,
        name_sha256=read.name_sha256,
        authority=read.authority.row,
        record=_live_record(
            _found(read.fingerprint) if records is None else records, read.authority.row, at
        ),
    )


@dataclass(frozen=True, slots=True)
class _Read:
    """What a certificate says, and the CA that it leads to. It does not depend on the time."""

    path: tuple[x509.Certificate, ...]
    """From the client's own to the one that the CA signed."""
    authority: AuthoritySnapshot
    fingerprint: str
    subject: str
    common_name: str
    device_serial: str
    key_sha256: str
    signed_sha256: str
    other_fingerprint: str
    name_sha256: str


@lru_cache(maxsize=1024)
def _read(der: bytes, chain: tuple[bytes, ...], snapshot: CASnapshot) -> _Read:
    """Parse the certificate and follow its signatures.

    Cached, because a fleet's devices may share one bootstrap certificate. An entry is good while
    the CAs on record stay the same (``snapshot`` compares by identity), and nothing in it depends
    on the time or on other tables.
    """
    try:
        certificate = read_certificate(der)
        path, authority = _find_authority(certificate, chain, snapshot)
        _check_is_for_clients(certificate)
        issuer = path[1] if len(path) > 1 else authority.certificate
        common_name = _first_attribute(certificate, NameOID.COMMON_NAME)
        return _Read(
            path=path,
            authority=authority,
            fingerprint=fingerprint_of_der(der),
            subject=name_text(certificate.subject),
            common_name=common_name,
            device_serial=_first_attribute(certificate, NameOID.SERIAL_NUMBER),
            key_sha256=public_key_sha256(certificate.public_key()),
            signed_sha256=signed_part_sha256(certificate),
            other_fingerprint=other_fingerprint(certificate, issuer),
            name_sha256=name_sha256(authority.certificate, common_name),
        )
    except UNREADABLE as error:  # names, extensions and keys are parsed on first access
        raise _malformed(der, chain) from error


def _malformed(der: bytes, chain: tuple[bytes, ...]) -> ClientRefused:
    """Return the refusal of a certificate that cannot be read, which names the part at fault."""
    # Imported here: a server whose clients have good certificates need not load it.
    from pki.encoding.faults import fault_of_certificate

    message = "The client certificate cannot be read as RFC 5280 says. Have it made anew."
    for each in (der, *chain[1:MAX_CHAIN]):
        if fault := fault_of_certificate(each):
            whose = "The client" if each is der else "An intermediate"
            message = f"{whose} certificate's {fault.part} {fault.found}. {fault.advice}"
            break
    return ClientRefused(Reason.CLIENT_CERTIFICATE_MALFORMED, message)


def name_sha256(ca: x509.Certificate, common_name: str) -> str:
    """Return what identifies a client by its CA and common name, in hex; "" without a name.

    The CA counts by its key, so that its own certificate can be renewed.
    """
    if not common_name:
        return ""
    key_sha256 = public_key_sha256(ca.public_key())
    return hashlib.sha256(f"{key_sha256}\0{common_name}".encode()).hexdigest()


def _first_attribute(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> str:
    attributes = certificate.subject.get_attributes_for_oid(oid)
    return str(attributes[0].value) if attributes else ""


def _find_authority(
    certificate: x509.Certificate, chain: tuple[bytes, ...], snapshot: CASnapshot
) -> tuple[tuple[x509.Certificate, ...], AuthoritySnapshot]:
    """Return the path through ``chain`` to a CA on record, by signature, and that CA."""
    intermediates = [read_certificate(der) for der in chain[1:MAX_CHAIN]]
    path = [certificate]
    for _ in range(MAX_CHAIN):
        _check_curve_is_named(path[-1])
        if snapshot.is_distrusted(path[-1]):
            raise ClientRefused(Reason.CA_DISTRUSTED)
        for authority in snapshot.by_subject.get(name_key(path[-1].issuer), ()):
            if is_signed_by(path[-1], authority.certificate):
                return tuple(path), authority
        above = next((one for one in intermediates if is_signed_by(path[-1], one)), None)
        if above is None or not is_ca(above):
            break
        path.append(above)
    raise ClientRefused(Reason.CLIENT_CERTIFICATE_UNTRUSTED)


def _check_curve_is_named(certificate: x509.Certificate) -> None:
    """Refuse an EC key that spells its curve's parameters out (RFC 5480 2.1.1)."""
    if has_explicit_curve(certificate):
        raise ClientRefused(
            Reason.CLIENT_CERTIFICATE_MALFORMED,
            f"The certificate of {name_text(certificate.subject)} has an EC key that spells the "
            "parameters of its curve out. Make a key that names its curve (RFC 5480 2.1.1).",
        )


def _check_is_for_clients(certificate: x509.Certificate) -> None:
    """Refuse a certificate whose extended key usage lacks clientAuth (RFC 5280 4.2.1.12).

    One without the extension passes, because many factories leave it out.
    """
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return
    if not {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE} & {*usage}:
        raise ClientRefused(Reason.CLIENT_CERTIFICATE_UNSUITABLE)


def look_for_client(fingerprint: str) -> hot_path_sql.Look:
    """Return the look at the record of a client's certificate."""
    return hot_path_sql.look(
        IssuedCertificate, "fingerprint_sha256 = %s", [fingerprint], without=("csr_der", "der")
    )


def _found(fingerprint: str) -> Sequence[IssuedCertificate]:
    (records,) = hot_path_sql.fetch_together(look_for_client(fingerprint))
    return records


def _live_record(
    records: Sequence[IssuedCertificate], authority: CertificateAuthority, at: datetime.datetime
) -> IssuedCertificate | None:
    """Return the record of the certificate, if any. Raises ``ClientRefused`` if it is not live."""
    if not records:
        if authority.is_every_certificate_recorded or authority.purpose == authority.Purpose.DEVICE:
            raise ClientRefused(Reason.CLIENT_CERTIFICATE_UNKNOWN)
        return None
    (record,) = records
    if record.state not in _LIVE_STATES:
        raise ClientRefused(Reason.CLIENT_CERTIFICATE_REVOKED)
    if record.state == IssuedCertificate.State.SUPERSEDED and record.superseded_at is not None:
        overlap = record.profile.overlap_days if record.profile else 0
        if record.superseded_at + datetime.timedelta(days=overlap) <= at:
            raise ClientRefused(Reason.CLIENT_CERTIFICATE_SUPERSEDED)
    return record
