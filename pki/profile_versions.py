"""Certificate profiles change by getting a new version; what was issued keeps the old one."""

import re
from collections.abc import Collection
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Max

from pki import audit
from pki.audit import Actor
from pki.exceptions import OperatorError
from pki.keys import KEY_ALGORITHMS
from pki.models import CertificateProfile
from pki.models.profile import EST_OPERATIONS
from pki.names import SUBJECT_ATTRIBUTES, shown

# An OID (X.660: the first arc is 0 to 2, the second below 40 under 0 and 1); OID=OID; OID=number.
_OID = r"(?:[01]\.(?:[0-9]|[1-3][0-9])|2\.[0-9]{1,20})(?:\.[0-9]{1,40}){0,30}"
_ATTRIBUTE = re.compile(rf"{_OID}(?:=(?:{_OID}|[0-9]{{1,20}}))?", re.ASCII)
_NAME = re.compile(r"[a-zA-Z0-9:_-]{1,64}")
_WANTED = {
    "allowed_names": "a thing name (1 to 64 of a-z, A-Z, 0-9, ':', '_' and '-')",
    "csrattrs": "an OID, OID=OID or OID=number, such as 1.2.840.10045.2.1=1.2.840.10045.3.1.7",
}

_NOT_COPIED = frozenset({"id", "version", "active_label", "created_at"})


def add_profile(profile: CertificateProfile, *, actor: Actor) -> CertificateProfile:
    """Put a profile of a new name in force, in the caller's transaction.

    Raises ``OperatorError`` when it is inconsistent, or its label is taken.
    """
    check_profile(profile)
    if CertificateProfile.objects.filter(name=profile.name).exists():
        raise OperatorError(f"there is a profile {profile.name!r} already: change that one")
    profile.version = 1
    _put_in_force(profile)
    audit.record(
        "add-profile", actor=actor, target=f"profile:{profile.name}", after=settings_of(profile)
    )
    return profile


def change_profile(
    profile: CertificateProfile, changes: dict[str, Any], *, actor: Actor, reason: str
) -> CertificateProfile:
    """Put a new version with ``changes`` in force, in the caller's transaction.

    Raises ``OperatorError`` when ``profile`` isn't the version in force (somebody was faster), or
    the result would be inconsistent.
    """
    if profile.active_label is None:
        raise OperatorError(f"{profile} isn't in force any more: look at the newest version first")
    values = {
        field.attname: getattr(profile, field.attname)
        for field in CertificateProfile._meta.concrete_fields
        if field.name not in _NOT_COPIED
    }
    successor = CertificateProfile(**values)
    for name, value in changes.items():
        setattr(successor, name, value)
    check_profile(successor)
    newest = CertificateProfile.objects.filter(name=profile.name).aggregate(Max("version"))
    successor.version = (newest["version__max"] or 0) + 1
    before = settings_of(profile)
    profile.active_label = None
    profile.save(update_fields=["active_label"])
    _put_in_force(successor)
    after = settings_of(successor)
    audit.record(
        "change-profile",
        actor=actor,
        target=f"profile:{profile.name}",
        reason=reason,
        before={key: value for key, value in before.items() if value != after[key]},
        after={key: value for key, value in after.items() if value != before[key]},
    )
    return successor


def _put_in_force(profile: CertificateProfile) -> None:
    taken = CertificateProfile.objects.filter(active_label=profile.label).first()
    if taken is not None:
        raise OperatorError(
            f"the label {profile.label!r} belongs to {taken}: choose another"
            if profile.label
            else f"{taken} is the default profile already: give this one a label"
        )
    profile.active_label = profile.label
    profile.save(force_insert=True)


def settings_of(profile: CertificateProfile) -> dict[str, Any]:
    """What the profile says, as JSON values for the audit trail."""
    said: dict[str, Any] = {
        field.name: getattr(profile, field.attname)
        for field in CertificateProfile._meta.concrete_fields
        if field.name not in {"id", "active_label", "created_at", "ca"}
    }
    return {**said, "ca": profile.ca.name}


def check_profile(profile: CertificateProfile) -> None:
    """Raise ``OperatorError`` when the profile's settings don't fit each other.

    A wrong profile must be refused when it is written, not when a device meets it.
    """
    problems = []
    try:
        profile.full_clean(validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        problems += [
            f"{name}: {' '.join(messages)}" for name, messages in error.message_dict.items()
        ]
    if profile.label in EST_OPERATIONS:
        problems.append(f"label: {profile.label!r} is an EST operation (RFC 7030 3.2.2)")
    problems += _unknown("key_algorithms", profile.key_algorithms, KEY_ALGORITHMS)
    problems += _unknown("subject_attributes", profile.subject_attributes, SUBJECT_ATTRIBUTES)
    if not profile.key_algorithms:
        problems.append("key_algorithms: at least one is needed")
    if profile.is_serial_number_required and "serialNumber" not in profile.subject_attributes:
        problems.append("subject_attributes: serialNumber is required, so it must be allowed")
    problems += _line_problems("allowed_names", profile.allowed_names, _NAME)
    problems += _line_problems("csrattrs", profile.csrattrs, _ATTRIBUTE)
    if profile.identity_rule == CertificateProfile.IdentityRule.PATTERN:
        problems += _pattern_problems(profile.identity_pattern)
    if profile.ca.purpose != profile.ca.Purpose.DEVICE:
        problems.append(f"ca: {profile.ca} is a client CA; devices get theirs from a device CA")
    if problems:
        raise OperatorError("; ".join(problems))


def _unknown(field: str, values: object, known: Collection[str]) -> list[str]:
    if not isinstance(values, list):
        return [f"{field}: wanted a list of some of: {', '.join(known)}"]
    return [
        f"{field}: {value!r} is unknown; known: {', '.join(known)}"
        for value in values
        if value not in known
    ]


def _line_problems(field: str, values: object, wanted: re.Pattern[str]) -> list[str]:
    if not isinstance(values, list):
        return [f"{field}: wanted a list of texts"]
    return [
        f"{field}: {shown(str(value))} isn't {_WANTED[field]}"
        for value in values
        if not (isinstance(value, str) and wanted.fullmatch(value))
    ]


def _pattern_problems(pattern: str) -> list[str]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        return [f"identity_pattern: not a regular expression: {error}"]
    if "name" not in compiled.groupindex:
        return ["identity_pattern: it needs a group (?P<name>...) that finds the thing name"]
    return []
