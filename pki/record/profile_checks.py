"""Check that a profile's settings fit each other, when it is written and not when a device asks."""

import re
from collections.abc import Collection, Iterator

from cryptography.x509.oid import AttributeOID
from django.core.exceptions import ValidationError

from pki.choices import IdentityRule
from pki.csr.key_algorithms import KEY_ALGORITHMS
from pki.csr.subjects import SUBJECT_ATTRIBUTES
from pki.csr.thing_names import check_common_name
from pki.encoding.csrattrs import encode_csr_attributes
from pki.exceptions import CSRRejected
from pki.models import CertificateProfile
from pki.models.profile import EST_OPERATIONS
from pki.record.profile_labels import label_problems
from pki.record.setting_problems import SettingProblem, SettingsRefused


def check_profile(profile: CertificateProfile, before: CertificateProfile | None = None) -> None:
    """Raise ``SettingsRefused``, with all that is wrong, when settings do not fit each other.

    ``before`` is the version that ``profile`` is to replace. Spans of days that did not fit each
    other there may stay as they are, because rules that came later must not stop other changes.
    """
    problems = list(_problems(profile))
    known = set(_day_problems(before)) if before is not None else set()
    if not {"validity_days", "overlap_days", "reenroll_window_days"} & {
        one.setting for one in problems
    }:
        problems += [one for one in _day_problems(profile) if one not in known]
    if problems:
        raise SettingsRefused(problems)


def lets_nobody_in(profile: CertificateProfile) -> bool:
    """Return whether the rule ``allow-list`` has no name to let in."""
    return profile.identity_rule == IdentityRule.ALLOW_LIST and not profile.allowed_names


def _problems(profile: CertificateProfile) -> Iterator[SettingProblem]:
    """Yield what is wrong, whatever was in force before."""
    try:
        profile.full_clean(validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        for name, messages in error.message_dict.items():
            if name != "key_algorithms":  # a sentence of its own follows
                yield SettingProblem(name, " ".join(messages))
    if profile.label in EST_OPERATIONS:
        yield SettingProblem(
            "label", f"{profile.label!r} is an EST operation (RFC 7030 3.2.2). Choose another."
        )
    yield from _unknown("key_algorithms", profile.key_algorithms, KEY_ALGORITHMS)
    yield from _unknown("subject_attributes", profile.subject_attributes, SUBJECT_ATTRIBUTES)
    if not profile.key_algorithms:
        yield SettingProblem("key_algorithms", "At least one is needed.")
    if profile.is_serial_number_required and "serialNumber" not in profile.subject_attributes:
        yield SettingProblem(
            "subject_attributes", "The attribute serialNumber is required, so it must be allowed."
        )
    yield from _name_problems(profile.allowed_names)
    yield from label_problems(profile)
    yield from _csrattrs_problems(profile.csrattrs)
    if profile.identity_rule == IdentityRule.PATTERN:
        yield from _pattern_problems(profile.identity_pattern)
    if profile.ca.purpose != profile.ca.Purpose.DEVICE:
        yield SettingProblem("ca", f"{profile.ca} is a client CA. Name a device CA.")


def _day_problems(profile: CertificateProfile) -> Iterator[SettingProblem]:
    """Yield the spans of days that are longer than a certificate is valid."""
    validity = profile.validity_days
    if profile.overlap_days > validity:
        yield SettingProblem(
            "overlap_days",
            f"The overlap of {profile.overlap_days} days is longer than the validity of {validity} "
            "days, so every replaced certificate would authenticate its device until it expires. "
            f"Use at most {validity}.",
        )
    if profile.reenroll_window_days > validity:
        yield SettingProblem(
            "reenroll_window_days",
            f"The renewal window of {profile.reenroll_window_days} days is longer than the "
            f"validity of {validity} days, so it would never be closed. Use at most {validity}, or "
            "0 for a renewal at any time.",
        )


def _unknown(field: str, values: object, known: Collection[str]) -> Iterator[SettingProblem]:
    if not isinstance(values, list):
        yield SettingProblem(field, f"Wanted a list of some of {', '.join(known)}.")
        return
    for value in values:
        if value not in known:
            yield SettingProblem(field, f"{value!r} is unknown. Use some of {', '.join(known)}.")


def _name_problems(names: object) -> Iterator[SettingProblem]:
    if not isinstance(names, list):
        yield SettingProblem("allowed_names", "Wanted a list of thing names.")
        return
    for name in names:
        try:
            check_common_name(str(name))
        except CSRRejected as error:
            yield SettingProblem("allowed_names", error.message)


def _pattern_problems(pattern: str) -> Iterator[SettingProblem]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        sentence = f"It is not a regular expression: {error}."
    else:
        if "name" in compiled.groupindex:
            return
        sentence = "It needs a group (?P<name>...) that finds the thing name."
    yield SettingProblem("identity_pattern", sentence)


def _csrattrs_problems(lines: object) -> Iterator[SettingProblem]:
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        yield SettingProblem("csrattrs", 'Wanted a list of lines such as "1.2.840.10045.4.3.2".')
        return
    try:
        encode_csr_attributes(lines)
    except ValueError as error:
        yield SettingProblem("csrattrs", str(error))
        return
    if AttributeOID.CHALLENGE_PASSWORD.dotted_string in lines:
        # Its value is bound to the TLS session, which ends at the gateway (RFC 7030 3.5).
        yield SettingProblem("csrattrs", "challengePassword cannot be verified here. Leave it out.")
