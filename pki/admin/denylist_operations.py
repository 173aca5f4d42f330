"""Operations on the denylist: deny, change reason or end, allow again."""

import datetime
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext, gettext_noop, ngettext

from pki.admin.display import chip, link, table, utc, visible
from pki.admin.operations import Done, Operation, PastedText, Question, ReasonForm
from pki.denylist.adding import Outcome, entry_on_record, terms_in_words
from pki.denylist.entries import allow, certificates_concerned, certificates_named, deny
from pki.denylist.kinds import choices, find_kind, normalize, signed_part
from pki.denylist.verdict import denylist_verdict
from pki.models import DenylistEntry
from pki.operators.errors import OperatorError
from pki.record.audit_trail import Actor
from pki.record.bounded_counts import count_in_words, count_up_to
from pki.revocation.revoke import revoke_certificates
from pki.search.pasted import MOST_BYTES

REVOCATION_REASON = "privilegeWithdrawn"
"""The reason (RFC 5280 5.3.1) for which a deny revokes, as `manage.py deny --revoke` does."""


class TermsForm(ReasonForm):
    """Reason and end of an entry."""

    expires_at = forms.DateTimeField(
        label="Until (UTC)",
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text=gettext_noop(
            "The entry stops no enrollment from then on. Leave it empty for no end."
        ),
    )

    def clean_expires_at(self) -> datetime.datetime | None:
        """Refuse a time in the past, which must be a mistake."""
        expires_at: datetime.datetime | None = self.cleaned_data["expires_at"]
        if expires_at is not None and expires_at <= timezone.now():
            raise forms.ValidationError(
                gettext("This time is in the past. Give a later one, or none.")
            )
        return expires_at


