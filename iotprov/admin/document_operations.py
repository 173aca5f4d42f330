"""Operations on the text of template and policy: new version, take the file, roll back.

``push_operations`` has those that call AWS.
"""

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_noop

from iotprov.admin.texts import diff_block, difference, problem_table
from iotprov.conf import iot_settings
from iotprov.documents.validation import problems_of
from iotprov.documents.versions import (
    Kind,
    VersionChanged,
    add_version,
    body_in_force,
    body_of_file,
    current,
    number_in_force,
    roll_back,
)
from iotprov.exceptions import DocumentError
from iotprov.models import DocumentVersion
from pki.admin import Done, Operation, ReasonForm
from pki.admin.display import visible
from pki.record.audit_trail import Actor

CHECK = "X-Check"
"""The header of a request that asks for the problems of a text and changes nothing."""


def kind_of(operation: Operation) -> Kind:
    """Return whether the operation's page is that of the template or of the policy."""
    return Kind(operation.model_admin.kind)  # type: ignore[attr-defined]  # a DocumentAdmin


def text_in_force(kind: Kind) -> str:
    """Return the text in force; "" if there is none, because the configured file is unreadable."""
    try:
        return body_in_force(kind)
    except DocumentError:
        return ""


def _done(operation: Operation, version: DocumentVersion) -> Done:
    """Return the result of a new version: what comes next, and how many warnings there are."""
    warnings = len(problems_of(version.kind, version.body))
    note = f" Warnings: {warnings}, see below." if warnings else ""
    row = operation.model_admin.model._default_manager.get(pk=version.pk)
    return Done(f"{version} is in force. No target has it before it is pushed.{note}", row)


