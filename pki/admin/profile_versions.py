"""Operations on versions of profiles: compare two, and go back to an earlier one."""

import json
from typing import Any

from django import forms
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_noop

from pki.admin.display import table, visible
from pki.admin.operations import Done, Operation, Question, ReasonForm
from pki.admin.profile_form import CONFIRM, confirmation_field, offer_lockouts
from pki.models import CertificateProfile
from pki.operators.errors import OperatorError
from pki.record.audit_trail import Actor
from pki.record.profile_lockouts import NotConfirmed, lockouts
from pki.record.profile_versions import changed, changes_back, return_to_version, settings_of
from pki.record.transactions import in_write_transaction


def differences(
    before: CertificateProfile, after: CertificateProfile
) -> list[tuple[str, str, str]]:
    """Return each setting that differs, with both values as JSON."""
    old, new = settings_of(before), settings_of(after)
    return [
        (name, json.dumps(old[name], ensure_ascii=False), json.dumps(value, ensure_ascii=False))
        for name, value in new.items()
        if name != "version" and value != old[name]
    ]


class OtherVersionForm(forms.Form):
    """Another version of the same profile."""

    other = forms.ModelChoiceField(
        CertificateProfile.objects.none(), label="Compare with", empty_label=None
    )

    def __init__(self, *args: Any, row: CertificateProfile, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["other"]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101  # declared above
        others = CertificateProfile.objects.filter(name=row.name).exclude(pk=row.pk)
        field.queryset = others.order_by("-version")


class CompareVersions(Question):
    """Show what differs between two versions of a profile."""

    slug = "compare"
    label = gettext_noop("Compare with another version")
    form_class = OtherVersionForm

    @classmethod
    def obstacle(cls, row: CertificateProfile) -> str:
        """A profile needs a second version."""
        if not CertificateProfile.objects.filter(name=row.name).exclude(pk=row.pk).exists():
            return gettext("{row} is the only version of its profile.").format(row=row)
        return ""

    def get_form_kwargs(self) -> dict[str, Any]:
        """Add the version that the others are compared with."""
        return {**super().get_form_kwargs(), "row": self.row}

    def answer(self, form: forms.BaseForm) -> SafeString:
        """Return each setting that differs, the earlier version first."""
        first, second = sorted((self.row, form.cleaned_data["other"]), key=lambda one: one.version)
        found = differences(first, second)
        if not found:
            return format_html("<p>{}</p>", f"{first} and {second} have the same settings.")
        rows = [tuple(map(visible, one)) for one in found]
        return table(("setting", visible(str(first)), visible(str(second))), rows)


class ReturnForm(ReasonForm):
    """The reason, and the boxes for what the earlier settings would refuse."""

    confirm = confirmation_field()


class ReturnToVersion(Operation):
    """Put the settings of an earlier version in force, as a new version."""

    slug = "roll-back"
    label = gettext_noop("Go back to this version")
    asks_again = True
    form_class = ReturnForm
    fieldsets = ((None, ("reason",)),)

    @classmethod
    def obstacle(cls, row: CertificateProfile) -> str:
        """Only a version that was replaced can be gone back to."""
        return gettext("{row} is in force.").format(row=row) if row.is_in_force else ""

    def effects(self) -> list[str]:
        """Say which settings change."""
        in_force = (
            CertificateProfile.objects.filter(name=self.row.name)
            .exclude(active_label=None)
            .select_related("ca")
            .first()
        )
        effects = [
            gettext(
                "A new version with the settings of {row} holds for every enrollment from now "
                "on. Certificates keep the version under which they were issued."
            ).format(row=self.row)
        ]
        if in_force is not None:
            effects += [
                gettext("{name}: {new} in place of {old}.").format(name=name, new=new, old=old)
                for name, old, new in differences(in_force, self.row)
            ]
        return [*effects, *self._refusals()]

    def _refusals(self) -> list[str]:
        """Say which devices the earlier settings would refuse, or why they cannot come back."""
        try:
            newest, changes = changes_back(self.row.name, self.row.version)
            return [one.sentence for one in lockouts(newest, changed(newest, changes))]
        except OperatorError as error:
            return [gettext("This cannot be done now. {reason}").format(reason=error)]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Do what ``manage.py profiles roll-back`` does."""
        row, reason = self.row, form.cleaned_data["reason"]
        confirmed = form.cleaned_data["confirm"]

        def go_back() -> CertificateProfile:
            return return_to_version(
                row.name, row.version, actor=actor, reason=reason, confirmed=confirmed
            )

        try:
            made = in_write_transaction(go_back)
        except NotConfirmed as error:
            offer_lockouts(form, error.lockouts)
            self.fieldsets = (CONFIRM, *self.fieldsets)  # type: ignore[misc, assignment]  # of this answer
            raise OperatorError(
                gettext("That refuses devices. Tick below each setting for which it is meant.")
            ) from error
        return Done(
            gettext("{made} is in force, with the settings of version {version}.").format(
                made=made, version=row.version
            ),
            made,
        )
