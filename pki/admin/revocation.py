"""Operations on certificates: revoke one or many, deny the device, settle old intents."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import widgets
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.http import urlencode

from pki.admin.operations import Done, Operation, SelectedOperation
from pki.models import DenylistEntry, IssuedCertificate
from pki.record.audit_trail import Actor
from pki.record.intents import ABANDONED_AFTER, settle_intents
from pki.revocation.revoke import REASONS, revoke_certificate

if TYPE_CHECKING:
    from pki.admin.facts import FactAdmin

State = IssuedCertificate.State

MOST_AT_ONCE = 500

_REASON_WORDS = {
    "unspecified": "no particular reason",
    "keyCompromise": "the private key is known, or may be, to somebody else",
    "cACompromise": "the CA's key is known to somebody else",
    "affiliationChanged": "the subject's data has changed",
    "superseded": "replaced by another certificate",
    "cessationOfOperation": "the device is out of service",
    "certificateHold": "on hold; here as final as the others",
    "privilegeWithdrawn": "the device may no longer do what it was allowed to",
    "aACompromise": "an attribute authority's key is known to somebody else",
}


class RevokeForm(forms.Form):
    """Why, in RFC 5280's words and in the operator's own."""

    reason = forms.ChoiceField(
        choices=[
            ("", "Choose a reason"),
            *((code, f"{code}: {_REASON_WORDS[code]}") for code in REASONS),
        ],
        help_text="Goes onto the CRL (RFC 5280 5.3.1), and can't be changed later.",
    )
    comment = forms.CharField(
        max_length=400,
        required=False,
        widget=widgets.AdminTextInputWidget(attrs={"class": "vLargeTextField"}),
        help_text="For the audit trail.",
    )


class Revoke(Operation):
    """Revoke a certificate for good."""

    slug = "revoke"
    label = "Revoke"
    is_dangerous = True
    form_class = RevokeForm

    @classmethod
    def obstacle(cls, row: IssuedCertificate) -> str:
        """Only what was issued can be revoked, and only once."""
        if row.state == State.REVOKED:
            return f"{row} is revoked already."
        if row.state not in (State.ISSUED, State.SUPERSEDED):
            return f"{row} was never issued: there is nothing to revoke."
        return ""

    def effects(self) -> list[str]:
        """What the device loses, and what it doesn't."""
        row: IssuedCertificate = self.row
        return [
            f"The certificate {row.serial_number} of {row.common_name} authenticates nobody any "
            "more, and its serial number goes onto the CRL. This can't be undone.",
            _what_is_left(row),
            *_what_a_client_loses(row),
            "The device can still enroll again: to stop that, deny it as well.",
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """As ``manage.py revoke``."""
        revoked = revoke_certificate(self.row, actor=actor, **form.cleaned_data)
        return Done(f"{self.row} {'is revoked' if revoked else 'was revoked already'}.", self.row)


def _what_is_left(row: IssuedCertificate) -> str:
    others = IssuedCertificate.objects.for_name(row.common_name).live().exclude(pk=row.pk)
    current = others.current().count()
    if current:
        return f"{row.common_name} keeps {_count(current, 'other current certificate')}."
    overlapping = others.count()
    if overlapping:
        return (
            f"{row.common_name} loses its last current certificate; "
            f"{_count(overlapping, 'superseded one')} of it isn't expired yet."
        )
    return f"{row.common_name} loses its last certificate."


def _what_a_client_loses(row: IssuedCertificate) -> list[str]:
    names = IssuedCertificate.objects.filter(
        client_fingerprint=row.fingerprint_sha256 or "-"
    ).exclude(name_owner=None)
    count = names.count()
    if not count:
        return []
    return [
        f"With it {_count(count, 'thing name')} were first enrolled: their devices keep their "
        "certificates, but it can't enroll or renew them any more."
    ]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


class RevokeManyForm(RevokeForm):
    """The same, and the number typed as a second thought."""

    count = forms.IntegerField(label="How many", help_text="Type the number of certificates.")

    def __init__(self, *args: Any, expected: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.expected = expected

    def clean_count(self) -> int:
        """It has to be the number that the page named."""
        count: int = self.cleaned_data["count"]
        if count != self.expected:
            raise forms.ValidationError(
                f"{count} isn't the number of selected certificates, which is {self.expected}."
            )
        return count


class RevokeSelected(SelectedOperation):
    """The list's action."""

    slug = "revoke-selected"
    label = "Revoke all of them"
    action = "revoke_selected"
    is_dangerous = True
    form_class = RevokeManyForm

    def get_form_kwargs(self) -> dict[str, Any]:
        """The number that must be typed."""
        return {**super().get_form_kwargs(), "expected": len(self.rows)}

    def effects(self) -> list[str]:
        """How many, and which."""
        names = sorted({row.common_name for row in self.rows})
        shown = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
        return [
            f"No longer good for anything: {_count(len(self.rows), 'certificate')} of "
            f"{_count(len(names), 'name')} ({shown}).",
            "This can't be undone. The devices can still enroll again, unless they are denied.",
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """One service call each: a failure in the middle leaves whole certificates behind."""
        reason, comment = form.cleaned_data["reason"], form.cleaned_data["comment"]
        revoked = sum(
            revoke_certificate(row, reason=reason, comment=comment, actor=actor)
            for row in self.rows
        )
        return Done(f"{_count(revoked, 'certificate')} revoked.")


@admin.action(permissions=["operate"], description="Revoke selected certificates")
def revoke_selected(
    model_admin: "FactAdmin", request: HttpRequest, queryset: QuerySet[IssuedCertificate]
) -> HttpResponseBase:
    """Revoke up to 500 certificates at once; what was never issued or is revoked is left out."""
    rows = tuple(
        queryset.filter(state__in=[State.ISSUED, State.SUPERSEDED]).order_by("created_at")[
            : MOST_AT_ONCE + 1
        ]
    )
    if not rows or len(rows) > MOST_AT_ONCE:
        messages.error(
            request,
            f"Select at most {MOST_AT_ONCE} certificates."
            if rows
            else "None of the selected certificates can be revoked.",
        )
        return HttpResponseRedirect(request.get_full_path())
    return RevokeSelected.as_view(model_admin=model_admin, rows=rows)(request)


class DenyDevice(Operation):
    """The way from a certificate to the denylist, with the name filled in."""

    slug = "deny"
    label = "Deny the device"

    @classmethod
    def is_allowed(cls, request: HttpRequest, model: Any) -> bool:
        """The permission is the denylist's."""
        return request.user.has_perm("pki.add_denylistentry")

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseRedirect:
        """To the denylist's own page, where the rest is asked."""
        query = urlencode({"kind": DenylistEntry.Kind.COMMON_NAME, "value": self.row.common_name})
        return HttpResponseRedirect(f"{reverse('admin:pki_denylistentry_add')}?{query}")

    http_method_names = ["get"]  # nothing is done here


class SettleForm(forms.Form):
    """Nothing is asked."""


class SettleIntents(Operation):
    """Void what was abandoned."""

    slug = "settle"
    label = "Settle abandoned intents"
    is_for_list = True
    form_class = SettleForm

    def effects(self) -> list[str]:
        """How many there are."""
        hours = int(ABANDONED_AFTER.total_seconds() // 3600)
        count = IssuedCertificate.objects.filter(state=State.INTENT).count()
        return [
            f"Intents older than {_count(hours, 'hour')} become void: nobody came back for them. "
            f"There {'is' if count == 1 else 'are'} {_count(count, 'intent')} of any age now.",
            "Names and keys that only a void intent held become free again.",
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """As the schedule does it."""
        return Done(f"{_count(settle_intents(actor=actor), 'intent')} settled.")
