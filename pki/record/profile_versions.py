"""Add and change certificate profiles. A change is a new version, and certificates keep theirs."""

import re
from collections.abc import Collection
from typing import Any

from cryptography.x509.oid import AttributeOID
from django.core.exceptions import ValidationError
from django.db.models import Max

from pki.choices import IdentityRule
from pki.csr.key_algorithms import KEY_ALGORITHMS
from pki.csr.subjects import SUBJECT_ATTRIBUTES
from pki.csr.thing_names import check_common_name
from pki.encoding.csrattrs import encode_csr_attributes
from pki.exceptions import CSRRejected
from pki.models import CertificateProfile, IssuedCertificate
from pki.models.profile import EST_OPERATIONS
from pki.operators.errors import OperatorError
from pki.record import audit_trail, observers
from pki.record.audit_trail import Actor
from pki.record.bounded_counts import count_in_words, count_up_to
from pki.record.profile_labels import (
    check_client_cas_change,
    client_cas_by_default,
    label_problems,
)

_NOT_COPIED = frozenset({"id", "version", "active_label", "created_at"})


def add_profile(profile: CertificateProfile, *, actor: Actor) -> CertificateProfile:
    """Put a profile of a new name in force, in the caller's transaction.

    A profile that names no client CA takes the only one. Raises ``OperatorError`` when there are
    several, when the profile is inconsistent, or its label is taken.
    """
    check_client_cas_change(CertificateProfile(), profile.client_cas)
    profile.client_cas = profile.client_cas or client_cas_by_default()
    check_profile(profile)
    if CertificateProfile.objects.filter(name=profile.name).exists():
        raise OperatorError(f"There is a profile {profile.name!r} already. Change that one.")
    profile.version = 1
    _put_in_force(profile)
    audit_trail.record(
        "add-profile", actor=actor, target=f"profile:{profile.name}", after=settings_of(profile)
    )
    return profile


def change_profile(
    profile: CertificateProfile, changes: dict[str, Any], *, actor: Actor, reason: str
) -> CertificateProfile:
    """Put a new version with ``changes`` in force, in the caller's transaction.

    Raises ``OperatorError`` when ``profile`` is not the version in force any more, or the result
    would be inconsistent or an observer refuses it.
    """
    values = {
        field.attname: getattr(profile, field.attname)
        for field in CertificateProfile._meta.concrete_fields
        if field.name not in _NOT_COPIED
    }
    successor = CertificateProfile(**values)
    for name, value in changes.items():
        setattr(successor, name, value)
    if "client_cas" in changes:
        check_client_cas_change(profile, successor.client_cas)
        successor.client_cas = successor.client_cas or client_cas_by_default()
    check_profile(successor)
    _check_is_no_lockout(profile, successor)
    for observer in observers.registered():
        observer.profile_changes(profile, successor)
    newest = CertificateProfile.objects.filter(name=profile.name).aggregate(Max("version"))
    successor.version = (newest["version__max"] or 0) + 1
    before = settings_of(profile)
    in_force = CertificateProfile.objects.filter(pk=profile.pk).exclude(active_label=None)
    # ``profile`` itself stays as it is: the caller's transaction may have to start over.
    if not in_force.update(active_label=None):
        raise OperatorError(
            f"{profile} is not in force any more. Look at the newest version first."
        )
    _put_in_force(successor)
    after = settings_of(successor)
    audit_trail.record(
        "change-profile",
        actor=actor,
        target=f"profile:{profile.name}",
        reason=reason,
        before={key: value for key, value in before.items() if value != after[key]},
        after={key: value for key, value in after.items() if value != before[key]},
    )
    return successor


def find_version(name: str, version: int | None = None) -> CertificateProfile:
    """Return a version of a profile, by default the newest one.

    Raises ``OperatorError``, with the known versions, if there is none.
    """
    rows = CertificateProfile.objects.filter(name=name).select_related("ca").order_by("-version")
    found = rows.first() if version is None else rows.filter(version=version).first()
    if found is None:
        known = ", ".join(map(str, rows.values_list("version", flat=True))) or "none"
        raise OperatorError(
            f"The profile {name!a} has no version {1 if version is None else version}. "
            f"Versions on record: {known}."
        )
    return found


def return_to_version(name: str, version: int, *, actor: Actor, reason: str) -> CertificateProfile:
    """Put the settings of an earlier version in force, as a new one, in the caller's transaction.

    Everything is checked as in a change, because CAs may have gone since. Raises ``OperatorError``
    as ``change_profile`` does, and if nothing would change.
    """
    old, newest = find_version(name, version), find_version(name)
    changes = {
        field.name: getattr(old, field.name)
        for field in CertificateProfile._meta.concrete_fields
        if field.name not in {*_NOT_COPIED, "name"}
        and getattr(old, field.attname) != getattr(newest, field.attname)
    }
    if not changes:
        raise OperatorError(f"{newest} has the settings of version {version} already.")
    return change_profile(newest, changes, actor=actor, reason=f"{reason} (back to v{version})")


