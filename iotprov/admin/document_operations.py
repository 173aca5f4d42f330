"""Operations on template and policy: new version, roll back, push, compare."""

from typing import Any

from django import forms
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from iotprov.admin.targets import TargetForm, while_there_is_time
from iotprov.admin.texts import diff_block, difference, problem_table
from iotprov.conf import IoTTarget, iot_settings
from iotprov.documents.aws_documents import MAX_VERSIONS
from iotprov.documents.push import Outcome, diff, push_everywhere
from iotprov.documents.state import Agreement, target_states
from iotprov.documents.validation import problems_of
from iotprov.documents.versions import (
    Kind,
    add_version,
    body_in_force,
    body_of_file,
    current,
    roll_back,
)
from iotprov.exceptions import DocumentError
from iotprov.models import DocumentVersion
from pki.admin import Done, Operation, Question, ReasonForm
from pki.admin.display import visible
from pki.operators.errors import OperatorError
from pki.record.audit_trail import Actor


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
        widget=forms.Textarea(attrs={"rows": 30, "cols": 100, "class": "document"}),
        help_text=(
            "JSON. <ACCOUNT_ID> and <REGION> are filled in for each target when it is pushed."
        ),
    )
    field_order = ("body", "reason")

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
    label = "New version"
    permission = "add"
    is_for_list = True
    form_class = DocumentForm

    def get_form_kwargs(self) -> dict[str, Any]:
        """Start from the text in force."""
        kind = kind_of(self)
        return {**super().get_form_kwargs(), "kind": kind, "initial": {"body": text_in_force(kind)}}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the problems of the text in the field, sent or not."""
        context = super().get_context_data(**kwargs)
        text = _with_plain_line_ends(str(context["form"]["body"].value() or ""))
        problems = problems_of(kind_of(self), text) if text.strip() else []
        return {**context, "result": problem_table(problems, text)}

    def effects(self) -> list[str]:
        """Say that no target gets the text by itself."""
        return [
            "The text becomes a version of its own and is in force from then on. "
            "Targets get it by Push. Until then they are shown as behind.",
            "A text with errors cannot be saved. Warnings are shown and stop nothing.",
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Do what ``manage.py sync_template --from-file`` does, without the push."""
        version = add_version(kind_of(self), actor=actor, **form.cleaned_data)
        return _done(self, version)


class TakeFile(Operation):
    """Put the configured file in force."""

    slug = "take-file"
    label = "Take the configured file"
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
    label = "Roll back to this version"
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


class Push(Operation):
    """Push the version in force to AWS."""

    slug = "push"
    label = "Push to AWS"
    is_for_list = True
    form_class = TargetForm

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add today's problems of the text in force, since profiles may have changed."""
        kind = kind_of(self)
        body = text_in_force(kind)
        self.result = problem_table(problems_of(kind, body), body) if body else ""
        return super().get_context_data(**kwargs)

    def effects(self) -> list[str]:
        """Say what each target has, and what it gets."""
        kind = kind_of(self)
        try:
            body = body_in_force(kind)
        except DocumentError as error:
            return [f"This cannot be done now. {error}"]
        version = current(kind) or f"The configured file ({file_path(kind)})"
        effects = [
            f"{version} goes to the targets. AWS is asked first, and a target that has it already "
            f"stays as it is. AWS keeps {MAX_VERSIONS} versions. A sixth replaces the oldest that "
            "is not in force."
        ]
        if kind is Kind.TEMPLATE:
            effects.append(
                "Its role is made or narrowed as needed. The policy has to be there, so push the "
                "policy first. The template holds for devices that connect for the first time from "
                "then on."
            )
        else:
            effects.append("The policy holds at once for every device that has it.")
        effects += [
            f"{state.target}: {state.agreement.value.lower()}, has {state.holds}."
            for state in target_states(kind, body)
            if state.agreement is not Agreement.UNKNOWN_TARGET
        ]
        return effects

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Do what ``manage.py sync_template`` and ``sync_policy`` do."""
        assert isinstance(form, TargetForm)  # noqa: S101  # form_class says so
        kind = kind_of(self)
        outcomes: list[Outcome] = []
        for target in while_there_is_time(form.targets):
            outcomes += push_everywhere(kind, actor=actor, targets=[target])
        reached = {outcome.target for outcome in outcomes}
        failures = [f"{one.target}: {one.line}" for one in outcomes if one.failure]
        failures += [
            f"{target.name}: There was no time left. Push again."
            for target in form.targets
            if target.name not in reached
        ]
        pushed = [_in_words(one) for one in outcomes if not one.failure]
        return Done(" ".join(pushed), failures=tuple(failures))


class PushThis(Push):
    """Push from the page of the version in force, which follows after writing one."""

    slug = "push-this"
    is_for_list = False

    @classmethod
    def obstacle(cls, row: DocumentVersion) -> str:
        """Only the version in force can be pushed."""
        version = current(row.kind)
        if version is None or version.pk != row.pk:
            return f"{row} is not in force. Roll back to it first."
        return ""


def _in_words(outcome: Outcome) -> str:
    return f"{outcome.target}: {'; '.join([outcome.line, *outcome.notes])}."


class Compare(Question):
    """Compare what AWS has with what is in force."""

    slug = "compare"
    label = "Compare with AWS"
    is_for_list = True
    form_class = TargetForm

    def effects(self) -> list[str]:
        """Say that AWS is asked, and that nothing changes."""
        return [
            "AWS is asked what each target has. The answer shows what a push would change there. "
            "Nothing changes."
        ]

    def answer(self, form: forms.BaseForm) -> SafeString:
        """Return a diff for each target, or its failure."""
        assert isinstance(form, TargetForm)  # noqa: S101  # form_class says so
        kind = kind_of(self)
        body_in_force(kind)  # one refusal if there is none, instead of one for each target
        found = {
            target.name: _difference_at(kind, target)
            for target in while_there_is_time(form.targets)
        }
        return format_html_join(
            "",
            "<h2>{}</h2>{}",
            (
                (target.name, found.get(target.name, "There was no time left. Ask again."))
                for target in form.targets
            ),
        )


def _difference_at(kind: Kind, target: IoTTarget) -> SafeString:
    try:
        found = diff(kind, target)
    except OperatorError as error:
        return format_html('<p class="errornote">{}</p>', visible(str(error)))
    if not found:
        return format_html("<p>{}</p>", "AWS has what is in force.")
    return diff_block(found)
