"""A snapshot of CAs and profiles, parsed once per process and replaced when one of them changes.

Every request compares ``Generation`` (one look-up by primary key) and otherwise uses the values
here: parsed certificates, issuer names, key identifiers and CSR rules. Each is made on first use,
because /cacerts and /csrattrs need none for which ``cryptography`` is imported. The denylist and
the state of certificates are not in a snapshot. They are read from the database each time.
"""

import re
import threading
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pki.choices import IdentityRule, POPLinking, SANExcess, SANRule
from pki.conf import pki_settings
from pki.encoding.certs_only import certs_only, der_of
from pki.exceptions import AuthorityUnavailable
from pki.models import CertificateAuthority, CertificateProfile, Generation, hot_path_sql
from pki.reasons import Reason

if TYPE_CHECKING:
    from cryptography import x509

    from pki.csr.check import CSRRules
    from pki.encoding.names import NameKey
    from pki.signers.certificate_contents import Issuer


class AuthoritySnapshot:
    """A CA, ready for use."""

    def __init__(self, row: CertificateAuthority) -> None:
        self.row = row

    @property
    def certificate(self) -> "x509.Certificate":
        """The CA's own certificate."""
        return self.row.certificate

    @cached_property
    def issuer(self) -> "Issuer":
        """What all certificates of this CA have in common."""
        from pki.signers.certificate_contents import Issuer, authority_key_identifier

        certificate = self.certificate
        return Issuer(
            certificate=certificate,
            name=certificate.subject,
            authority_key_identifier=authority_key_identifier(certificate),
            key_reference=self.row.key_reference,
            not_after=certificate.not_valid_after_utc,
        )


class ProfileSnapshot:
    """A profile version in force, ready for use, with the CA it issues from."""

    def __init__(
        self,
        row: CertificateProfile,
        authority: AuthoritySnapshot,
        trusted: Sequence[CertificateAuthority],
        *,
        device_versions: frozenset[uuid.UUID] = frozenset(),
        distrusted_ids: frozenset[uuid.UUID] = frozenset(),
    ) -> None:
        self.row = row
        self.authority = authority
        self.device_versions = device_versions
        """The profile versions whose device certificates count here: its own, and those that it
        accepts by name."""
        self.distrusted_ids = distrusted_ids
        """The CAs on record that are distrusted."""
        self._trusted = trusted

    @cached_property
    def rules(self) -> "CSRRules":
        """The rules for a CSR."""
        from pki.csr.check import CSRRules

        row = self.row
        return CSRRules(
            key_algorithms=frozenset(row.key_algorithms),
            serial_number_required=row.is_serial_number_required,
            subject_attributes=frozenset(row.subject_attributes),
            san_rule=SANRule(row.san_rule),
            san_excess=SANExcess(row.san_excess),
            own_names=frozenset(pki_settings().server_names),
            pop_linking=POPLinking(row.pop_linking),
        )

    @cached_property
    def identity_pattern(self) -> re.Pattern[str] | None:
        """The pattern of the identity rule ``pattern``, compiled."""
        pattern = self.row.identity_pattern
        return re.compile(pattern) if pattern else None

    def granted_name(self, client_name: str) -> str | None:
        """Return the one thing name that a client of that CN may have, by its name.

        "" is no name at all. None: the identity rule does not go by the client's name.
        """
        rule = self.row.identity_rule
        if rule == IdentityRule.SAME_CN:
            return client_name
        if rule == IdentityRule.PATTERN:
            found = self.identity_pattern and self.identity_pattern.fullmatch(client_name)
            return (found.group("name") or "") if found else ""  # the group may be optional
        return None

    def grants(self, common_name: str, client_name: str) -> bool:
        """Return whether the identity rule lets a client of that CN have the thing name.

        Whether another client holds it already, ``pki.issuance.name_rules`` decides.
        """
        granted = self.granted_name(client_name)
        if granted is not None:
            return common_name == granted
        is_listed = self.row.identity_rule == IdentityRule.ALLOW_LIST
        return not is_listed or common_name in self.row.allowed_names

    @cached_property
    def ca_certificates(self) -> bytes:
        """The reply of /cacerts: a certs-only PKCS #7 in DER (RFC 7030 4.1.3)."""
        return certs_only(_published(self.authority.row, self._trusted))


