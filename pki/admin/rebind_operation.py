"""The operation that moves the thing names of a client certificate that is replaced."""

from django import forms
from django.utils.translation import gettext_noop

from pki.admin.operations import Done, Operation, PastedText, ReasonForm
from pki.issuance.rebind import rebind_names
from pki.record.audit_trail import Actor


def _client_field(label: str) -> forms.CharField:
    return forms.CharField(
        label=label,
        max_length=20_000,
        widget=PastedText(attrs={"rows": 3, "cols": 80}),
        help_text="The SHA-256 of the client certificate, or the certificate as PEM.",
    )


class RebindForm(ReasonForm):
    """The two clients, and whether to count first."""

    old = _client_field("From the client")
    new = _client_field("To the client")
    is_dry_run = forms.BooleanField(
        label="Only say how many names would move",
        required=False,
        initial=True,
        help_text="Take the tick off to move them.",
    )
    field_order = ("old", "new", "reason", "is_dry_run")


class RebindNames(Operation):
    """Move all names that a client holds to another one."""

    slug = "rebind"
    label = gettext_noop("Move a client's names")
    is_for_list = True
    is_dangerous = True
    form_class = RebindForm

    def effects(self) -> list[str]:
        """Say what a move does."""
        return [
            "The new client may enroll and renew every thing name that the old one holds, and the "
            "old one no longer. Devices keep their certificates.",
            "With the tick, nothing is changed and the number of names is shown.",
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Do what ``manage.py rebind_names`` does."""
        terms = form.cleaned_data
        count = rebind_names(
            terms["old"],
            terms["new"],
            reason=terms["reason"],
            actor=actor,
            is_dry_run=terms["is_dry_run"],
        )
        names = "1 thing name" if count == 1 else f"{count} thing names"
        if terms["is_dry_run"]:
            return Done(f"{names} would move. Nothing was changed.")
        return Done(f"{names} moved.")
