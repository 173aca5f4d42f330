"""Operations on template and policy: a new version, back to an old one, pushing, comparing."""

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
    """Whether its pages are the template's or the policy's."""
    return Kind(operation.model_admin.kind)  # type: ignore[attr-defined]  # a DocumentAdmin


def text_in_force(kind: Kind) -> str:
    """The text in force; "" when there is none, because the configured file can't be read."""
    try:
        return body_in_force(kind)
    except DocumentError:
        return ""


def _done(operation: Operation, version: DocumentVersion) -> Done:
    """Say what a new version needs next; its page shows its warnings."""
    warnings = len(problems_of(version.kind, version.body))
    told = f" Warnings: {warnings}, see below." if warnings else ""
    row = operation.model_admin.model._default_manager.get(pk=version.pk)
    return Done(f"{version} is in force. No target holds it before it is pushed.{told}", row)


class DocumentForm(ReasonForm):
    """The whole text, and why it changes."""

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
        """With the line ends of the text that it started from; errors stand in the table."""
        body = _with_plain_line_ends(self.cleaned_data["body"])
        errors = sum(problem.is_error for problem in problems_of(self._kind, body))
        if errors:
            raise forms.ValidationError(
                f"It can't be used like this. Errors: {errors}, listed above by line and column."
            )
        return body


def _with_plain_line_ends(text: str) -> str:
    """A browser sends CR LF, whatever it was given."""
    return text.replace("\r\n", "\n")


