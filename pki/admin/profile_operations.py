"""Operations on profiles: add one, or put a new version of one in force."""

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_noop

from pki.admin.operations import Done, Operation, with_refusal
from pki.admin.profile_form import (
    CONFIRM,
    FIELDSETS,
    SAMPLE,
    ProfileForm,
    offer_lockouts,
)
from pki.admin.profile_preview import PREVIEW, preview_of, unusable
from pki.models import CertificateProfile
from pki.operators.errors import OperatorError
from pki.record.audit_trail import Actor
from pki.record.profile_lockouts import Lockout, NotConfirmed, lockouts
from pki.record.profile_versions import add_profile, change_profile, changed, check_new_profile
from pki.record.transactions import in_write_transaction


class _EditsSettings(Operation):
    """What adding and changing share: the form with all settings, and its preview."""

    form_class = ProfileForm
    template_name = "admin/pki/profile.html"
    keeps_what_was_typed = True

    @abstractmethod
    def planned(self, form: ProfileForm) -> tuple[CertificateProfile, Iterable[Lockout]]:
        """Return the profile that the form asks for, not saved, and what it would refuse.

        Raises ``OperatorError``. Writes nothing.
        """

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Save the settings, or only show what they would do if the button is that of a preview.

        A page with a script sends the preview as a person types, and takes its parts from the
        answer. Without one, the answer is the next page.
        """
        if PREVIEW not in request.POST:
            return super().post(request, *args, **kwargs)
        form = self.get_form()
        assert isinstance(form, ProfileForm)  # noqa: S101  # form_class says so
        self.result = self._preview(form)
        return self.render_to_response(self.get_context_data(form=form))

    def _preview(self, form: ProfileForm) -> SafeString:
        if not form.is_usable():
            return unusable()
        try:
            profile, found = self.planned(form)
            return preview_of(profile, found, form.sample())
        except OperatorError as error:
            with_refusal(form, error)
            return unusable()


class ChangeProfile(_EditsSettings):
    """Put a new version in force."""

    slug = "new-version"
    label = gettext_noop("Change (new version)")
    fieldsets = (*FIELDSETS, SAMPLE, (gettext_noop("Why"), ("reason",)))

    @classmethod
    def obstacle(cls, row: CertificateProfile) -> str:
        """Only the version in force can be changed."""
        if not row.is_in_force:
            return gettext("{row} is not in force any more. Change the newest version.").format(
                row=row
            )
        return ""

    def get_form_kwargs(self) -> dict[str, Any]:
        """Start from the version in force. A profile keeps its name."""
        return {**super().get_form_kwargs(), "instance": self.row, "without": ("name",)}

    def effects(self) -> list[str]:
        """Say what a new version changes."""
        return [
            gettext(
                "A new version takes the place of {row} for every enrollment from now on. "
                "Certificates keep the version under which they were issued."
            ).format(row=self.row),
            gettext(
                "A change that would refuse devices has to be confirmed. The page says how many."
            ),
        ]

    def planned(self, form: ProfileForm) -> tuple[CertificateProfile, Iterable[Lockout]]:
        """Return the new version, and the devices that it would refuse."""
        after = changed(self.row, form.changes_to(self.row))
        return after, lockouts(self.row, after)

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Put the old version out of force and the new one in force, in one transaction."""
        assert isinstance(form, ProfileForm)  # noqa: S101  # form_class says so
        reason, confirmed = form.cleaned_data["reason"], form.cleaned_data["confirm"]
        changes = form.changes_to(self.row)
        if not changes:
            return Done(
                gettext("Nothing differs from {row}, so it stays in force.").format(row=self.row),
                self.row,
            )

        def change() -> CertificateProfile:
            row = CertificateProfile.objects.select_related("ca").get(pk=self.row.pk)
            return change_profile(row, changes, actor=actor, reason=reason, confirmed=confirmed)

        try:
            successor = in_write_transaction(change)
        except NotConfirmed as error:
            offer_lockouts(form, error.lockouts)
            self.fieldsets = (CONFIRM, *self.fieldsets)  # type: ignore[misc, assignment]  # of this answer
            raise
        return Done(gettext("{successor} is in force.").format(successor=successor), successor)


class AddProfile(_EditsSettings):
    """Put a profile of a new name in force."""

    slug = "add"
    label = gettext_noop("Add a profile")
    permission = "add"
    is_for_list = True
    fieldsets = ((None, ("name",)), *FIELDSETS, SAMPLE)

    def get_form_kwargs(self) -> dict[str, Any]:
        """Start from the defaults. A new profile needs no reason, and refuses no device."""
        defaults = CertificateProfile()
        without = ("reason", "confirm")
        return {**super().get_form_kwargs(), "instance": defaults, "without": without}

    def effects(self) -> list[str]:
        """Say what a label is for."""
        return [
            gettext(
                "Clients choose the profile by its label: /.well-known/est/<label>/simpleenroll."
            )
        ]

    def planned(self, form: ProfileForm) -> tuple[CertificateProfile, Iterable[Lockout]]:
        """Return the new profile, which no device uses yet."""
        profile = CertificateProfile(**form.settings())
        check_new_profile(profile)
        return profile, ()

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Add the profile and its audit event in one transaction."""
        assert isinstance(form, ProfileForm)  # noqa: S101  # form_class says so
        settings = form.settings()

        def add() -> CertificateProfile:
            return add_profile(CertificateProfile(**settings), actor=actor)

        profile = in_write_transaction(add)
        return Done(gettext("{profile} is in force.").format(profile=profile), profile)
