"""The denylist: deny, change the terms, allow again."""

import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from pki.admin.display import chip, minute, moment, visible, words
from pki.admin.facts import FactAdmin
from pki.admin.filters import ChoiceFilter, titled
from pki.admin.operations import Done, Operation, ReasonForm
from pki.admin.search import Term, starts_with
from pki.denylist.entries import allow, certificates_concerned, deny
from pki.denylist.kinds import choices, find_kind, normalize
from pki.models import DenylistEntry
from pki.operators.errors import OperatorError
from pki.record.audit_trail import Actor


class TermsForm(ReasonForm):
    """Why, and for how long."""

    expires_at = forms.DateTimeField(
        label="Until (UTC)",
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text="From then on the entry stops nobody; empty: for ever.",
    )

    def clean_expires_at(self) -> datetime.datetime | None:
        """An entry that never was in force is a mistake."""
        expires_at: datetime.datetime | None = self.cleaned_data["expires_at"]
        if expires_at is not None and expires_at <= timezone.now():
            raise forms.ValidationError("This time is over already.")
        return expires_at


class DenyForm(TermsForm):
    """And what."""

    kind = forms.ChoiceField(choices=choices)
    value = forms.CharField(
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 80}),
        help_text=(
            "A name covers every spelling in upper and lower case. Serial numbers: hex, or dec: "
            "and decimal digits. For hashes and certificates a PEM certificate will do as well."
        ),
    )
    field_order = ("kind", "value", "reason", "expires_at")

    def clean(self) -> dict[str, Any] | None:
        """The value has to be one of its kind."""
        cleaned = super().clean() or self.cleaned_data
        if "kind" in cleaned and "value" in cleaned:
            try:
                cleaned["value"] = normalize(cleaned["kind"], cleaned["value"])
            except OperatorError as error:
                self.add_error("value", visible(str(error)))
        return cleaned


def _matches_in_words(kind: str, value: str) -> str:
    count = certificates_concerned(kind, value).live().count()
    if not count:
        return "No live certificate matches."
    noun = "certificate matches and stays" if count == 1 else "certificates match and stay"
    return f"{count} live {noun} valid: revoke to end that."


class Deny(Operation):
    """Put something on the denylist."""

    slug = "add"
    label = "Deny"
    permission = "add"
    is_for_list = True
    form_class = DenyForm

    def get_initial(self) -> dict[str, Any]:
        """What the link that led here says."""
        return {
            name: self.request.GET[name] for name in ("kind", "value") if name in self.request.GET
        }

    def effects(self) -> list[str]:
        """What it means; for a value that is known already, whom it concerns."""
        effects = [
            "Nothing is issued to what the entry names, from the moment this is answered. "
            "Certificates that it holds stay valid."
        ]
        initial = self.get_initial()
        try:
            kind = initial.get("kind", "")
            value = normalize(kind, initial.get("value", ""))
        except OperatorError:
            return effects
        return [*effects, _matches_in_words(kind, value)]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """As ``manage.py deny``."""
        terms = form.cleaned_data
        kind, value = terms["kind"], terms["value"]
        added = deny(
            kind, value, reason=terms["reason"], expires_at=terms["expires_at"], actor=actor
        )
        entry = DenylistEntry.objects.filter(kind=kind, value=value).first()
        said = "is on the denylist now" if added else "was on the denylist with these terms already"
        return Done(
            f"{find_kind(kind).label} {value} {said}. {_matches_in_words(kind, value)}", entry
        )


class ChangeTerms(Operation):
    """Another reason or end for an entry."""

    slug = "terms"
    label = "Change reason or end"
    form_class = TermsForm

    def get_initial(self) -> dict[str, Any]:
        """What holds now."""
        return {"reason": self.row.reason, "expires_at": self.row.expires_at}

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """As ``manage.py deny`` for a value that is there."""
        changed = deny(self.row.kind, self.row.value, actor=actor, **form.cleaned_data)
        self.row.refresh_from_db()
        return Done("The new terms hold." if changed else "Nothing has changed.", self.row)


class Allow(Operation):
    """Take an entry off the denylist."""

    slug = "allow"
    label = "Allow again"
    permission = "delete"
    is_dangerous = True

    def effects(self) -> list[str]:
        """Who gets in again."""
        entry: DenylistEntry = self.row
        if not entry.is_in_force:
            return ["The entry has expired already: it is only taken off the list."]
        return [f"{entry} may enroll again, unless another entry stops it."]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """As ``manage.py allow``."""
        entry: DenylistEntry = self.row
        gone = allow(entry.kind, entry.value, reason=form.cleaned_data["reason"], actor=actor)
        return Done(f"{entry} {'is allowed again' if gone else 'was allowed already'}.")


class InForceFilter(ChoiceFilter):
    """Whether an entry stops anybody now."""

    title = "in force"
    parameter_name = "in_force"
    choices_offered = {
        "yes": ("Yes", lambda: Q(expires_at=None) | Q(expires_at__gt=timezone.now())),
        "no": ("No, expired", lambda: Q(expires_at__lte=timezone.now())),
    }


@admin.register(DenylistEntry)
class DenylistEntryAdmin(FactAdmin):
    """Who may not enroll."""

    list_display = (
        "status",
        "kind",
        words("value"),
        words("reason"),
        words("created_by", "by"),
        minute("created_at", "since"),
        minute("expires_at", "until"),
    )
    list_display_links = (list_display[2],)
    list_filter = (
        InForceFilter,
        "kind",
        ("created_at", titled("since", admin.DateFieldListFilter)),
    )
    search_fields = ("value",)
    search_help_text = "The beginning of a name, a serial number, a SHA-256"
    empty_words = (
        "Nobody is denied. “Deny” above adds an entry, as `manage.py deny` does; "
        "`manage.py deny_import` takes a CSV file."
    )
    operations = (Deny, ChangeTerms, Allow)
    groups = (
        (
            None,
            (
                "status",
                "kind",
                words("value"),
                words("reason"),
                words("created_by", "by"),
                moment("created_at", "since"),
                moment("expires_at", "until"),
                "matches",
            ),
        ),
    )

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        """So that the index offers it; ``add/`` is the operation ``Deny``."""
        return Deny.is_allowed(request, DenylistEntry)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By value, in whichever form it was typed."""
        term = Term.parse(search_term)
        if not term.text:
            return queryset, False
        values = [value for value in (term.sha256, *term.serial_numbers) if value]
        return queryset.filter(starts_with("value", term.name) | Q(value__in=values)), False

    def audit_term(self, row: DenylistEntry) -> str:
        """The target as the trail writes it."""
        return f"{row.kind}:{row.value}"

    @admin.display(description="status")
    def status(self, row: DenylistEntry) -> SafeString:
        """A chip."""
        return chip("Denied", "bad") if row.is_in_force else chip("Expired", "over")

    @admin.display(description="live certificates")
    def matches(self, row: DenylistEntry) -> str:
        """Whom it concerns."""
        return _matches_in_words(row.kind, row.value)