class DocumentForm(ReasonForm):
    """The whole text, and the reason for the change."""

    body = forms.CharField(
        strip=False,
        widget=forms.Textarea(
            attrs={"rows": 30, "cols": 100, "class": "document", "data-check": CHECK}
        ),
        help_text=(
            "JSON. <ACCOUNT_ID> and <REGION> are filled in for each target when it is pushed."
        ),
    )
    based_on = forms.IntegerField(widget=forms.HiddenInput, min_value=0)
    field_order = ("body", "reason", "based_on")

    def __init__(self, *args: Any, kind: Kind, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._kind = kind
        self.fields["body"].label = kind.label
        self.fields["body"].help_text = format_html("{}", self.fields["body"].help_text)

    def clean_body(self) -> str:
        """Refuse a text with errors, which the page lists in a table."""
        body = _with_plain_line_ends(self.cleaned_data["body"])
        errors = sum(problem.is_error for problem in problems_of(self._kind, body))
        if errors:
            raise forms.ValidationError(
                f"The text cannot be used. Errors: {errors}, listed above by line and column."
            )
        return body


def _with_plain_line_ends(text: str) -> str:
    """Undo what a browser does to line ends: it sends CR LF."""
    return text.replace("\r\n", "\n")


class NewVersion(Operation):
    """Edit the text in force."""

    slug = "add"
    label = gettext_noop("New version")
    permission = "add"
    is_for_list = True
    form_class = DocumentForm

    def get_form_kwargs(self) -> dict[str, Any]:
        """Start from the text in force."""
        kind = kind_of(self)
        initial = {"body": text_in_force(kind), "based_on": number_in_force(kind)}
        return {**super().get_form_kwargs(), "kind": kind, "initial": initial}

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Put the text in force, or only say what is wrong with it while it is being typed."""
        if CHECK not in request.headers:
            return super().post(request, *args, **kwargs)
        text = _with_plain_line_ends(request.POST.get("body", ""))
        problems = problems_of(kind_of(self), text) if text.strip() else []
        return JsonResponse(
            {
                "problems": [
                    {
                        "place": f"{one.place.line}:{one.place.column}",
                        "is_error": one.is_error,
                        "message": visible(one.message),
                    }
                    for one in problems
                ]
            }
        )

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the problems of the text in the field, sent or not."""
        context = super().get_context_data(**kwargs)
        text = _with_plain_line_ends(str(context["form"]["body"].value() or ""))
        problems = problems_of(kind_of(self), text) if text.strip() else []
        return {
            **context,
            "result": format_html("{}{}", self.result, problem_table(problems, text)),
        }

    def effects(self) -> list[str]:
        """Say that no target gets the text by itself."""
        return [
            "The text becomes a version of its own and is in force from then on. "
            "Targets get it by Push. Until then they are shown as behind.",
            "A text with errors cannot be saved. Warnings are shown and stop nothing.",
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Do what ``manage.py sync_template --from-file`` does, without the push."""
        try:
            version = add_version(kind_of(self), actor=actor, **form.cleaned_data)
        except VersionChanged as changed:
            # The page shows what differs, and the same text sent again is meant for this version.
            body = changed.version.body
            changes = difference(body, form.cleaned_data["body"], str(changed.version), "your text")
            self.result = diff_block(changes)
            sent = {name: form.data[name] for name in form.data}  # a QueryDict has lists inside
            form.data = {**sent, "based_on": str(changed.version.number)}
            raise
        return _done(self, version)


class TakeFile(Operation):
    """Put the configured file in force."""

    slug = "take-file"
    label = gettext_noop("Take the configured file")
    permission = "add"
    is_for_list = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add a diff of what would change."""
        kind = kind_of(self)
        try:
            file = body_of_file(kind)
        except DocumentError:
            return super().get_context_data(**kwargs)
        changes = difference(text_in_force(kind), file, "in force", "the file")
        shown = [diff_block(changes)] if changes else []
        self.result = format_html_join("", "{}", [*((one,) for one in shown)]) + problem_table(
            problems_of(kind, file), file
        )
        return super().get_context_data(**kwargs)

    def effects(self) -> list[str]:
        """Say whether the file differs, and that no target gets it by itself."""
        kind = kind_of(self)
        path = file_path(kind)
        try:
            file = body_of_file(kind)
        except DocumentError as error:
            return [f"This cannot be done now. {error}"]
        version = current(kind)
        if version is None:
            return [f"{path} is in force already. It is put on record as v1."]
        if version.body == file:
            return [f"{path} has the text of {version}. There is nothing to do."]
        return [
            f"The text of {path} takes the place of {version}, as a version of its own. "
            "Targets get it by Push."
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Do what ``manage.py sync_template --from-file`` does, without the push."""
        kind = kind_of(self)
        return _done(self, add_version(kind, body_of_file(kind), actor=actor, **form.cleaned_data))


def file_path(kind: Kind) -> str:
    """Return the path of the configured file."""
    chosen = iot_settings()
    return str(chosen.policy_path if kind is Kind.POLICY else chosen.template_path)


class RollBack(Operation):
    """Put an old version's text in force again."""

    slug = "roll-back"
    label = gettext_noop("Roll back to this version")
    permission = "add"

    @classmethod
    def obstacle(cls, row: DocumentVersion) -> str:
        """Only an earlier version of the configured name can come back."""
        version = current(row.kind)
        if version is None or version.name != row.name:
            return f"{row} is of a name that the configuration does not use any more."
        if version.pk == row.pk:
            return f"{row} is in force."
        if version.body == row.body:
            return f"{version}, which is in force, has the text of {row}."
        return ""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add a diff of what would change."""
        changes = difference(text_in_force(kind_of(self)), self.row.body, "in force", str(self.row))
        self.result = diff_block(changes)
        return super().get_context_data(**kwargs)

    def effects(self) -> list[str]:
        """Say which number the text gets."""
        version = current(self.row.kind)
        assert version is not None  # noqa: S101  # obstacle() checks it
        return [
            f"The text of {self.row} takes the place of {version}, as v{version.number + 1}. "
            "Targets get it by Push."
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Check the old text like a new one, because profiles may have changed since."""
        row: DocumentVersion = self.row
        return _done(self, roll_back(row.kind, row.number, actor=actor, **form.cleaned_data))
