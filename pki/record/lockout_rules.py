"""The rules that say of a change of a profile which devices it would refuse.

A device is counted by its current certificate. Counting stops at ``MOST_COUNTED``, and a column
without an index is read along the whole table until then. That happens only for a setting that
changes towards a refusal, which is rare. To look at the newest rows alone would be faster, and
could say of a fleet that it is empty.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from pki.choices import RULES_BY_CLIENT_NAME
from pki.csr.subjects import common_name_in_text
from pki.models import CertificateAuthority, CertificateProfile, IssuedCertificate
from pki.models.profile import EVERY_CLIENT_CA
from pki.record.bounded_counts import MOST_COUNTED, count_in_words, count_up_to
from pki.record.snapshot import AuthoritySnapshot, ProfileSnapshot

# As pki.csr.subjects.name_text writes them (RFC 4514 3, and cryptography's own escapes).
_NAMES_IN_TEXT: Final = {
    "countryName": "C",
    "stateOrProvinceName": "ST",
    "localityName": "L",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "userId": "UID",
    "domainComponent": "DC",
}


@dataclass(frozen=True, slots=True)
class Found:
    """What a rule says of a change: a sentence, and how many devices it refuses."""

    sentence: str
    devices: int


def _found(sentence: str, rows: "QuerySet[IssuedCertificate] | int") -> Found:
    """Return a sentence in which ``{devices}`` became their number in words."""
    count = rows if isinstance(rows, int) else count_up_to(rows)
    noun = "device" if count == 1 else "devices"
    return Found(sentence.replace("{devices}", f"{count_in_words(count)} {noun}"), count)


def versions_of(profile: CertificateProfile) -> "QuerySet[CertificateProfile]":
    """Return all versions of a profile, which certificates name."""
    return CertificateProfile.objects.filter(name=profile.name)


def _current(profile: CertificateProfile) -> "QuerySet[IssuedCertificate]":
    return IssuedCertificate.objects.current().filter(profile__in=versions_of(profile))


def path_of(label: str) -> str:
    """Return the path of a label's operations (RFC 7030 3.2.2)."""
    return f"/.well-known/est{f'/{label}' if label else ''}/"


def _label(before: CertificateProfile, after: CertificateProfile) -> Found | None:
    if before.label == after.label:
        return None
    return _found(
        f"The address changes from {path_of(before.label)} to {path_of(after.label)}. Devices that "
        "use the old address are refused: up to {devices} of this profile.",
        _current(before),
    )


def _end_of_ca(before: CertificateProfile, after: CertificateProfile) -> Found | None:
    """Ask when certificates would end with their CA, and did not, or were to be as long."""
    days_left = _days_left(after.ca)
    if after.validity_days <= days_left:
        return None
    is_as_before = before.ca_id == after.ca_id and after.validity_days <= before.validity_days
    if is_as_before and before.validity_days > days_left:
        return None
    return _found(
        f"The CA {after.ca.name} ends in {days_left} days, on {after.ca.not_after:%Y-%m-%d}, so "
        f"certificates end then and not after {after.validity_days} days. From then on it refuses "
        "{devices} of this profile. Make a successor of the CA first.",
        _current(before),
    )


def _days_left(ca: CertificateAuthority) -> int:
    return max((ca.not_after - timezone.now()).days, 0)


def _key_algorithms(before: CertificateProfile, after: CertificateProfile) -> Found | None:
    removed = sorted({*before.key_algorithms} - {*after.key_algorithms})
    if not removed:
        return None
    return _found(
        f"Keys of {', '.join(removed)} are not taken any more. That refuses the renewal of "
        "{devices} with such a key, unless they make a key of another algorithm.",
        _current(before).filter(key_algorithm__in=removed),
    )


def _subject_attributes(before: CertificateProfile, after: CertificateProfile) -> Found | None:
    removed = sorted({*before.subject_attributes} - {*after.subject_attributes})
    if not removed:
        return None
    has_one = Q()
    for name in removed:
        word = _NAMES_IN_TEXT.get(name, name)
        has_one |= Q(subject__startswith=f"{word}=") | Q(subject__contains=f",{word}=")
    return _found(
        f"A subject may not have {', '.join(removed)} any more. That refuses the renewal of "
        "{devices} with a certificate that has it, because a renewal keeps the subject (RFC 7030 "
        "4.2.2).",
        _current(before).filter(has_one),
    )


