"""Operations on the audit trail: verify it. Nothing here writes."""

from django import forms
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_noop

from pki.admin.display import chip
from pki.admin.operations import EmptyForm, Question
from pki.record.audit_check import check_trail

MOST_ROWS = 100_000
"""Rows that a page checks: some ten seconds."""


class VerifyTrail(Question):
    """Check every row of the trail."""

    slug = "verify"
    label = gettext_noop("Verify the trail")
    is_for_list = True
    form_class = EmptyForm

    def effects(self) -> list[str]:
        """Say what is compared."""
        return [
            gettext(
                "Every row is compared with the hash of the row before it, and the states of "
                "all certificates with their rows. Nothing changes."
            ),
            gettext(
                "Only heads that are kept elsewhere show that rows at the end are missing: "
                "manage.py audit_verify --heads."
            ),
        ]

    def answer(self, form: forms.BaseForm) -> SafeString:
        """Do what ``manage.py audit_verify`` does."""
        count = check_trail(at_most=MOST_ROWS)
        return format_html("<p>{} {} rows</p>", chip("The trail holds", "good"), f"{count:,}")