def _put_in_force(profile: CertificateProfile) -> None:
    taken = CertificateProfile.objects.filter(active_label=profile.label).first()
    if taken is not None:
        raise OperatorError(
            f"The label {profile.label!r} belongs to {taken}. Choose another."
            if profile.label
            else f"{taken} is the default profile already. Give this one a label."
        )
    profile.active_label = profile.label
    profile.save(force_insert=True)


def settings_of(profile: CertificateProfile) -> dict[str, Any]:
    """Return the profile's settings as JSON values, for the audit trail."""
    said: dict[str, Any] = {
        field.name: getattr(profile, field.attname)
        for field in CertificateProfile._meta.concrete_fields
        if field.name not in {"id", "active_label", "created_at", "ca"}
    }
    return {**said, "ca": profile.ca.name}


def check_profile(profile: CertificateProfile) -> None:
    """Raise ``OperatorError``, with all that is wrong, when settings do not fit each other.

    A wrong profile must be refused when it is written, not when a device uses it.
    """
    problems = []
    try:
        profile.full_clean(validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        problems += [
            f"{name}: {' '.join(messages)}" for name, messages in error.message_dict.items()
        ]
    if profile.label in EST_OPERATIONS:
        problems.append(f"label: {profile.label!r} is an EST operation (RFC 7030 3.2.2).")
    problems += _unknown("key_algorithms", profile.key_algorithms, KEY_ALGORITHMS)
    problems += _unknown("subject_attributes", profile.subject_attributes, SUBJECT_ATTRIBUTES)
    if not profile.key_algorithms:
        problems.append("key_algorithms: at least one is needed.")
    if profile.is_serial_number_required and "serialNumber" not in profile.subject_attributes:
        problems.append("subject_attributes: serialNumber is required, so it must be allowed.")
    problems += _name_problems(profile.allowed_names)
    problems += label_problems(profile)
    problems += _csrattrs_problems(profile.csrattrs)
    if profile.identity_rule == IdentityRule.PATTERN:
        problems += _pattern_problems(profile.identity_pattern)
    if profile.ca.purpose != profile.ca.Purpose.DEVICE:
        problems.append(f"ca: {profile.ca} is a client CA. Name a device CA.")
    if problems:
        raise OperatorError(" ".join(problems))


def _check_is_no_lockout(profile: CertificateProfile, successor: CertificateProfile) -> None:
    """Refuse a change after which no device at all could enroll. Raises ``OperatorError``.

    A profile that is made with an empty list gets its names later, and stays as it is until then.
    """
    if _lets_nobody_in(successor) and not _lets_nobody_in(profile):
        versions = CertificateProfile.objects.filter(name=profile.name)
        live = IssuedCertificate.objects.live().filter(profile__in=versions)
        raise OperatorError(
            "allowed_names: the rule allow-list with an empty list refuses every device of the "
            f"profile ({count_in_words(count_up_to(live))} live certificates). Name at least one."
        )


def _lets_nobody_in(profile: CertificateProfile) -> bool:
    return profile.identity_rule == IdentityRule.ALLOW_LIST and not profile.allowed_names


def _unknown(field: str, values: object, known: Collection[str]) -> list[str]:
    if not isinstance(values, list):
        return [f"{field}: wanted a list of some of {', '.join(known)}."]
    return [
        f"{field}: {value!r} is unknown. Use some of {', '.join(known)}."
        for value in values
        if value not in known
    ]


def _name_problems(names: object) -> list[str]:
    if not isinstance(names, list):
        return ["allowed_names: wanted a list of thing names."]
    problems = []
    for name in names:
        try:
            check_common_name(str(name))
        except CSRRejected as error:
            problems.append(f"allowed_names: {error.message}")
    return problems


def _pattern_problems(pattern: str) -> list[str]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        return [f"identity_pattern: it is not a regular expression: {error}."]
    if "name" not in compiled.groupindex:
        return ["identity_pattern: it needs a group (?P<name>...) that finds the thing name."]
    return []


def _csrattrs_problems(lines: object) -> list[str]:
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        return ['csrattrs: wanted a list of lines such as "1.2.840.10045.4.3.2".']
    try:
        encode_csr_attributes(lines)
    except ValueError as error:
        return [f"csrattrs: {error}"]
    if AttributeOID.CHALLENGE_PASSWORD.dotted_string in lines:
        # Its value is bound to the TLS session, which ends at the gateway (RFC 7030 3.5).
        return ["csrattrs: challengePassword cannot be verified here. Leave it out."]
    return []
