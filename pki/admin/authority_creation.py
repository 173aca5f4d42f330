"""The operation that makes a CA: a new key, and a self-signed certificate for it."""

import datetime
from typing import Any

from django import forms
from django.contrib.admin import widgets
from django.utils.translation import gettext, gettext_noop

from pki.admin.authority_forms import WHAT_DOES_NOT_FOLLOW, NewCAForm, Purpose
from pki.admin.operations import Done, Operation
from pki.authorities.create import create_authority
from pki.authorities.custody import signers_for_made_keys
from pki.authorities.new_authority import MOST_YEARS, check_makes_keys, check_subject
from pki.csr.key_algorithms import CA_KEY_ALGORITHMS
from pki.record.audit_trail import Actor


class CreateCAForm(NewCAForm):
    """What the certificate says, and who keeps the key."""

    common_name = forms.CharField(
        max_length=64,
        widget=widgets.AdminTextInputWidget,
        help_text=gettext_noop(
            "The subject's CN, which devices and AWS IoT show: 1 to 64 characters."
        ),
    )
    key_algorithm = forms.ChoiceField(choices=[(name, name) for name in CA_KEY_ALGORITHMS])
    validity_years = forms.IntegerField(
        label="Validity, years",
        initial=10,
        min_value=1,
        max_value=MOST_YEARS,
        help_text=gettext_noop("Of 365 days each. A CA that signs can be succeeded earlier."),
    )
    signer = forms.ChoiceField(
        label="Signer",
        help_text=gettext_noop(
            "It makes the key and keeps it. The key is not shown, and cannot be downloaded."
        ),
    )
    field_order = (
        "name",
        "purpose",
        "common_name",
        "key_algorithm",
        "validity_years",
        "signer",
        "reason",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        signer = self.fields["signer"]
        assert isinstance(signer, forms.ChoiceField)  # noqa: S101  # declared above
        signer.choices = list(signers_for_made_keys().labels.items())

    def clean(self) -> dict[str, Any]:
        """Ask what the service asks, before any key is made."""
        said = super().clean()
        if self.has("purpose", "common_name"):
            with self.at("common_name"):
                check_subject(Purpose(said["purpose"]), said["common_name"])
        if self.has("purpose", "name", "signer"):
            with self.at("signer"):
                check_makes_keys(said["signer"], Purpose(said["purpose"]), said["name"])
        return said


class CreateCA(Operation):
    """Make a CA. It is trusted when a profile or the truststore names it."""

    slug = "create"
    label = gettext_noop("Create a CA")
    permission = "add"
    is_for_list = True
    asks_again = True
    takes_two_persons = True
    form_class = CreateCAForm

    def effects(self) -> list[str]:
        """Say what is made, where the key is, and what does not follow by itself."""
        return [
            gettext(
                "The signer makes a key. The audit trail says so before it does, and a run "
                "that is cut off is finished by the next one with the same name."
            ),
            gettext(
                "The certificate is self-signed, for signing certificates and CRLs alone. Its "
                "path length is 1, which leaves room for the cross-certificate of a successor."
            ),
            *map(gettext, WHAT_DOES_NOT_FOLLOW),
            *(f"One signer cannot be chosen. {one}" for one in signers_for_made_keys().refusals),
        ]

    def subject(self, form: forms.BaseForm) -> str:
        """Return the name of the CA that is to be made."""
        return str(form.cleaned_data["name"])

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Do what ``manage.py cas create`` does."""
        said = form.cleaned_data
        ca = create_authority(
            Purpose(said["purpose"]),
            said["name"],
            common_name=said["common_name"],
            key_algorithm=said["key_algorithm"],
            validity=datetime.timedelta(days=365 * said["validity_years"]),
            signer=said["signer"],
            actor=actor,
            reason=said["reason"],
        )
        return Done(
            gettext("{ca} is made, and valid until {not_after:%Y-%m-%d}.").format(
                ca=ca, not_after=ca.not_after
            ),
            ca,
        )