class NewVersion(Operation):
    """Edit what is in force."""

    slug = "add"
    label = "New version"
    permission = "add"
    is_for_list = True
    form_class = DocumentForm

    def get_form_kwargs(self) -> dict[str, Any]:
        """Start from what holds now."""
        kind = kind_of(self)
        return {**super().get_form_kwargs(), "kind": kind, "initial": {"body": text_in_force(kind)}}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """With what is wrong with the text in the field, sent or not."""
        context = super().get_context_data(**kwargs)
        text = _with_plain_line_ends(str(context["form"]["body"].value() or ""))
        problems = problems_of(kind_of(self), text) if text.strip() else []
        return {**context, "result": problem_table(problems, text)}

    def effects(self) -> list[str]:
        """That it goes nowhere by itself."""
        return [
            "The text becomes a version of its own and is in force from then on. "
            "Targets get it by Push; until then they are shown as behind.",
            "Errors keep it from being saved; warnings are kept in view and stop nothing.",
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """As ``manage.py sync_template --from-file`` without the push."""
        version = add_version(kind_of(self), actor=actor, **form.cleaned_data)
        return _done(self, version)


class TakeFile(Operation):
    """Put the configured file in force."""

    slug = "take-file"
    label = "Take the configured file"
    permission = "add"
    is_for_list = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """With what would change."""
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
        """What differs, and that it goes nowhere by itself."""
        kind = kind_of(self)
        path = file_path(kind)
        try:
            file = body_of_file(kind)
        except DocumentError as error:
            return [f"It can't be done now: {error}."]
        version = current(kind)
        if version is None:
            return [f"{path} is in force already; it is put on record as v1."]
        if version.body == file:
            return [f"{path} has the text of {version}: there is nothing to do."]
        return [
            f"The text of {path} takes the place of {version}, as a version of its own. "
            "Targets get it by Push."
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """As ``manage.py sync_template --from-file`` without the push."""
        kind = kind_of(self)
        return _done(self, add_version(kind, body_of_file(kind), actor=actor, **form.cleaned_data))


def file_path(kind: Kind) -> str:
    """Where the configured file is."""
    chosen = iot_settings()
    return str(chosen.policy_path if kind is Kind.POLICY else chosen.template_path)


class RollBack(Operation):
    """Put an old version's text in force again."""

    slug = "roll-back"
    label = "Roll back to this version"
    permission = "add"

    @classmethod
    def obstacle(cls, row: DocumentVersion) -> str:
        """Only an earlier version of the document that the configuration names."""
        version = current(row.kind)
        if version is None or version.name != row.name:
            return f"{row} is of a name that the configuration doesn't use any more."
        if version.pk == row.pk:
            return f"{row} is in force."
        if version.body == row.body:
            return f"{version}, which is in force, has the text of {row}."
        return ""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """With what would change."""
        changes = difference(text_in_force(kind_of(self)), self.row.body, "in force", str(self.row))
        self.result = diff_block(changes)
        return super().get_context_data(**kwargs)

    def effects(self) -> list[str]:
        """As what it comes back."""
        version = current(self.row.kind)
        assert version is not None  # noqa: S101  # obstacle() saw to it
        return [
            f"The text of {self.row} takes the place of {version}, as v{version.number + 1}. "
            "Targets get it by Push."
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """The old text is checked like a new one: profiles may have changed since."""
        row: DocumentVersion = self.row
        return _done(self, roll_back(row.kind, row.number, actor=actor, **form.cleaned_data))


class Push(Operation):
    """Take what is in force to AWS."""

    slug = "push"
    label = "Push to AWS"
    is_for_list = True
    form_class = TargetForm

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """With what is wrong with the text in force: profiles may have changed since."""
        kind = kind_of(self)
        body = text_in_force(kind)
        self.result = problem_table(problems_of(kind, body), body) if body else ""
        return super().get_context_data(**kwargs)

    def effects(self) -> list[str]:
        """Which target gets what."""
        kind = kind_of(self)
        try:
            body = body_in_force(kind)
        except DocumentError as error:
            return [f"It can't be done now: {error}."]
        version = current(kind) or f"The configured file ({file_path(kind)})"
        effects = [
            f"{version} goes to the targets; AWS is asked first, and one that holds it already "
            f"is left as it is. AWS keeps {MAX_VERSIONS} versions: a sixth pushes out the oldest "
            "that isn't in force."
        ]
        if kind is Kind.TEMPLATE:
            effects.append(
                "Its role is made or narrowed as needed. The policy has to be there: push that "
                "one first. Devices that connect for the first time from then on follow it."
            )
        else:
            effects.append("It holds at once for every device that has this policy.")
        effects += [
            f"{state.target}: {state.agreement.value.lower()}, holds {state.holds}."
            for state in target_states(kind, body)
            if state.agreement is not Agreement.UNKNOWN_TARGET
        ]
        return effects

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """As ``manage.py sync_template`` and ``sync_policy``."""
        assert isinstance(form, TargetForm)  # noqa: S101  # form_class says so
        kind = kind_of(self)
        outcomes: list[Outcome] = []
        for target in while_there_is_time(form.targets):
            outcomes += push_everywhere(kind, actor=actor, targets=[target])
        reached = {outcome.target for outcome in outcomes}
        failures = [f"{one.target}: {one.line}" for one in outcomes if one.failure]
        failures += [
            f"{target.name}: there was no time left, push again"
            for target in form.targets
            if target.name not in reached
        ]
        told = [_told(one) for one in outcomes if not one.failure]
        return Done(" ".join(told), failures=tuple(failures))


class PushThis(Push):
    """The same from the page of the version in force: what comes after writing one."""

    slug = "push-this"
    is_for_list = False

    @classmethod
    def obstacle(cls, row: DocumentVersion) -> str:
        """What is in force is what is pushed."""
        version = current(row.kind)
        if version is None or version.pk != row.pk:
            return f"{row} isn't in force: roll back to it first."
        return ""


def _told(outcome: Outcome) -> str:
    return f"{outcome.target}: {'; '.join([outcome.line, *outcome.notes])}."


class Compare(Question):
    """Ask AWS what it holds."""

    slug = "compare"
    label = "Compare with AWS"
    is_for_list = True
    form_class = TargetForm

    def effects(self) -> list[str]:
        """That it asks, and changes nothing."""
        return [
            "AWS is asked what each target holds, and shown is what a push would change there. "
            "Nothing changes."
        ]

    def answer(self, form: forms.BaseForm) -> SafeString:
        """A diff a target, or its failure."""
        assert isinstance(form, TargetForm)  # noqa: S101  # form_class says so
        kind = kind_of(self)
        body_in_force(kind)  # when there is none, that is one refusal, not one a target
        found = {
            target.name: _difference_at(kind, target)
            for target in while_there_is_time(form.targets)
        }
        return format_html_join(
            "",
            "<h2>{}</h2>{}",
            (
                (target.name, found.get(target.name, "there was no time left, ask again"))
                for target in form.targets
            ),
        )


def _difference_at(kind: Kind, target: IoTTarget) -> SafeString:
    try:
        found = diff(kind, target)
    except OperatorError as error:
        return format_html('<p class="errornote">{}</p>', visible(str(error)))
    if not found:
        return format_html("<p>{}</p>", "AWS holds what is in force.")
    return diff_block(found)