class DenyForm(TermsForm):
    """Kind and value of a new entry, with its reason and end."""

    kind = forms.ChoiceField(choices=choices)
    value = forms.CharField(
        max_length=20_000,
        widget=PastedText(attrs={"rows": 3, "cols": 80}),
        help_text=(
            gettext_noop(
                "A name covers every spelling in upper and lower case. A serial number is "
                "hexadecimal, or dec: and decimal digits. A PEM certificate may stand for a "
                "hash or serial number."
            )
        ),
    )
    is_replacing = forms.BooleanField(
        label="Replace an entry that is there",
        required=False,
        help_text=gettext_noop(
            "An entry of this value gets this reason and end in place of its own."
        ),
    )
    is_revoking = forms.BooleanField(
        label="Revoke the live certificates that it names",
        required=False,
        help_text=gettext_noop(
            "For privilegeWithdrawn. This cannot be undone. The AWS IoT side follows."
        ),
    )
    field_order = ("kind", "value", "reason", "expires_at", "is_replacing", "is_revoking")

    def __init__(self, *args: Any, may_replace: bool, may_revoke: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not may_revoke:
            del self.fields["is_revoking"]
        if not may_replace:
            del self.fields["is_replacing"]

    def clean(self) -> dict[str, Any] | None:
        """Normalize the value, or refuse one that cannot be of its kind."""
        cleaned = super().clean() or self.cleaned_data
        if "kind" in cleaned and "value" in cleaned:
            try:
                given = cleaned["value"]
                cleaned["value"] = normalize(cleaned["kind"], given)
                cleaned["signed_sha256"] = signed_part(cleaned["kind"], given)
            except OperatorError as error:
                self.add_error("value", visible(str(error)))
        return cleaned


def matches_in_words(kind: str, value: str) -> str:
    """Return how many live certificates an entry concerns, and that they stay valid."""
    count = count_up_to(certificates_concerned(kind, value).live())
    if not count:
        return gettext("No live certificate matches.")
    sentence = ngettext(
        "{count} live certificate matches and stays valid. Revoke to end that.",
        "{count} live certificates match and stay valid. Revoke to end that.",
        count,
    )
    return sentence.format(count=capfirst(count_in_words(count)))


class Deny(Operation):
    """Put a value on the denylist."""

    slug = "add"
    label = gettext_noop("Deny")
    permission = "add"
    is_for_list = True
    form_class = DenyForm

    def get_initial(self) -> dict[str, Any]:
        """Return kind and value from the link that led here."""
        return {
            name: self.request.GET[name] for name in ("kind", "value") if name in self.request.GET
        }

    def get_form_kwargs(self) -> dict[str, Any]:
        """Offer the replacement of an entry to those who may change the terms of one."""
        may_replace = ChangeTerms.is_allowed(self.request, DenylistEntry)
        may_revoke = self.request.user.has_perm("pki.change_issuedcertificate")
        return {
            **super().get_form_kwargs(),
            "may_replace": may_replace,
            "may_revoke": may_revoke,
        }

    def effects(self) -> list[str]:
        """Say what a deny does and, if the value is known, how many certificates it concerns."""
        effects = [
            gettext(
                "Nothing is issued to what the entry names, from the moment this is answered. "
                "Certificates that it has stay valid."
            )
        ]
        initial = self.get_initial()
        try:
            kind = initial.get("kind", "")
            value = normalize(kind, initial.get("value", ""))
        except OperatorError:
            return effects
        entry = entry_on_record(kind, value)
        if entry:
            there = gettext("{entry} is on the denylist already, {terms}.")
            effects.append(there.format(entry=entry, terms=terms_in_words(entry)))
        return [*effects, matches_in_words(kind, value)]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Do what ``manage.py deny`` does."""
        terms = form.cleaned_data
        kind, value = terms["kind"], terms["value"]
        outcome = deny(
            kind,
            value,
            reason=terms["reason"],
            expires_at=terms["expires_at"],
            signed_sha256=terms["signed_sha256"],
            is_replacing=terms.get("is_replacing", False),
            actor=actor,
        )
        entry = entry_on_record(kind, value)
        if outcome is Outcome.KEPT and entry is not None:
            way = (
                gettext(
                    "To give the entry this reason and end, tick 'Replace an entry that is there'."
                )
                if "is_replacing" in form.fields
                else gettext("An operator with the right to change entries can replace it.")
            )
            sentence = gettext(
                "{entry} is on the denylist already, {terms}. Nothing was changed. {way}"
            )
            raise OperatorError(sentence.format(entry=entry, terms=terms_in_words(entry), way=way))
        label = gettext(find_kind(kind).label)
        said = (
            gettext("{label} {value} is on the denylist now.")
            if outcome
            else gettext("{label} {value} was on the denylist with these terms already.")
        ).format(label=label, value=value)
        if terms.get("is_revoking"):
            live = certificates_named(kind, value).live()
            count = revoke_certificates(
                live, reason=REVOCATION_REASON, actor=actor, comment=terms["reason"]
            )
            revoked = gettext("Live certificates revoked: {count}.").format(count=count)
            return Done(f"{said} {revoked}", entry)
        return Done(f"{said} {matches_in_words(kind, value)}", entry)


class CheckForm(forms.Form):
    """What a person asks about."""

    asked = forms.CharField(
        label="Would this be refused",
        max_length=MOST_BYTES,
        widget=PastedText(attrs={"rows": 4, "cols": 80, "spellcheck": "false"}),
        help_text=(
            gettext_noop(
                "A thing name, a device's serial number, a certificate's serial number, a "
                "SHA-256 of a key, certificate or client, or a certificate or CSR as PEM."
            )
        ),
    )


class Check(Question):
    """Ask whether the denylist refuses something, and by which entry."""

    slug = "check"
    label = gettext_noop("Would this be refused?")
    is_for_list = True
    form_class = CheckForm

    def effects(self) -> list[str]:
        """Say that nothing is changed."""
        return [
            gettext(
                "The denylist is asked as an enrollment asks it, also with what is on record "
                "of the device. Nothing changes."
            )
        ]

    def answer(self, form: forms.BaseForm) -> SafeString:
        """Do what ``manage.py deny_check`` does."""
        found = denylist_verdict(form.cleaned_data["asked"])
        asked = visible("; ".join(found.asked))
        if not found.denials:
            return format_html(
                "<p>{} No entry in force names {}.</p>", chip("Not refused", "good"), asked
            )
        titles = ("Entry", "Reason", "What the device is told", "Until", "Live certificates")
        cells = (
            (
                link(denial.entry),
                visible(denial.entry.reason),
                denial.refused,
                utc(denial.entry.expires_at),
                str(denial.live),
            )
            for denial in found.denials
        )
        return format_html("<p>{} {}</p>{}", chip("Refused", "bad"), asked, table(titles, cells))


class ChangeTerms(Operation):
    """Change reason or end of an entry."""

    slug = "terms"
    label = gettext_noop("Change reason or end")
    form_class = TermsForm

    def get_initial(self) -> dict[str, Any]:
        """Start from the reason and end on record."""
        reason, expires_at = self.row.terms
        return {"reason": reason, "expires_at": expires_at}

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Do what ``manage.py deny`` does for an entry on record."""
        changed = deny(
            self.row.kind, self.row.value, actor=actor, is_replacing=True, **form.cleaned_data
        )
        self.row.refresh_from_db()
        return Done(
            gettext("The new terms hold.") if changed else gettext("Nothing has changed."), self.row
        )


class Allow(Operation):
    """Take an entry off the denylist."""

    slug = "allow"
    label = gettext_noop("Allow again")
    permission = "delete"
    is_dangerous = True

    def effects(self) -> list[str]:
        """Say what may enroll again."""
        entry: DenylistEntry = self.row
        if not entry.is_in_force:
            return [gettext("The entry has expired. It is only taken off the list.")]
        return [
            gettext("{entry} may enroll again, unless another entry stops it.").format(entry=entry)
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Do what ``manage.py allow`` does."""
        entry: DenylistEntry = self.row
        gone = allow(entry.kind, entry.value, reason=form.cleaned_data["reason"], actor=actor)
        said = (
            gettext("{entry} is allowed again.")
            if gone
            else gettext("{entry} was allowed already.")
        )
        return Done(said.format(entry=entry))