def _serial_number(before: CertificateProfile, after: CertificateProfile) -> Found | None:
    if before.is_serial_number_required or not after.is_serial_number_required:
        return None
    return _found(
        "That refuses the renewal of {devices} with a certificate without serialNumber, because a "
        "renewal keeps the subject (RFC 7030 4.2.2).",
        _current(before).exclude(subject__contains="serialNumber="),
    )


def _identity(before: CertificateProfile, after: CertificateProfile) -> Found | None:
    """Ask the identity rule of both versions for the client of each device."""
    names = ("identity_rule", "identity_pattern", "allowed_names")
    if all(getattr(before, name) == getattr(after, name) for name in names):
        return None
    holds_by_name = (
        before.identity_rule in RULES_BY_CLIENT_NAME
        and after.identity_rule not in RULES_BY_CLIENT_NAME
        and not after.can_rebind_names
    )
    if holds_by_name:
        return _found(
            "A thing name then belongs to the very client certificate that took it, and not to the "
            "client's name. Clients whose certificate was issued anew since then are refused: up "
            "to {devices}, as long as these do not renew with certificates of their own.",
            _current(before),
        )
    return _found(
        "The identity rule refuses the names of {devices} to the clients that enrolled them, which "
        "cannot renew or enroll them again. Devices can renew with certificates of their own.",
        _refused_names(before, after),
    )


def _refused_names(before: CertificateProfile, after: CertificateProfile) -> int:
    """Return how many names the rule granted, and would not grant any more; one more at most."""
    old, new = (ProfileSnapshot(one, AuthoritySnapshot(one.ca), ()) for one in (before, after))
    owners = IssuedCertificate.objects.filter(name_owner=OuterRef("name_folded"))
    clients = Subquery(owners.order_by().values("client_subject")[:1])
    rows = _current(before).order_by().annotate(holder=clients).values_list("common_name", "holder")
    refused = 0
    for common_name, subject in rows.iterator():
        client_name = common_name_in_text(subject or "")
        if old.grants(common_name, client_name) and not new.grants(common_name, client_name):
            refused += 1
            if refused > MOST_COUNTED:
                break
    return refused


def _client_cas(before: CertificateProfile, after: CertificateProfile) -> Found | None:
    if EVERY_CLIENT_CA in after.client_cas:
        return None
    old = {*before.client_cas}
    if EVERY_CLIENT_CA in old:
        old = {*CertificateAuthority.objects.client().trusted().values_list("name", flat=True)}
    removed = sorted(old - {*after.client_cas})
    if not removed:
        return None
    return _found(
        f"Clients of {', '.join(removed)} are refused at this label, and with them the devices "
        "that they enroll and renew: up to {devices}.",
        _current(before),
    )


def _accepted_profiles(before: CertificateProfile, after: CertificateProfile) -> Found | None:
    removed = sorted({*before.accepted_profiles} - {*after.accepted_profiles})
    if not removed:
        return None
    versions = CertificateProfile.objects.filter(name__in=removed)
    names = ", ".join(map(repr, removed))
    return _found(
        f"That refuses the renewal of {{devices}} of {names} at this label.",
        IssuedCertificate.objects.current().filter(profile__in=versions),
    )


def _client_renewal(before: CertificateProfile, after: CertificateProfile) -> Found | None:
    if after.can_client_reenroll or not before.can_client_reenroll:
        return None
    return _found(
        "Clients cannot renew for their devices any more. That refuses up to {devices} of this "
        "profile, unless these renew with certificates of their own.",
        _current(before),
    )


def _key_reuse(before: CertificateProfile, after: CertificateProfile) -> Found | None:
    if after.can_reuse_key or not before.can_reuse_key:
        return None
    return _found(
        "A renewal needs a new key. That refuses up to {devices} of this profile, unless these "
        "make one.",
        _current(before),
    )


_Rule = Callable[[CertificateProfile, CertificateProfile], Found | None]

RULES: Final[tuple[tuple[str, _Rule], ...]] = (
    ("label", _label),
    ("validity_days", _end_of_ca),
    ("key_algorithms", _key_algorithms),
    ("subject_attributes", _subject_attributes),
    ("is_serial_number_required", _serial_number),
    ("client_cas", _client_cas),
    ("accepted_profiles", _accepted_profiles),
    ("identity_rule", _identity),
    ("can_client_reenroll", _client_renewal),
    ("can_reuse_key", _key_reuse),
)
"""The setting at which each rule speaks."""