class CASnapshot:
    """All CAs and profiles of one generation. Compared by identity, not by contents."""

    def __init__(
        self,
        generation: int,
        authorities: tuple[AuthoritySnapshot, ...] = (),
        profiles: Mapping[str, ProfileSnapshot] | None = None,
        *,
        distrusted: tuple[CertificateAuthority, ...] = (),
        distrusted_labels: frozenset[str] = frozenset(),
    ) -> None:
        self.generation = generation
        self.authorities = authorities
        self.profiles = profiles or {}
        self.distrusted = distrusted
        self._distrusted_labels = distrusted_labels

    @cached_property
    def by_subject(self) -> "Mapping[NameKey, tuple[AuthoritySnapshot, ...]]":
        """Trusted CAs by their subject (RFC 5280 7.1), to find the issuer of a certificate."""
        from pki.encoding.names import name_key

        found: dict[NameKey, tuple[AuthoritySnapshot, ...]] = {}
        for authority in self.authorities:
            subject = name_key(authority.certificate.subject)
            found[subject] = (*found.get(subject, ()), authority)
        return found

    def is_distrusted(self, certificate: "x509.Certificate") -> bool:
        """Return whether a distrusted CA signed ``certificate``, or its key is that of one."""
        if not self.distrusted:
            return False
        from pki.record.trust_paths import leads_to

        return any(leads_to([certificate], ca) for ca in self.distrusted)

    def in_force_with(self, row: CertificateProfile) -> ProfileSnapshot:
        """Return a profile that is not saved, as it would be if it were in force.

        No device certificate counts at it, because those are looked up by saved versions.
        """
        issuing = next((one for one in self.authorities if one.row.pk == row.ca_id), None)
        return ProfileSnapshot(
            row,
            issuing or AuthoritySnapshot(row.ca),
            [one.row for one in self.authorities],
            distrusted_ids=frozenset(one.pk for one in self.distrusted),
        )

    def profile(self, label: str) -> ProfileSnapshot:
        """Return the profile in force under ``label`` ("" is the default).

        Raises ``AuthorityUnavailable``: with ``CA_UNAVAILABLE`` when nothing is set up at all,
        with ``LABEL_CA_DISTRUSTED`` when the profile's CA is distrusted, and with
        ``LABEL_UNKNOWN`` when no profile in force has the label.
        """
        profile = self.profiles.get(label)
        if profile is None:
            if label in self._distrusted_labels:
                raise AuthorityUnavailable(Reason.LABEL_CA_DISTRUSTED)
            is_set_up = bool(label or self.profiles)
            raise AuthorityUnavailable(Reason.LABEL_UNKNOWN if is_set_up else Reason.CA_UNAVAILABLE)
        return profile


_lock = threading.Lock()
_latest = CASnapshot(generation=-1)


def current_snapshot() -> CASnapshot:
    """Return the snapshot of the current generation. One statement when nothing has changed."""
    return _snapshot_of(Generation.current())


def current_snapshot_and(look: hot_path_sql.Look) -> tuple[CASnapshot, list[Any]]:
    """Return the snapshot of the current generation, and what ``look`` finds at the same time."""
    generation, found = hot_path_sql.fetch_together(Generation.look(), look)
    return _snapshot_of(Generation.number_among(generation)), found


def _snapshot_of(generation: int) -> CASnapshot:
    global _latest  # the one cache; replaced whole, never changed
    latest = _latest
    if latest.generation != generation:
        with _lock:
            latest = _latest
            if latest.generation != generation:
                latest = _latest = _read_consistently(generation)
    return latest


def latest_snapshot() -> CASnapshot:
    """Return the snapshot that this process used last. Runs no statement.

    A cache of other settings can hang on it, if a change of them advances ``Generation``.
    """
    return _latest


def forget() -> None:
    """Drop the snapshot, as after a fork or when the database was replaced."""
    global _latest
    _latest = CASnapshot(generation=-1)


def _read_consistently(generation: int) -> CASnapshot:
    """Return the snapshot of one generation, read again if that changed in between."""
    while True:
        latest = _read(generation)
        newest = Generation.current()
        if newest == generation:
            return latest
        generation = newest


def _read(generation: int) -> CASnapshot:
    trusted = list(CertificateAuthority.objects.trusted())
    distrusted = tuple(CertificateAuthority.objects.distrusted())
    distrusted_ids = frozenset(row.pk for row in distrusted)
    authorities = {row.pk: AuthoritySnapshot(row) for row in trusted}
    versions = _versions_by_name()
    profiles, distrusted_labels = {}, set()
    for profile in CertificateProfile.objects.exclude(active_label=None):
        issuing = authorities.get(profile.ca_id)
        if issuing is not None:  # else its CA is distrusted, retired or has expired
            profiles[profile.label] = ProfileSnapshot(
                profile,
                issuing,
                trusted,
                device_versions=frozenset().union(
                    *(versions[name] for name in (profile.name, *profile.accepted_profiles))
                ),
                distrusted_ids=distrusted_ids,
            )
        elif profile.ca_id in distrusted_ids:
            distrusted_labels.add(profile.label)
    return CASnapshot(
        generation,
        tuple(authorities.values()),
        profiles,
        distrusted=distrusted,
        distrusted_labels=frozenset(distrusted_labels),
    )


def _versions_by_name() -> Mapping[str, set[uuid.UUID]]:
    """Return the ids of all versions of each profile, by the profile's name."""
    versions: defaultdict[str, set[uuid.UUID]] = defaultdict(set)
    for pk, name in CertificateProfile.objects.values_list("pk", "name"):
        versions[name].add(pk)
    return versions


def _published(ca: CertificateAuthority, trusted: Sequence[CertificateAuthority]) -> list[bytes]:
    """Return the certificates of the /cacerts reply for ``ca``, in DER (RFC 7030 4.1.3).

    They are its chain to the root, the CAs that it succeeded and that are still trusted, with their
    chains, and OldWithNew and NewWithOld.
    """
    by_id = {other.pk: other for other in trusted}
    found = [*der_of(ca.pem), *der_of(ca.chain_pem)]
    while ca.successor_of_id in by_id:
        found += der_of(ca.cross_pem)
        ca = by_id[ca.successor_of_id]
        found += [*der_of(ca.pem), *der_of(ca.chain_pem)]
    return found
