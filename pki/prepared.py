"""CAs and profiles, parsed once per process and refreshed when the database says they changed.

Every request compares ``Generation`` (one look-up by primary key) and otherwise works on the
frozen values here: certificates parsed, issuer names, key identifiers and CSR rules made. The
denylist and the state of certificates are never kept: those are read each time.
"""

import re
import threading
from dataclasses import dataclass, field
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from pki.csr import CSRRules, POPLinking
from pki.exceptions import AuthorityUnavailable
from pki.keys import public_key_sha256
from pki.models import CertificateAuthority, CertificateProfile, Generation
from pki.profiles import Issuer
from pki.reasons import Reason
from pki.san import SANRule


@dataclass(frozen=True, slots=True)
class PreparedAuthority:
    """A CA, ready for use."""

    row: CertificateAuthority
    certificate: x509.Certificate
    issuer: Issuer


@dataclass(frozen=True, slots=True)
class PreparedProfile:
    """A profile version in force, ready for use, with the CA it issues from."""

    row: CertificateProfile
    authority: PreparedAuthority
    rules: CSRRules
    identity_pattern: re.Pattern[str] | None
    ca_certificates: bytes
    """What /cacerts publishes: a certs-only PKCS #7 in DER (RFC 7030 4.1.3)."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """Everything of one generation. Compared by identity, not by contents."""

    generation: int
    authorities: tuple[PreparedAuthority, ...] = ()
    profiles: dict[str, PreparedProfile] = field(default_factory=dict)
    by_subject: dict[bytes, tuple[PreparedAuthority, ...]] = field(default_factory=dict)
    """Trusted CAs by the DER of their subject: who may have issued a client's certificate."""

    def profile(self, label: str) -> PreparedProfile:
        """The profile in force under ``label`` ("" is the default).

        Raises ``AuthorityUnavailable``: with ``CA_UNAVAILABLE`` when nothing is set up at all,
        with ``LABEL_UNKNOWN`` when the label is nobody's.
        """
        profile = self.profiles.get(label)
        if profile is None:
            is_set_up = bool(label or self.profiles)
            raise AuthorityUnavailable(Reason.LABEL_UNKNOWN if is_set_up else Reason.CA_UNAVAILABLE)
        return profile


_lock = threading.Lock()
_latest = Prepared(generation=-1)


def current() -> Prepared:
    """What holds now. One statement when nothing changed."""
    global _latest  # the one cache; replaced whole, never changed
    generation = Generation.current()
    prepared = _latest
    if prepared.generation != generation:
        with _lock:
            prepared = _latest
            if prepared.generation != generation:
                prepared = _latest = _prepare_whole(generation)
    return prepared


def forget() -> None:
    """Start over, as after a fork or when the database was replaced."""
    global _latest
    _latest = Prepared(generation=-1)


def _prepare_whole(generation: int) -> Prepared:
    """Everything of one generation, and of one only: what changes meanwhile is read again."""
    while True:
        prepared = _prepare(generation)
        newest = Generation.current()
        if newest == generation:
            return prepared
        generation = newest


def _prepare(generation: int) -> Prepared:
    authorities = {
        row.pk: _prepare_authority(row) for row in CertificateAuthority.objects.trusted()
    }
    by_subject: dict[bytes, tuple[PreparedAuthority, ...]] = {}
    for authority in authorities.values():
        subject = authority.certificate.subject.public_bytes()
        by_subject[subject] = (*by_subject.get(subject, ()), authority)
    profiles = {}
    for profile in CertificateProfile.objects.exclude(active_label=None):
        issuing = authorities.get(profile.ca_id)
        if issuing is not None:  # else its CA is revoked or has expired
            trusted = list(authorities.values())
            profiles[profile.label] = _prepare_profile(profile, issuing, trusted)
    return Prepared(generation, tuple(authorities.values()), profiles, by_subject)


def _prepare_authority(row: CertificateAuthority) -> PreparedAuthority:
    certificate = row.certificate
    return PreparedAuthority(
        row=row,
        certificate=certificate,
        issuer=Issuer(
            certificate=certificate,
            name=certificate.subject,
            authority_key_identifier=authority_key_identifier(certificate),
            key_reference=row.key_reference,
            not_after=certificate.not_valid_after_utc,
        ),
    )


def authority_key_identifier(certificate: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """What certificates of this CA say of its key: its own SKI (RFC 5280 4.2.1.1).

    An imported CA may lack one; then it is derived from the key.
    """
    try:
        identifier = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(certificate.public_key())  # type: ignore[arg-type]
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier.value)


def _prepare_profile(
    row: CertificateProfile, authority: PreparedAuthority, trusted: list[PreparedAuthority]
) -> PreparedProfile:
    return PreparedProfile(
        row=row,
        authority=authority,
        rules=CSRRules(
            key_algorithms=frozenset(row.key_algorithms),
            serial_number_required=row.is_serial_number_required,
            subject_attributes=frozenset(row.subject_attributes),
            san_rule=cast(SANRule, row.san_rule),
            pop_linking=cast(POPLinking, row.pop_linking),
        ),
        identity_pattern=re.compile(row.identity_pattern) if row.identity_pattern else None,
        ca_certificates=pkcs7.serialize_certificates(
            published_certificates(authority.row, [other.row for other in trusted]), Encoding.DER
        ),
    )


def published_certificates(
    ca: CertificateAuthority, trusted: list[CertificateAuthority]
) -> list[x509.Certificate]:
    """What /cacerts answers with for ``ca``, the issuing CA first (RFC 7030 4.1.3).

    Its chain to the root; the CAs it succeeded, whose certificates are still around, with their
    chains; and OldWithNew and NewWithOld. Each certificate once.
    """
    by_id = {other.pk: other for other in trusted}
    found = [ca.certificate, *ca.chain]
    while ca.successor_of_id in by_id:
        found += ca.cross_certificates
        ca = by_id[ca.successor_of_id]
        found += [ca.certificate, *ca.chain]
    return list(dict.fromkeys(found))


def key_matches(certificate: x509.Certificate, key_sha256: str) -> bool:
    """Whether ``certificate`` is for the public key with that SHA-256."""
    return public_key_sha256(certificate.public_key()) == key_sha256
