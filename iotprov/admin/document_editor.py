"""The editor of template and policy: the text, its problems, and what it makes of a device.

A script of the console, ``document_editor.js``, asks for problems and preview while a person types.
Without it, two buttons of the page ask for the same.
"""

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_noop

from iotprov.admin.based_on import BasedOnForm, OnVersion, kind_of
from iotprov.admin.document_operations import done, text_in_force
from iotprov.admin.preview import certificate_field, pasted_field, preview_block, source_of
from iotprov.admin.texts import diff_block, difference, place_in_editor, problem_table
from iotprov.documents.sample import newest_serial_number
from iotprov.documents.validation import problems_of
from iotprov.documents.versions import Kind, VersionChanged, add_version
from iotprov.json_text.layout import readable
from iotprov.json_text.located import Problem
from pki.admin import Done
from pki.admin.display import visible
from pki.admin.operations import translated_form
from pki.exceptions import PKIError
from pki.operators.errors import OperatorError
from pki.record.audit_trail import Actor

CHECK = "X-Check"
"""The header of a request of the script, which asks about a text and changes nothing."""

LOOK = "look"
"""The name of the buttons that ask about a text and change nothing."""

READABLE = "readable"
"""Of ``LOOK`` or ``CHECK``: lay the text out as well."""


class DocumentForm(BasedOnForm):
    """The whole text, the reason for the change, and a sample to preview it with."""

    body = forms.CharField(
        strip=False,
        widget=forms.Textarea(
            attrs={
                "rows": 30,
                "cols": 100,
                "class": "document",
                "wrap": "off",  # a line of the text is a line on the page, as its numbers say
                "spellcheck": "false",
                "data-check": CHECK,
            }
        ),
        help_text=gettext_noop(
            "JSON. &lt;ACCOUNT_ID&gt; and &lt;REGION&gt; are filled in for each target when it is "
            "pushed."
        ),
    )
    certificate = certificate_field()
    pasted = pasted_field(rows=4)
    field_order = ("body", "reason", "certificate", "pasted", "based_on")

    def __init__(self, *args: Any, kind: Kind, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._kind = kind
        body = self.fields["body"]
        body.label = kind.label
        body.widget.attrs["data-unchecked"] = gettext(
            "The server gave no answer, so the text is not checked. It is checked when it is sent."
        )

    def clean_body(self) -> str:
        """Refuse a text with errors, which the page lists in a table."""
        body = with_plain_line_ends(self.cleaned_data["body"])
        errors = sum(problem.is_error for problem in problems_of(self._kind, body))
        if errors:
            raise forms.ValidationError(
                gettext(
                    "The text cannot be used. Errors: {count}, listed by line and column."
                ).format(count=errors)
            )
        return body


def with_plain_line_ends(text: str) -> str:
    """Undo what a browser does to line ends: it sends CR LF."""
    return text.replace("\r\n", "\n")


class NewVersion(OnVersion):
    """Edit the text in force."""

    slug = "add"
    label = gettext_noop("New version")
    permission = "add"
    is_for_list = True
    form_class = DocumentForm
    fieldsets = (
        (None, ("body", "reason", "based_on")),
        (gettext_noop("Preview for a sample"), ("certificate", "pasted")),
    )
    template_name = "admin/iotprov/document_editor.html"

    def get_form_kwargs(self) -> dict[str, Any]:
        """Add the kind of document."""
        return {**super().get_form_kwargs(), "kind": kind_of(self)}

    def get_initial(self) -> dict[str, Any]:
        """Start from the text in force, and with the newest certificate as the sample."""
        return {
            **super().get_initial(),
            "body": text_in_force(kind_of(self)),
            "certificate": newest_serial_number(),
        }

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Put the text in force, or only say what it is like."""
        if CHECK in request.headers:
            return self._answer_script(request)
        if LOOK in request.POST:
            return self._show(request)
        return super().post(request, *args, **kwargs)

    def _answer_script(self, request: HttpRequest) -> JsonResponse:
        """Return the problems, the preview and, if that is asked for, the text laid out."""
        kind, text = kind_of(self), with_plain_line_ends(request.POST.get("body", ""))
        laid_out = {}
        if request.headers[CHECK] == READABLE:
            text = readable(text)
            laid_out = {"text": text}
        problems = _problems(kind, text)
        return JsonResponse(
            {
                **laid_out,
                "problems": [
                    {
                        "place": f"{one.place.line}:{one.place.column}",
                        "is_error": one.is_error,
                        "message": visible(one.message),
                    }
                    for one in problems
                ],
                "count": _count_in_words(problems),
                "table": problem_table(problems, text, place=place_in_editor),
                "preview": self._preview(request.POST, text),
            }
        )

    def _show(self, request: HttpRequest) -> HttpResponse:
        """Show the page again with what was typed, its problems and its preview."""
        typed = {
            name: request.POST[name] for name in DocumentForm.base_fields if name in request.POST
        }
        typed["body"] = with_plain_line_ends(typed.get("body", ""))
        if request.POST[LOOK] == READABLE:
            typed["body"] = readable(typed["body"])
        form = DocumentForm(initial={**self.get_initial(), **typed}, kind=kind_of(self))
        translated_form(form)
        return self.render_to_response(self.get_context_data(form=form))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add problems and preview of the text in the field, sent or not."""
        context = super().get_context_data(**kwargs)
        form = context["form"]
        text = with_plain_line_ends(str(form["body"].value() or ""))
        problems = _problems(kind_of(self), text)
        shown = format_html(
            '<p id="problem-count" role="status">{}</p><div id="problems">{}</div>',
            _count_in_words(problems),
            problem_table(problems, text, place=place_in_editor),
        )
        values = {name: form[name].value() for name in ("certificate", "pasted")}
        return {
            **context,
            "result": format_html("{}{}", self.result, shown),
            "preview": self._preview(values, text),
            "look": LOOK,
            "readable": READABLE,
        }

    def _preview(self, asked: Any, text: str) -> SafeString:
        """Return what the text, with the other document in force, makes of the sample."""
        other = Kind.POLICY if kind_of(self) is Kind.TEMPLATE else Kind.TEMPLATE
        bodies = {kind_of(self): text, other: text_in_force(other)}
        certificate, pasted = (asked.get(name) or "" for name in ("certificate", "pasted"))
        if not (certificate or pasted).strip():
            return format_html(
                "<p>{}</p>",
                gettext("Give a serial number above, or paste a certificate or CSR."),
            )
        try:
            source = source_of("" if pasted.strip() else certificate, pasted)
            return preview_block(source, bodies[Kind.TEMPLATE], bodies[Kind.POLICY], {})
        except (OperatorError, PKIError) as error:
            said = error.message if isinstance(error, PKIError) else str(error)
            return format_html('<p class="errornote">{}</p>', visible(said))

    def effects(self) -> list[str]:
        """Say that no target gets the text by itself."""
        return [
            gettext(
                "The text becomes a version of its own and is in force from then on. "
                "Targets get it by Push. Until then they are shown as behind."
            ),
            gettext("A text with errors cannot be saved. Warnings are shown and stop nothing."),
        ]

    def write(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Do what ``manage.py sync_template --from-file`` does, without the push."""
        typed = form.cleaned_data
        version = add_version(
            kind_of(self),
            typed["body"],
            actor=actor,
            reason=typed["reason"],
            based_on=typed["based_on"],
        )
        return done(self, version)

    def show_change(self, form: forms.BaseForm, changed: VersionChanged) -> None:
        """Show a diff from the other person's text to this one."""
        mine = gettext("your text")
        self.result = diff_block(
            difference(changed.version.body, form.cleaned_data["body"], str(changed.version), mine)
        )


def _problems(kind: Kind, text: str) -> list[Problem]:
    return problems_of(kind, text) if text.strip() else []


def _count_in_words(problems: list[Problem]) -> str:
    errors = sum(problem.is_error for problem in problems)
    if not problems:
        return gettext("The text can be used.")
    counts = gettext("Errors: {errors}. Warnings: {warnings}.")
    return counts.format(errors=errors, warnings=len(problems) - errors)
