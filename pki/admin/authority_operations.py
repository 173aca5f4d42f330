"""Operations on CAs: make a successor, sign a new CRL."""

from typing import Any

from django import forms
from django.contrib.admin import widgets
from django.utils import timezone
from django.utils.translation import gettext, gettext_noop

from pki.admin.operations import Done, EmptyForm, Operation, ReasonForm
from pki.authorities.succeed import make_successor, step_before_successor
from pki.authorities.trust_effects import live_in_words
from pki.models import CertificateAuthority, IssuedCertificate
from pki.operators.errors import OperatorError
from pki.record.audit_trail import Actor
from pki.revocation.crl import LIFETIME, make_crl
from pki.signers import KeySigner, get_signer

Status = CertificateAuthority.Status


def has_key_here(ca: CertificateAuthority) -> bool:
    """Return whether this server can sign with the CA's key, so for CRLs too."""
    try:
        return bool(ca.signer) and isinstance(get_signer(ca.signer), KeySigner)
    except OperatorError:  # the configuration does not name this signer any more
        return False


class NamedCAForm(ReasonForm):
    """A reason, and the name of the CA typed as a confirmation."""

    name = forms.CharField(
        label="Name of the CA",
        widget=widgets.AdminTextInputWidget,
        help_text=gettext_noop("Type the name of this CA, as a confirmation."),
    )
    field_order: tuple[str, ...] = ("name", "reason")

    def __init__(self, *args: Any, expected: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.expected = expected

    def clean_name(self) -> str:
        """Refuse any name but this CA's."""
        name: str = self.cleaned_data["name"]
        if name != self.expected:
            raise forms.ValidationError(
                gettext("This is not the name of the CA, which is {expected}.").format(
                    expected=self.expected
                )
            )
        return name


class MakeSuccessor(Operation):
    """Make a CA with the same subject, a new key and a new certificate."""

    slug = "successor"
    label = gettext_noop("Make a successor")
    is_dangerous = True
    asks_again = True
    takes_two_persons = True
    form_class = NamedCAForm

    @classmethod
    def obstacle(cls, row: CertificateAuthority) -> str:
        """Only an active CA whose key is here can have a successor."""
        if row.status != Status.ACTIVE:
            return gettext("{row} is {status}. Only an active CA can have a successor.").format(
                row=row, status=row.status
            )
        if not has_key_here(row):
            return gettext(
                "The key of {row} is not here. Have its PKI make a new CA, and import that."
            ).format(row=row)
        return ""

    def get_form_kwargs(self) -> dict[str, Any]:
        """Add the name that must be typed."""
        return {**super().get_form_kwargs(), "expected": self.row.name}

    def effects(self) -> list[str]:
        """Say what changes for profiles, devices and clients."""
        ca: CertificateAuthority = self.row
        profiles = [str(one) for one in ca.profiles.exclude(active_label=None)]
        effects = [
            *self._steps_before(),
            gettext(
                "A new CA of the same subject, with a key of its own ({key_algorithm}), signs "
                "in place of {name} from now on."
            ).format(key_algorithm=ca.key_algorithm, name=ca.name),
            gettext(
                "{name} signs nothing any more. It stays trusted and published until "
                "{not_after:%Y-%m-%d}. Certificates that it signed and that are still live "
                "({live_in_words}) stay valid."
            ).format(name=ca.name, not_after=ca.not_after, live_in_words=live_in_words(ca)),
        ]
        if profiles:
            effects.append(
                gettext("A new version of each profile follows: {names}.").format(
                    names=", ".join(profiles)
                )
            )
        if ca.purpose == ca.Purpose.DEVICE:
            effects += [
                gettext(
                    "Devices get both certificates from cacerts, with the cross-certificates "
                    "between them (RFC 4210 4.4)."
                ),
                gettext(
                    "AWS IoT does not know the new CA until it is registered there. "
                    "Certificates that it signs cannot be provisioned before."
                ),
            ]
        else:
            effects.append(
                gettext(
                    "Clients with certificates of the new CA are let in once the truststore of "
                    "the EST domain holds it. A local server reads it at its next start."
                )
            )
        return effects

    def _steps_before(self) -> list[str]:
        """Return the step that has to be done elsewhere first, or why that cannot be said."""
        try:
            step = step_before_successor(self.row)
        except OperatorError as error:
            step = str(error)
        return [step] if step else []

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Do what ``manage.py ca_successor`` does."""
        successor = make_successor(self.row, actor=actor, reason=form.cleaned_data["reason"])
        return Done(
            gettext("{successor} succeeds {row}, which stays trusted.").format(
                successor=successor, row=self.row
            ),
            successor,
        )


class MakeCRL(Operation):
    """Sign a new CRL before the next one is due."""

    slug = "make-crl"
    label = gettext_noop("Sign a new CRL")
    form_class = EmptyForm

    @classmethod
    def obstacle(cls, row: CertificateAuthority) -> str:
        """Only a CA whose key is here can sign."""
        if not has_key_here(row):
            return gettext("The key of {row} is not here. Get the CRL from its PKI.").format(
                row=row
            )
        return ""

    def effects(self) -> list[str]:
        """Say how many serial numbers the list has, and how long it is valid."""
        revoked = IssuedCertificate.objects.filter(ca=self.row, not_after__gt=timezone.now())
        return [
            gettext(
                "{row} signs a list of certificates that are revoked and not expired ({count} "
                "serial numbers), valid for {days} days. The EST server signs one by itself "
                "when it is asked for one and the last is not fresh."
            ).format(
                row=self.row, count=revoked.exclude(revoked_at=None).count(), days=LIFETIME.days
            )
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Do what ``manage.py crl`` does."""
        make_crl(self.row)
        return Done(gettext("{row} signed a new CRL.").format(row=self.row), self.row)
