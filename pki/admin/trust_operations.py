"""Operations that end the trust in a CA: distrust it, or retire it after a rollover."""

from typing import Any

from django import forms
from django.utils.translation import gettext, gettext_noop

from pki.admin.authority_operations import NamedCAForm
from pki.admin.operations import Done, Operation
from pki.authorities.distrust import distrust_authority, retire_authority
from pki.authorities.trust_effects import live_in_words, retire_obstacle, trust_effects
from pki.models import CertificateAuthority
from pki.record import observers
from pki.record.audit_trail import Actor

Status = CertificateAuthority.Status


def what_remains() -> list[str]:
    """Return what an operator has to do outside, where a page cannot wait for it."""
    return [said for follower in observers.followers() if (said := follower.what_remains())]


class _EndOfTrust(Operation):
    """An operation for which the name of the CA is typed."""

    is_dangerous = True
    asks_again = True
    takes_two_persons = True
    form_class: type[forms.BaseForm] | None = NamedCAForm

    def get_form_kwargs(self) -> dict[str, Any]:
        """Add the name that must be typed."""
        return {**super().get_form_kwargs(), "expected": self.row.name}


class DistrustForm(NamedCAForm):
    """The name, the reason, and what becomes of the certificates."""

    are_certificates_stopped = forms.BooleanField(
        label="Make its certificates INACTIVE in AWS IoT",
        required=False,
        initial=True,
        help_text=gettext_noop(
            "Without the tick they stay as they are there, and their devices connected."
        ),
    )
    field_order = ("name", "reason", "are_certificates_stopped")


class DistrustCA(_EndOfTrust):
    """Refuse whatever leads to the CA, for good."""

    slug = "distrust"
    label = gettext_noop("Distrust")
    form_class = DistrustForm

    @classmethod
    def obstacle(cls, row: CertificateAuthority) -> str:
        """A CA is distrusted once. Its certificates can still be stopped afterwards."""
        if row.status == Status.REVOKED and row.are_certificates_stopped:
            return gettext("{row} is distrusted already.").format(row=row)
        return ""

    def effects(self) -> list[str]:
        """Say what stops, with numbers, and what follows elsewhere."""
        effects = trust_effects(self.row).sentences()
        effects.append(gettext("A local server's handshakes follow within 5 seconds."))
        if self.row.purpose == CertificateAuthority.Purpose.DEVICE:
            effects.append(
                gettext(
                    "AWS IoT follows by the schedule: first the CA becomes INACTIVE. With the "
                    "tick its certificates do too, 200 at a time."
                )
            )
        return effects + what_remains()

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Do what ``manage.py distrust_ca`` does, but for waiting for the gateway."""
        distrust_authority(
            self.row,
            reason=form.cleaned_data["reason"],
            actor=actor,
            are_certificates_stopped=form.cleaned_data["are_certificates_stopped"],
        )
        return Done(
            " ".join([gettext("{row} is distrusted.").format(row=self.row), *what_remains()]),
            self.row,
        )


class RetireForm(NamedCAForm):
    """The name, the reason, and whether live certificates may be left behind."""

    is_forced = forms.BooleanField(
        label="Even while live certificates depend on it",
        required=False,
    )
    field_order = ("name", "reason", "is_forced")


class RetireCA(_EndOfTrust):
    """Stop trusting and publishing a CA that has a successor."""

    slug = "retire"
    label = gettext_noop("Retire")
    form_class = RetireForm

    @classmethod
    def obstacle(cls, row: CertificateAuthority) -> str:
        """Only a CA that is retiring can be retired."""
        return retire_obstacle(row)

    def effects(self) -> list[str]:
        """Say what depends on the CA, and what does not change."""
        return [
            gettext(
                "{row} is neither trusted nor published any more. Live certificates that "
                "depend on it: {live_in_words}. They would not authenticate anybody here."
            ).format(row=self.row, live_in_words=live_in_words(self.row)),
            gettext("In AWS IoT the CA becomes INACTIVE, and its certificates stay as they are."),
            *what_remains(),
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Do what ``manage.py retire_ca`` does, but for waiting for the gateway."""
        retire_authority(
            self.row,
            reason=form.cleaned_data["reason"],
            actor=actor,
            is_forced=form.cleaned_data["is_forced"],
        )
        return Done(
            " ".join([gettext("{row} is retired.").format(row=self.row), *what_remains()]), self.row
        )
