"""Operations on certificates: revoke one or many, deny the device, settle abandoned intents."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext_noop

from pki.admin.operations import (
    Done,
    EmptyForm,
    ModelAdmin,
    Operation,
    SelectedOperation,
    text_field,
)
from pki.jobs.kinds import CHUNK
from pki.jobs.lifecycle import start_job
from pki.models import DenylistEntry, IssuedCertificate
from pki.record.audit_trail import Actor
from pki.record.intents import ABANDONED_AFTER, settle_intents
from pki.revocation.revoke import (
    KEY_COMPROMISE,
    REASONS,
    revoke_certificate,
    revoke_certificates,
)

State = IssuedCertificate.State

effects_elsewhere: list[Callable[[Sequence[IssuedCertificate] | None], list[str]]] = []
"""What other applications say of a revocation of these rows; ``None`` stands for very many."""

_MAX_SHOWN = 20  # names on a page before the rest is counted

_REASON_WORDS = {
    "unspecified": "no particular reason",
    "keyCompromise": "another party knows the private key, or may know it",
    "cACompromise": "another party knows the CA's key",
    "affiliationChanged": "the subject's data has changed",
    "superseded": "replaced by another certificate",
    "cessationOfOperation": "the device is out of service",
    "privilegeWithdrawn": "the device may no longer do what it was allowed to",
    "aACompromise": "another party knows the key of an attribute authority",
}


class RevokeForm(forms.Form):
    """The reason in RFC 5280's words, and a comment in the operator's own."""

    reason = forms.ChoiceField(
        choices=[
            ("", "Choose a reason"),
            *((code, f"{code}: {_REASON_WORDS[code]}") for code in REASONS),
        ],
        help_text=(
            "The reason is on the CRL (RFC 5280 5.3.1), and cannot be changed later. There is no "
            "hold, because a revoked certificate stays revoked in AWS IoT. A denylist entry with "
            "an end is a hold."
        ),
    )
    comment = text_field(help_text="The comment is kept on the audit trail.")


class Revoke(Operation):
    """Revoke a certificate for good."""

    slug = "revoke"
    label = gettext_noop("Revoke")
    is_dangerous = True
    form_class = RevokeForm

    @classmethod
    def obstacle(cls, row: IssuedCertificate) -> str:
        """Only a certificate that was issued can be revoked, and only once."""
        if row.state == State.REVOKED:
            return f"{row} is revoked already."
        if row.state not in (State.ISSUED, State.SUPERSEDED):
            return f"{row} was never issued. There is nothing to revoke."
        return ""

    def effects(self) -> list[str]:
        """Say what the device loses, and what it can still do."""
        row: IssuedCertificate = self.row
        return [
            f"The certificate {row.serial_number} of {row.common_name} does not authenticate a "
            "client any more, and its serial number goes onto the CRL. This cannot be undone.",
            _what_is_left(row),
            *_what_a_client_loses(row),
            *elsewhere([row]),
            _what_a_compromised_key_stops([row]),
            "The device can still enroll again. To stop that, deny it as well.",
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Do what ``manage.py revoke`` does."""
        revoked = revoke_certificate(self.row, actor=actor, **form.cleaned_data)
        return Done(f"{self.row} {'is revoked' if revoked else 'was revoked already'}.", self.row)


def elsewhere(rows: Sequence[IssuedCertificate] | None) -> list[str]:
    """Return what a revocation changes outside of the CA; ``None`` stands for very many rows."""
    return [effect for say in effects_elsewhere for effect in say(rows)]


def _what_is_left(row: IssuedCertificate) -> str:
    others = IssuedCertificate.objects.for_name(row.common_name).live().exclude(pk=row.pk)
    current = others.current().count()
    if current:
        return f"{row.common_name} keeps {_count(current, 'other current certificate')}."
    overlapping = others.count()
    if overlapping:
        return (
            f"{row.common_name} loses its last current certificate. "
            f"{_count(overlapping, 'superseded one')} of it has not expired yet."
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
        f"With it {_count(count, 'thing name')} were first enrolled. Their devices keep their "
        "certificates, but it cannot enroll or renew them any more."
    ]


