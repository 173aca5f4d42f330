"""Operations on template and policy that call AWS: push what is in force, compare with AWS."""

from typing import Any

from django import forms
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_noop

from iotprov.admin.document_operations import file_path, kind_of, text_in_force
from iotprov.admin.targets import TargetForm, while_there_is_time
from iotprov.admin.texts import diff_block, problem_table
from iotprov.conf import IoTTarget
from iotprov.documents.aws_documents import MAX_VERSIONS
from iotprov.documents.kept import is_kept
from iotprov.documents.place_warnings import place_warnings
from iotprov.documents.push import Outcome, diff, push_everywhere
from iotprov.documents.state import Agreement, target_states
from iotprov.documents.validation import problems_of
from iotprov.documents.versions import Kind, body_in_force, current
from iotprov.exceptions import DocumentError
from iotprov.models import DocumentVersion
from pki.admin import Done, Operation, Question
from pki.admin.display import visible
from pki.operators.errors import OperatorError
from pki.record.audit_trail import Actor


class Push(Operation):
    """Push the version in force to AWS."""

    slug = "push"
    label = gettext_noop("Push to AWS")
    is_for_list = True
    asks_again = True
    form_class = TargetForm

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add today's problems of the text in force, since profiles may have changed."""
        kind = kind_of(self)
        body = text_in_force(kind)
        problems = problems_of(kind, body, is_kept=is_kept(kind, body)) if body else []
        self.result = problem_table(problems, body)
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
    return f"{outcome.target}: {' '.join([outcome.line, *outcome.notes])}"


class Compare(Question):
    """Compare what AWS has with what is in force."""

    slug = "compare"
    label = gettext_noop("Compare with AWS")
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
        warnings = place_warnings(kind, target, body_in_force(kind))
    except OperatorError as error:
        return format_html('<p class="errornote">{}</p>', visible(str(error)))
    shown = format_html_join("", "<p>{}</p>", ((visible(warning),) for warning in warnings))
    if not found:
        return shown + format_html("<p>{}</p>", "AWS has what is in force.")
    return shown + diff_block(found)
