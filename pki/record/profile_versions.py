"""Add and change certificate profiles. A change is a new version, and certificates keep theirs."""

from collections.abc import Collection
from typing import Any

from django.db.models import Max

from pki.models import CertificateProfile
from pki.operators.errors import OperatorError
from pki.record import audit_trail, observers
from pki.record.audit_trail import Actor
from pki.record.profile_checks import check_profile
from pki.record.profile_labels import check_client_cas_change, client_cas_by_default
from pki.record.profile_lockouts import check_lockouts, check_somebody_is_let_in
from pki.record.setting_problems import SettingProblem, SettingsRefused

_NOT_COPIED = frozenset({"id", "version", "active_label", "created_at"})


def add_profile(profile: CertificateProfile, *, actor: Actor) -> CertificateProfile:
    """Put a profile of a new name in force, in the caller's transaction.

    A profile that names no client CA takes the only one. Raises ``SettingsRefused`` when there are
    several, when the profile is inconsistent, or its name or label is taken.
    """
    check_new_profile(profile)
    profile.version = 1
    _put_in_force(profile)
    audit_trail.record(
        "add-profile", actor=actor, target=f"profile:{profile.name}", after=settings_of(profile)
    )
    return profile


def check_new_profile(profile: CertificateProfile) -> None:
    """Check a profile of a new name, and fill in what it takes by default. Writes nothing.

    Raises ``SettingsRefused``.
    """
    check_client_cas_change(CertificateProfile(), profile.client_cas)
    profile.client_cas = profile.client_cas or client_cas_by_default()
    check_profile(profile)
    if CertificateProfile.objects.filter(name=profile.name).exists():
        sentence = f"There is a profile {profile.name!r} already. Change that one."
        raise SettingsRefused([SettingProblem("name", sentence)])
    _check_label_is_free(profile)


def changed(profile: CertificateProfile, changes: dict[str, Any]) -> CertificateProfile:
    """Return the version that ``changes`` would make of ``profile``, checked and not saved.

    Writes nothing, and does not ask which devices it would refuse (``profile_lockouts``). Raises
    ``OperatorError`` when the result would be inconsistent, or an observer refuses it.
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
    check_profile(successor, profile)
    check_somebody_is_let_in(profile, successor)
    _check_label_is_free(successor)
    for observer in observers.registered():
        observer.profile_changes(profile, successor)
    return successor


def change_profile(
    profile: CertificateProfile,
    changes: dict[str, Any],
    *,
    actor: Actor,
    reason: str,
    confirmed: Collection[str] = (),
) -> CertificateProfile:
    """Put a new version with ``changes`` in force, in the caller's transaction.

    ``confirmed`` has the settings of which a person knows that their change refuses devices
    (``EVERY_SETTING`` for a step of the server's own). Raises ``OperatorError`` when ``profile`` is
    not the version in force any more, the result would be inconsistent or an observer refuses it,
    and ``NotConfirmed`` with the number of devices that a change would refuse.
    """
    in_force = CertificateProfile.objects.filter(pk=profile.pk).exclude(active_label=None)
    if not in_force.exists():  # said first, because what follows compares with this version
        raise _is_not_in_force(profile)
    successor = changed(profile, changes)
    check_lockouts(profile, successor, confirmed)
    newest = CertificateProfile.objects.filter(name=profile.name).aggregate(Max("version"))
    successor.version = (newest["version__max"] or 0) + 1
    before = settings_of(profile)
    # ``profile`` itself stays as it is: the caller's transaction may have to start over.
    if not in_force.update(active_label=None):
        raise _is_not_in_force(profile)
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


def _is_not_in_force(profile: CertificateProfile) -> OperatorError:
    return OperatorError(f"{profile} is not in force any more. Look at the newest version first.")


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


def changes_back(name: str, version: int) -> tuple[CertificateProfile, dict[str, Any]]:
    """Return the newest version, and the changes that give it the settings of an earlier one.

    Raises ``OperatorError`` if there is no such version.
    """
    old, newest = find_version(name, version), find_version(name)
    return newest, {
        field.name: getattr(old, field.name)
        for field in CertificateProfile._meta.concrete_fields
        if field.name not in {*_NOT_COPIED, "name"}
        and getattr(old, field.attname) != getattr(newest, field.attname)
    }


def return_to_version(
    name: str, version: int, *, actor: Actor, reason: str, confirmed: Collection[str] = ()
) -> CertificateProfile:
    """Put the settings of an earlier version in force, as a new one, in the caller's transaction.

    Everything is checked as in a change, because CAs may have gone since. Raises ``OperatorError``
    as ``change_profile`` does, and if nothing would change.
    """
    newest, changes = changes_back(name, version)
    if not changes:
        raise OperatorError(f"{newest} has the settings of version {version} already.")
    back = f"{reason} (back to v{version})"
    return change_profile(newest, changes, actor=actor, reason=back, confirmed=confirmed)


def _check_label_is_free(profile: CertificateProfile) -> None:
    in_force = CertificateProfile.objects.filter(active_label=profile.label)
    taken = in_force.exclude(name=profile.name).first()
    if taken is None:
        return
    sentence = (
        f"The label {profile.label!r} belongs to {taken}. Choose another."
        if profile.label
        else f"{taken} is the default profile already. Give this one a label."
    )
    raise SettingsRefused([SettingProblem("label", sentence)])


def _put_in_force(profile: CertificateProfile) -> None:
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