def _what_a_compromised_key_stops(rows: Collection[IssuedCertificate]) -> str:
    """Say what the reason keyCompromise does beside the revocation."""
    ids, keys = [row.pk for row in rows], {row.key_sha256 for row in rows}
    others = IssuedCertificate.objects.filter(key_sha256__in=keys).live().exclude(pk__in=ids)
    what, they = ("the key goes", "it") if len(keys) == 1 else ("the keys go", "them")
    return (
        f"If the reason is {KEY_COMPROMISE}, {what} on the denylist for good, and nothing is "
        f"issued for {they} any more. Other live certificates with {they}, which authenticate no "
        f"client then and become INACTIVE in AWS IoT: {others.count()}."
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


class RevokeManyForm(RevokeForm):
    """The same, and the number of certificates typed as a confirmation."""

    count = forms.IntegerField(label="How many", help_text="Type the number of certificates.")

    def __init__(self, *args: Any, expected: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.expected = expected

    def clean_count(self) -> int:
        """Refuse another number than the page shows."""
        count: int = self.cleaned_data["count"]
        if count != self.expected:
            raise forms.ValidationError(
                f"{count} is not the number of selected certificates, which is {self.expected}."
            )
        return count


class RevokeSelected(SelectedOperation):
    """Revoke the certificates that were selected in the list."""

    slug = "revoke-selected"
    label = gettext_noop("Revoke all of them")
    action = "revoke_selected"
    nothing_selected = gettext_noop("None of the selected certificates can be revoked.")
    is_dangerous = True
    form_class = RevokeManyForm

    def get_form_kwargs(self) -> dict[str, Any]:
        """Add the number that must be typed."""
        return {**super().get_form_kwargs(), "expected": len(self.rows)}

    def effects(self) -> list[str]:
        """Say how many certificates lose their use, and which."""
        names = sorted({row.common_name for row in self.rows})
        more = len(names) - _MAX_SHOWN
        shown = ", ".join(names[:_MAX_SHOWN]) + (f" and {more} more" if more > 0 else "")
        return [
            f"No longer good for anything: {_count(len(self.rows), 'certificate')} of "
            f"{_count(len(names), 'name')} ({shown}).",
            "This cannot be undone. The devices can still enroll again, unless they are denied.",
            *elsewhere(self.rows),
            _what_a_compromised_key_stops(self.rows),
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Revoke one by one: after a failure, each certificate is either revoked or untouched.

        More than a chunk is a job, because the page would wait for many seconds. A few certificates
        are revoked at once, so that the operator sees them revoked.
        """
        reason, comment = form.cleaned_data["reason"], form.cleaned_data["comment"]
        if len(self.rows) > CHUNK:
            job = start_job(
                "revoke",
                [row.fingerprint_sha256 for row in self.rows],
                parameters={"reason": reason, "comment": comment},
                actor=actor,
            )
            return Done(f"A job revokes {_count(len(self.rows), 'certificate')}.", job)
        revoked = revoke_certificates(self.rows, reason=reason, comment=comment, actor=actor)
        return Done(f"{_count(revoked, 'certificate')} revoked.")


@admin.action(permissions=["operate"], description="Revoke selected certificates")
def revoke_selected(
    model_admin: ModelAdmin, request: HttpRequest, queryset: QuerySet[IssuedCertificate]
) -> HttpResponseBase:
    """Revoke the selected certificates that were issued and are not revoked."""
    revocable = queryset.filter(state__in=[State.ISSUED, State.SUPERSEDED])
    return RevokeSelected.on_rows(model_admin, request, revocable.order_by("created_at"))


class DenyDevice(Operation):
    """Go from a certificate to the denylist's page, with the name filled in."""

    slug = "deny"
    label = gettext_noop("Deny the device")
    http_method_names = ["get"]  # the denylist's page makes the change

    @classmethod
    def is_allowed(cls, request: HttpRequest, model: Any) -> bool:
        """Ask for the denylist's permission, not for the certificate's."""
        return request.user.has_perm("pki.add_denylistentry")

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseRedirect:
        """Redirect to the denylist's own page, which asks for the rest."""
        query = urlencode({"kind": DenylistEntry.Kind.COMMON_NAME, "value": self.row.common_name})
        return HttpResponseRedirect(f"{reverse('admin:pki_denylistentry_add')}?{query}")


class SettleIntents(Operation):
    """Make abandoned intents void."""

    slug = "settle"
    label = gettext_noop("Settle abandoned intents")
    is_for_list = True
    form_class = EmptyForm

    def effects(self) -> list[str]:
        """Say how many intents there are, and what becomes free."""
        hours = int(ABANDONED_AFTER.total_seconds() // 3600)
        count = IssuedCertificate.objects.filter(state=State.INTENT).count()
        return [
            f"Intents older than {_count(hours, 'hour')} become void, because their requests were "
            f"not repeated. There {'is' if count == 1 else 'are'} {_count(count, 'intent')} of any "
            "age now.",
            "Names and keys that belong to a void intent only become free again.",
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Do what ``manage.py settle_intents`` does."""
        return Done(f"{_count(settle_intents(actor=actor), 'intent')} settled.")
