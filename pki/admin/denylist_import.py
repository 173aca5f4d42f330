"""The import of a denylist: what each line would do, and the job that does it."""

from collections import Counter
from typing import Any

from django import forms
from django.http import HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_noop

from pki.admin.denylist_operations import ChangeTerms
from pki.admin.display import table, visible
from pki.admin.operations import Done, Operation, text_field, with_refusal
from pki.denylist.adding import Outcome
from pki.denylist.csv_import import FileRefused, Line, compare, read_lines
from pki.jobs.denying import start_import
from pki.models import DenylistEntry
from pki.operators.errors import OperatorError
from pki.record.audit_trail import Actor

MOST_SHOWN = 500
"""Lines in the table, and complaints above it."""


class ImportForm(forms.Form):
    """The file or its text, and what becomes of entries that are there."""

    file = forms.FileField(required=False, help_text="A CSV file: kind,value,reason,expires")
    text = forms.CharField(
        label="Or its text",
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 10, "cols": 100}),
    )
    reason = text_field(help_text=gettext_noop("For the lines that give none."))
    is_replacing = forms.BooleanField(
        label="Replace entries that are there",
        required=False,
        help_text=gettext_noop("Entries that are there get the reason and end of their lines."),
    )
    is_dry_run = forms.BooleanField(
        label="Only show what each line would do", required=False, initial=True
    )

    def __init__(self, *args: Any, may_replace: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not may_replace:
            del self.fields["is_replacing"]

    def clean(self) -> dict[str, Any]:
        """Read the lines, or complain of each that is wrong."""
        cleaned = super().clean() or self.cleaned_data
        file, text = cleaned.get("file"), cleaned.get("text", "")
        if bool(file) == bool(text.strip()):
            raise forms.ValidationError(gettext("Give either a file or its text."))
        content = file.read() if file else text.encode()
        try:
            cleaned["lines"] = read_lines(content, default_reason=cleaned.get("reason", ""))
        except FileRefused as refusal:
            more = len(refusal.complaints) - MOST_SHOWN
            said = [visible(complaint) for complaint in refusal.complaints[:MOST_SHOWN]]
            raise forms.ValidationError(
                [
                    *said,
                    *(
                        [gettext("And {more} more lines are wrong.").format(more=more)]
                        if more > 0
                        else []
                    ),
                ]
            ) from refusal
        cleaned["content"] = content
        return cleaned


class ImportEntries(Operation):
    """Deny everything in a CSV file, as a job."""

    slug = "import"
    label = gettext_noop("Import a CSV file")
    permission = "add"
    is_for_list = True
    form_class = ImportForm

    def get_form_kwargs(self) -> dict[str, Any]:
        """Offer the replacement of entries to those who may change the terms of one."""
        may_replace = ChangeTerms.is_allowed(self.request, DenylistEntry)
        return {**super().get_form_kwargs(), "may_replace": may_replace}

    def effects(self) -> list[str]:
        """Say that it is all or nothing, and what stays."""
        return [
            gettext(
                "Nothing is taken of a file with a wrong line. All lines come in force at the "
                "same moment, when a job has prepared them. Until then the job can be "
                "cancelled."
            ),
            gettext(
                "From that moment on, nothing is issued to what the lines name. Certificates "
                "that are issued already stay valid."
            ),
        ]

    def form_valid(self, form: forms.BaseForm) -> HttpResponse:
        """Show what each line would do if that is asked for, else start the job."""
        asked = form.cleaned_data
        if not asked["is_dry_run"]:
            return super().form_valid(form)
        try:
            self.result = _table(asked["lines"], is_replacing=asked.get("is_replacing", False))
        except OperatorError as error:
            with_refusal(form, error)
        # The browser does not send a file again, so its text goes into the field for it.
        kept = {name: value for name, value in form.data.items() if name != "is_dry_run"}
        kept["text"] = asked["content"].decode("utf-8-sig")
        again = ImportForm(kept, may_replace="is_replacing" in form.fields)
        return self.render_to_response(self.get_context_data(form=again))

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Do what ``manage.py deny_import --no-wait`` does."""
        asked = form.cleaned_data
        is_replacing = asked.get("is_replacing", False)
        job = start_import(asked["lines"], is_replacing=is_replacing, actor=actor)
        return Done(
            gettext("A job imports {total} lines. It goes on within a minute.").format(
                total=job.total
            ),
            job,
        )


_COLUMNS = (
    gettext_noop("Line"),
    gettext_noop("What"),
    gettext_noop("Kind"),
    gettext_noop("Value"),
    gettext_noop("Reason"),
)


def _table(lines: list[Line], *, is_replacing: bool) -> SafeString:
    """Return what each line would do now, and how many do what."""
    outcomes = compare(lines, is_replacing=is_replacing)
    counts = Counter(outcomes)
    rows = [
        (str(line.number), outcome, line.kind, visible(line.value), visible(line.reason))
        for line, outcome in zip(lines[:MOST_SHOWN], outcomes, strict=False)
    ]
    return format_html(
        "<h2>{}</h2><p>{}. {} {}</p>{}",
        gettext("What each line would do"),
        ", ".join(f"{counts[outcome]} {outcome}" for outcome in Outcome),
        gettext("Nothing was written."),
        gettext("The first {most} lines are shown.").format(most=MOST_SHOWN)
        if len(lines) > MOST_SHOWN
        else "",
        table(_COLUMNS, rows),
    )
