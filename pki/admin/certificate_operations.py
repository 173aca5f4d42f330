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
from django.utils.translation import gettext, gettext_noop, ngettext

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
            gettext_noop(
                "The reason is on the CRL (RFC 5280 5.3.1), and cannot be changed later. There "
                "is no hold, because a revoked certificate stays revoked in AWS IoT. A "
                "denylist entry with an end is a hold."
            )
        ),
    )
    comment = text_field(help_text=gettext_noop("The comment is kept on the audit trail."))


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
            return gettext("{row} is revoked already.").format(row=row)
        if row.state not in (State.ISSUED, State.SUPERSEDED):
            return gettext("{row} was never issued. There is nothing to revoke.").format(row=row)
        return ""

    def effects(self) -> list[str]:
        """Say what the device loses, and what it can still do."""
        row: IssuedCertificate = self.row
        return [
            gettext(
                "The certificate {serial_number} of {common_name} does not authenticate a "
                "client any more, and its serial number goes onto the CRL. This cannot be "
                "undone."
            ).format(serial_number=row.serial_number, common_name=row.common_name),
            _what_is_left(row),
            *_what_a_client_loses(row),
            *elsewhere([row]),
            _what_a_compromised_key_stops([row]),
            gettext("The device can still enroll again. To stop that, deny it as well."),
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Do what ``manage.py revoke`` does."""
        revoked = revoke_certificate(self.row, actor=actor, **form.cleaned_data)
        said = gettext("{row} is revoked.") if revoked else gettext("{row} was revoked already.")
        return Done(said.format(row=self.row), self.row)


def elsewhere(rows: Sequence[IssuedCertificate] | None) -> list[str]:
    """Return what a revocation changes outside of the CA; ``None`` stands for very many rows."""
    return [effect for say in effects_elsewhere for effect in say(rows)]


def _what_is_left(row: IssuedCertificate) -> str:
    others = IssuedCertificate.objects.for_name(row.common_name).live().exclude(pk=row.pk)
    current = others.current().count()
    if current:
        sentence = ngettext(
            "{name} keeps {count} other current certificate.",
            "{name} keeps {count} other current certificates.",
            current,
        )
        return sentence.format(name=row.common_name, count=current)
    overlapping = others.count()
    if overlapping:
        sentence = ngettext(
            "{name} loses its last current certificate. {count} superseded one of it has not "
            "expired yet.",
            "{name} loses its last current certificate. {count} superseded ones of it have not "
            "expired yet.",
            overlapping,
        )
        return sentence.format(name=row.common_name, count=overlapping)
    return gettext("{name} loses its last certificate.").format(name=row.common_name)


def _what_a_client_loses(row: IssuedCertificate) -> list[str]:
    names = IssuedCertificate.objects.filter(
        client_fingerprint=row.fingerprint_sha256 or "-"
    ).exclude(name_owner=None)
    count = names.count()
    if not count:
        return []
    return [
        ngettext(
            "With it {count} thing name was first enrolled. Its device keeps its certificate, but "
            "it cannot enroll or renew it any more.",
            "With it {count} thing names were first enrolled. Their devices keep their "
            "certificates, but it cannot enroll or renew them any more.",
            count,
        ).format(count=count)
    ]


def _what_a_compromised_key_stops(rows: Collection[IssuedCertificate]) -> str:
    """Say what the reason keyCompromise does beside the revocation."""
    ids, keys = [row.pk for row in rows], {row.key_sha256 for row in rows}
    others = IssuedCertificate.objects.filter(key_sha256__in=keys).live().exclude(pk__in=ids)
    sentence = ngettext(
        "If the reason is {reason}, the key goes on the denylist for good, and nothing is issued "
        "for it any more. Other live certificates with it, which authenticate no client then and "
        "become INACTIVE in AWS IoT: {count}.",
        "If the reason is {reason}, the keys go on the denylist for good, and nothing is issued "
        "for them any more. Other live certificates with them, which authenticate no client then "
        "and become INACTIVE in AWS IoT: {count}.",
        len(keys),
    )
    return sentence.format(reason=KEY_COMPROMISE, count=others.count())


def _certificates(number: int) -> str:
    return ngettext("{count} certificate", "{count} certificates", number).format(count=number)


def _names(number: int) -> str:
    return ngettext("{count} name", "{count} names", number).format(count=number)


class RevokeManyForm(RevokeForm):
    """The same, and the number of certificates typed as a confirmation."""

    count = forms.IntegerField(
        label="How many", help_text=gettext_noop("Type the number of certificates.")
    )

    def __init__(self, *args: Any, expected: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.expected = expected

    def clean_count(self) -> int:
        """Refuse another number than the page shows."""
        count: int = self.cleaned_data["count"]
        if count != self.expected:
            raise forms.ValidationError(
                gettext(
                    "{count} is not the number of selected certificates, which is {expected}."
                ).format(count=count, expected=self.expected)
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
        shown = ", ".join(names[:_MAX_SHOWN])
        if more > 0:
            shown = gettext("{names} and {more} more").format(names=shown, more=more)
        return [
            gettext("No longer good for anything: {certificates} of {names} ({shown}).").format(
                certificates=_certificates(len(self.rows)), names=_names(len(names)), shown=shown
            ),
            gettext(
                "This cannot be undone. The devices can still enroll again, unless they are denied."
            ),
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
            said = gettext("A job revokes {certificates}.")
            return Done(said.format(certificates=_certificates(len(self.rows))), job)
        revoked = revoke_certificates(self.rows, reason=reason, comment=comment, actor=actor)
        return Done(gettext("{certificates} revoked.").format(certificates=_certificates(revoked)))


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
            gettext(
                "Intents older than {hours} become void, because their requests were not "
                "repeated. {there_are} of any age now."
            ).format(
                hours=ngettext("{count} hour", "{count} hours", hours).format(count=hours),
                there_are=ngettext(
                    "There is {count} intent", "There are {count} intents", count
                ).format(count=count),
            ),
            gettext("Names and keys that belong to a void intent only become free again."),
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Do what ``manage.py settle_intents`` does."""
        settled = settle_intents(actor=actor)
        said = ngettext("{count} intent settled.", "{count} intents settled.", settled)
        return Done(said.format(count=settled))
