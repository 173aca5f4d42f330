"""The page of the denylist: what may not enroll, why, and until when."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy, gettext_noop

from pki.admin.denylist_import import ImportEntries
from pki.admin.denylist_operations import Allow, ChangeTerms, Check, Deny, matches_in_words
from pki.admin.display import chip, minute, moment, utc, words
from pki.admin.facts import FactAdmin
from pki.admin.filters import ChoiceFilter, titled
from pki.admin.search import Term, starts_with
from pki.models import DenylistEntry
from pki.models.denylist import is_in_force, is_on_list


class InForceFilter(ChoiceFilter):
    """Whether an entry stops enrollments now."""

    title = gettext_noop("in force")
    parameter_name = "in_force"
    choices_offered = {
        "yes": ("Yes", lambda: is_in_force(timezone.now())),
        "no": ("No, expired", lambda: ~is_in_force(timezone.now())),
    }


@admin.register(DenylistEntry)
class DenylistEntryAdmin(FactAdmin):
    """The entries of the denylist, expired ones too."""

    list_display = (
        "status",
        "kind",
        words("value"),
        words("reason"),
        words("created_by", "by"),
        minute("created_at", "since"),
        "until",
    )
    list_display_links = (list_display[2],)
    list_filter = (
        InForceFilter,
        "kind",
        ("created_at", titled("since", admin.DateFieldListFilter)),
    )
    search_fields = ("value",)
    search_help_text = gettext_noop("The beginning of a name, a serial number, a SHA-256")
    empty_words = gettext_noop(
        "The denylist is empty. “Deny” above adds an entry, as `manage.py deny` does. “Import a "
        "CSV file” takes a list, as `manage.py deny_import` does."
    )
    operations = (Deny, ImportEntries, Check, ChangeTerms, Allow)
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
                "until",
                "matches",
            ),
        ),
    )

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        """Return whether the index offers ``add/``, which is the operation ``Deny``."""
        return Deny.is_allowed(request, DenylistEntry)

    def get_queryset(self, request: HttpRequest) -> QuerySet[DenylistEntry]:
        """Leave out what only waits for an import, which is on the denylist of nobody yet."""
        return super().get_queryset(request).filter(is_on_list()).select_related("batch")

    def search_condition(self, term: Term) -> Q:
        """Search by value, in any form in which it may be written."""
        values = [value for value in (term.sha256, *term.serial_numbers) if value]
        return starts_with("value", term.name) | Q(value__in=values)

    def audit_term(self, row: DenylistEntry) -> str:
        """Return the target of the entry's events."""
        return f"{row.kind}:{row.value}"

    @admin.display(description=gettext_lazy("until (UTC)"), ordering="expires_at")
    def until(self, row: DenylistEntry) -> str:
        """Return the end of what counts of an entry."""
        return utc(row.ends_at, "%Y-%m-%d %H:%M")

    @admin.display(description=gettext_lazy("status"))
    def status(self, row: DenylistEntry) -> SafeString:
        """Show whether the entry is in force."""
        return chip("Denied", "bad") if row.is_in_force else chip("Expired", "over")

    @admin.display(description=gettext_lazy("live certificates"))
    def matches(self, row: DenylistEntry) -> str:
        """Show how many certificates the entry concerns."""
        return matches_in_words(row.kind, row.value)
