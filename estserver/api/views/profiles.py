"""Certificate profiles: list, read, add, change with validation, versions."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

from django.http import HttpResponseBase
from rest_framework.exceptions import ValidationError

from estserver.api.etags import etag, expected_version, version_changed
from estserver.api.keyset import Order, Selection
from estserver.api.serializers.authorities import (
    NewProfile,
    Profile,
    ProfileChange,
    ProfileChanged,
)
from estserver.api.serializers.outputs import said
from estserver.api.views.base import BaseView, ListView, Request, Response, not_found
from pki.models import CertificateProfile
from pki.operators.errors import OperatorError
from pki.record.find import find_profile
from pki.record.profile_lockouts import NotConfirmed
from pki.record.profile_settings import parse_settings
from pki.record.profile_versions import add_profile, change_profile, settings_of
from pki.record.setting_problems import SettingsRefused
from pki.record.transactions import in_write_transaction

VIEW = "pki.view_certificateprofile"
ADD = "pki.add_certificateprofile"
CHANGE = "pki.change_certificateprofile"
_OF_VERSION = ("name", "version")

T = TypeVar("T")


class _DryRun(Exception):
    """Ends the transaction of a dry run, so that nothing of it is committed."""

    def __init__(self, result: Any) -> None:
        self.result = result


def tried(work: Callable[[], T], *, dry_run: bool) -> T:
    """Return what ``work`` returns in a write transaction, which a dry run takes back."""
    if not dry_run:
        return in_write_transaction(work)

    def try_it() -> T:
        raise _DryRun(work())

    try:
        return in_write_transaction(try_it)
    except _DryRun as done:
        result: T = done.result
        return result


def profile_named(name: str) -> CertificateProfile:
    """Return the profile in force with this name or label. Raises ``APIRefusal``."""
    try:
        return find_profile(name)
    except OperatorError as error:
        raise not_found(str(error)) from error


def parsed(settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings by column. Raises ``ValidationError``, which names each that is wrong."""
    changes: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for name, value in settings.items():
        if "=" in name:
            wrong[name] = "A setting's name has no '='."
            continue
        try:
            changes |= parse_settings([f"{name}={_as_typed(value)}"])
        except OperatorError as error:
            wrong[name] = str(error)
    if wrong:
        raise ValidationError({"settings": wrong})
    return changes


def _refused(error: OperatorError) -> ValidationError:
    """Return the refusal of settings, each sentence at the setting that it is about."""
    if not isinstance(error, SettingsRefused):
        return ValidationError({"settings": str(error)})
    found: dict[str, list[str]] = {}
    for one in error.problems:
        found.setdefault(one.setting, []).append(one.sentence)
    if isinstance(error, NotConfirmed):
        advice = f"If that is meant, send it again with `confirm`: {json.dumps([*found])}."
        return ValidationError({"settings": found, "confirm": [advice]})
    name = found.pop("name", None)  # it stands beside the settings of a new profile
    return ValidationError(
        ({"name": name} if name else {}) | ({"settings": found} if found else {})
    )


def _as_typed(value: Any) -> str:
    """Return a JSON value as an operator types it for `profile_set`."""
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value)


def differences(old: CertificateProfile, new: CertificateProfile) -> dict[str, Any]:
    """Return the settings that differ, each with its value before and after."""
    before, after = settings_of(old), settings_of(new)
    return {
        name: {"before": before[name], "after": after[name]}
        for name in after
        if name not in _OF_VERSION and before[name] != after[name]
    }


class Profiles(ListView):
    """The profiles in force, newest first."""

    permissions = {"GET": (VIEW,), "POST": (ADD,)}
    row = Profile
    takes = {"POST": NewProfile}
    returns = {"POST": ProfileChanged}
    success = {"POST": 201}

    def select(self, filters: dict[str, Any]) -> Selection:
        """Return those in force."""
        rows = CertificateProfile.objects.select_related("ca").exclude(active_label=None)
        return Selection(rows)

    def post(self, request: Request) -> HttpResponseBase:
        """Put a profile of a new name in force."""
        asked = self.body()
        settings = parsed(asked["settings"])
        if "ca" not in settings:
            raise ValidationError({"settings": {"ca": "Name the CA that issues."}})
        if not asked["dry_run"]:
            return self.carry_out(lambda: self._add(asked, settings))
        return self._add(asked, settings)

    def _add(self, asked: dict[str, Any], settings: dict[str, Any]) -> Response:
        def add() -> CertificateProfile:
            return add_profile(CertificateProfile(name=asked["name"], **settings), actor=self.actor)

        try:
            row = tried(add, dry_run=asked["dry_run"])
        except OperatorError as error:
            raise _refused(error) from error
        would = asked["dry_run"]
        detail = f"{row} {'would be' if would else 'is'} in force."
        more = {"changes": {}, "profile": Profile(row).data}
        answer = said("would-add" if would else "added", detail, dry_run=would, **more)
        return Response(answer, status=200 if would else 201)


class ProfileByName(BaseView):
    """The version of a profile that is in force."""

    permissions = {"GET": (VIEW,), "PATCH": (CHANGE,)}
    takes = {"PATCH": ProfileChange}
    returns = {"GET": Profile, "PATCH": ProfileChanged}
    has_etag = True

    def get(self, request: Request, name: str) -> HttpResponseBase:
        """Return the version in force, whose number is in ETag."""
        row = profile_named(name)
        return Response(Profile(row).data, headers={"ETag": etag(row.version)})

    def patch(self, request: Request, name: str) -> HttpResponseBase:
        """Put a new version with other settings in force. If-Match says which one it changes."""
        expected, asked = expected_version(request), self.body()
        row = profile_named(name)
        if expected not in (None, row.version):
            raise _changed_since(row, expected or 0)
        changes = parsed(asked["settings"])

        def change() -> CertificateProfile:
            old = CertificateProfile.objects.select_related("ca").get(pk=row.pk)
            return change_profile(
                old,
                changes,
                actor=self.actor,
                reason=asked["reason"],
                confirmed=asked["confirm"],
            )

        try:
            new = tried(change, dry_run=asked["dry_run"])
        except OperatorError as error:
            newest = profile_named(row.name)
            if newest.pk != row.pk:
                raise _changed_since(newest, row.version) from error
            raise _refused(error) from error
        would = asked["dry_run"]
        detail = f"{new} {'would be' if would else 'is'} in force."
        more = {"changes": differences(row, new), "profile": Profile(new).data}
        answer = said("would-change" if would else "changed", detail, dry_run=would, **more)
        headers = {} if would else {"ETag": etag(new.version)}
        return Response(answer, headers=headers)


def _changed_since(row: CertificateProfile, version: int) -> Exception:
    """Return the refusal of a change that was made from an earlier version, with what differs."""
    old = CertificateProfile.objects.select_related("ca").filter(name=row.name, version=version)
    earlier = old.first()
    changes = differences(earlier, row) if earlier else None
    return version_changed(
        f"{row} is in force, and If-Match names version {version}. Nothing was changed.",
        changes,
        number=row.version,
    )


class ProfileVersions(ListView):
    """All versions of a profile, newest first."""

    permissions = {"GET": (VIEW,)}
    row = Profile

    def select(self, filters: dict[str, Any]) -> Selection:
        """Return the versions of the profile of that name."""
        name = profile_named(self.kwargs["name"]).name
        rows = CertificateProfile.objects.select_related("ca").filter(name=name)
        return Selection(rows, Order("version"))
