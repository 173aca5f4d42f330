"""The operation that moves the thing names of a client certificate that is replaced."""

from django import forms
from django.utils.translation import gettext, gettext_noop, ngettext

from pki.admin.operations import Done, Operation, PastedText, ReasonForm
from pki.issuance.rebind import rebind_names
from pki.record.audit_trail import Actor


def _client_field(label: str) -> forms.CharField:
    return forms.CharField(
        label=label,
        max_length=20_000,
        widget=PastedText(attrs={"rows": 3, "cols": 80}),
        help_text=gettext_noop("The SHA-256 of the client certificate, or the certificate as PEM."),
    )


class RebindForm(ReasonForm):
    """The two clients, and whether to count first."""

    old = _client_field("From the client")
    new = _client_field("To the client")
    is_dry_run = forms.BooleanField(
        label="Only say how many names would move",
        required=False,
        initial=True,
        help_text=gettext_noop("Take the tick off to move them."),
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
            gettext(
                "The new client may enroll and renew every thing name that the old one holds, "
                "and the old one no longer. Devices keep their certificates."
            ),
            gettext("With the tick, nothing is changed and the number of names is shown."),
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
        if terms["is_dry_run"]:
            said = ngettext(
                "{count} thing name would move. Nothing was changed.",
                "{count} thing names would move. Nothing was changed.",
                count,
            )
        else:
            said = ngettext("{count} thing name moved.", "{count} thing names moved.", count)
        return Done(said.format(count=count))
