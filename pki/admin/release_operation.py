"""The operation that releases the thing name of a certificate."""

from django import forms
from django.utils.translation import gettext, gettext_noop

from pki.admin.operations import Done, Operation, PastedText, ReasonForm
from pki.issuance.release import planned_release, release_name
from pki.models import IssuedCertificate
from pki.operators.errors import OperatorError
from pki.record.audit_trail import Actor


class ReleaseForm(ReasonForm):
    """Who gets the name, and whether its live certificates are revoked."""

    to = forms.CharField(
        label="Reserve it for the client",
        max_length=20_000,
        required=False,
        widget=PastedText(attrs={"rows": 3, "cols": 80}),
        help_text=(
            gettext_noop(
                "The SHA-256 of the client certificate, or the certificate as PEM. Leave it "
                "empty for any client that the profile's identity rule lets have the name."
            )
        ),
    )
    is_revoking = forms.BooleanField(
        label="Revoke the live certificates of the name first",
        required=False,
        help_text=gettext_noop("AWS IoT detaches them from their thing. This cannot be undone."),
    )
    field_order = ("to", "is_revoking", "reason")


class ReleaseName(Operation):
    """Release the name from the client that holds it."""

    slug = "release"
    label = gettext_noop("Release the name")
    is_dangerous = True
    form_class = ReleaseForm

    @classmethod
    def obstacle(cls, row: IssuedCertificate) -> str:
        """A client certificate, made by command, holds no thing name."""
        if row.operation == IssuedCertificate.Operation.CLIENT:
            return gettext(
                "{row} is the certificate of a client, which has no thing name to release."
            ).format(row=row)
        return ""

    def effects(self) -> list[str]:
        """Say who holds the name, and which certificates of it are live."""
        try:
            plan = planned_release(self.row.common_name)
        except OperatorError as error:
            return [gettext("{error} It can be reserved for a client.").format(error=error)]
        tick = [
            gettext(
                "With the tick the live certificates are revoked first, for cessationOfOperation."
            )
        ]
        return [*plan.effects(), *(tick if plan.live else [])]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Do what ``manage.py release_name`` does."""
        terms = form.cleaned_data
        released = release_name(
            self.row.common_name,
            reason=terms["reason"],
            actor=actor,
            to=terms["to"],
            is_revoking=terms["is_revoking"],
        )
        said = [gettext("The thing name {name} is released.").format(name=released.common_name)]
        if released.to:
            whose = gettext("It is reserved for {client}.")
            said.append(whose.format(client=released.to.fingerprint))
        return Done(" ".join(said), self.row)
