"""Operations on template and policy that call AWS: push what is in force, compare with AWS."""

from typing import Any

from django import forms
from django.contrib.admin import widgets
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_noop

from iotprov.admin.based_on import kind_of
from iotprov.admin.document_operations import file_path, text_in_force
from iotprov.admin.targets import TargetForm, while_there_is_time
from iotprov.admin.texts import diff_block, problem_table
from iotprov.conf import IoTTarget
from iotprov.documents.aws_documents import MAX_VERSIONS
from iotprov.documents.before_push import look, name_to_type, refuse_unseen
from iotprov.documents.kept import is_kept
from iotprov.documents.push import Outcome, push_everywhere
from iotprov.documents.state import Agreement, target_states
from iotprov.documents.usage import users_in_words
from iotprov.documents.validation import problems_of
from iotprov.documents.versions import Kind, body_in_force, current, number_in_force
from iotprov.exceptions import DocumentError
from iotprov.models import DocumentVersion
from pki.admin import Done, Operation, Question
from pki.admin.display import visible
from pki.admin.operations import translated_form
from pki.operators.errors import OperatorError
from pki.record.audit_trail import Actor

LOOK = "look"
"""The name of the button that asks AWS what a push would change, and pushes nothing."""


class PushForm(TargetForm):
    """The targets, and the name of a policy that allows everything, typed as a confirmation."""

    name = forms.CharField(
        label=gettext_noop("Name of the policy"),
        widget=widgets.AdminTextInputWidget,
        help_text=gettext_noop(
            "The policy allows every action of AWS IoT. Type its name, as a confirmation."
        ),
    )
    version = forms.IntegerField(widget=forms.HiddenInput, min_value=0, required=False)

    def __init__(self, *args: Any, expected: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.expected = expected
        if not expected:
            del self.fields["name"]

    def clean_name(self) -> str:
        """Refuse any name but the policy's."""
        name: str = self.cleaned_data["name"]
        if name != self.expected:
            sentence = gettext("This is not the name of the policy, which is {name}.")
            raise forms.ValidationError(sentence.format(name=self.expected))
        return name


class Push(Operation):
    """Push the version in force to AWS."""

    slug = "push"
    label = gettext_noop("Push to AWS")
    is_for_list = True
    asks_again = True
    form_class = PushForm
    template_name = "admin/iotprov/push.html"

    def get_initial(self) -> dict[str, Any]:
        """Add the version that the page is about."""
        return {**super().get_initial(), "version": number_in_force(kind_of(self))}

    def get_form_kwargs(self) -> dict[str, Any]:
        """Add the name that must be typed. It is asked for anew when the form comes back."""
        kind = kind_of(self)
        expected = "" if LOOK in self.request.POST else name_to_type(kind, text_in_force(kind))
        return {**super().get_form_kwargs(), "expected": expected}

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Push, or ask AWS first what a push would change."""
        if LOOK not in request.POST:
            return super().post(request, *args, **kwargs)
        asked = self.get_form()
        if asked.is_valid():
            self.result = _looks(kind_of(self), asked)
        initial = {**self.get_initial(), "target": request.POST.get("target", "")}
        expected = name_to_type(kind_of(self), text_in_force(kind_of(self)))
        shown = translated_form(PushForm(initial=initial, expected=expected))
        return self.render_to_response(self.get_context_data(form=shown))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add today's problems of the text in force, since profiles may have changed."""
        kind = kind_of(self)
        body = text_in_force(kind)
        problems = problems_of(kind, body, is_kept=is_kept(kind, body)) if body else []
        self.result = format_html("{}{}", problem_table(problems, body), self.result)
        return {**super().get_context_data(**kwargs), "look": LOOK}

    def effects(self) -> list[str]:
        """Say what each target has, what it gets, and for how many certificates it holds."""
        kind = kind_of(self)
        try:
            body = body_in_force(kind)
        except DocumentError as error:
            return [gettext("This cannot be done now. {why}").format(why=error)]
        version = current(kind) or gettext("The configured file ({path})").format(
            path=file_path(kind)
        )
        goes = gettext(
            "{version} goes to the targets. AWS is asked first, and a target that has it already "
            "stays as it is. AWS keeps {most} versions. A sixth replaces the oldest that is not in "
            "force. “Look at AWS first” says which that is."
        )
        return [
            goes.format(version=version, most=MAX_VERSIONS),
            *_for_devices(kind),
            *_at_targets(kind, body),
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Do what ``manage.py sync_template`` and ``sync_policy`` do."""
        assert isinstance(form, PushForm)  # noqa: S101  # form_class says so
        kind = kind_of(self)
        # Step 1: what is pushed is what the page showed.
        if form.cleaned_data["version"] is not None:
            self._refuse_unseen(kind, form)
        # Step 2: each target. A failure stops no other.
        outcomes: list[Outcome] = []
        for target in while_there_is_time(form.targets):
            outcomes += push_everywhere(kind, actor=actor, targets=[target])
        # Step 3: what to say of each.
        reached = {outcome.target for outcome in outcomes}
        failures = [f"{one.target}: {one.line}" for one in outcomes if one.failure]
        no_time = gettext("{target}: There was no time left. Push again.")
        failures += [
            no_time.format(target=target.name)
            for target in form.targets
            if target.name not in reached
        ]
        pushed = [_in_words(one) for one in outcomes if not one.failure]
        return Done(" ".join(pushed), failures=tuple(failures))

    def _refuse_unseen(self, kind: Kind, form: PushForm) -> None:
        try:
            refuse_unseen(kind, form.cleaned_data["version"])
        except OperatorError:
            # The page shows what is in force now. The same form sent again is meant for that.
            sent = {name: form.data[name] for name in form.data}
            form.data = {**sent, "version": str(number_in_force(kind))}
            raise


def _for_devices(kind: Kind) -> list[str]:
    """Return what a push means for devices, in sentences."""
    count = users_in_words()
    if kind is Kind.POLICY:
        sentence = gettext(
            "The policy holds at once for every device that has it. Live certificates that use "
            "it: {count}."
        )
        return [sentence.format(count=count)]
    sentence = gettext(
        "Its role is made or narrowed as needed. The policy has to be there, so push the policy "
        "first. The template holds for devices that connect for the first time from then on. Live "
        "certificates that use it: {count}."
    )
    return [sentence.format(count=count)]


def _at_targets(kind: Kind, body: str) -> list[str]:
    """Return a sentence about each configured target, by the record."""
    sentence = gettext("{target}: {state}, has {version}.")
    return [
        sentence.format(
            target=state.target,
            state=gettext(state.agreement.value).lower(),
            version=gettext(state.holds),
        )
        for state in target_states(kind, body)
        if state.agreement is not Agreement.UNKNOWN_TARGET
    ]


class PushThis(Push):
    """Push from the page of the version in force, which follows after writing one."""

    slug = "push-this"
    is_for_list = False

    @classmethod
    def obstacle(cls, row: DocumentVersion) -> str:
        """Only the version in force can be pushed."""
        version = current(row.kind)
        if version is None or version.pk != row.pk:
            return gettext("{row} is not in force. Roll back to it first.").format(row=row)
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
            gettext(
                "AWS is asked what each target has. The answer shows what a push would change "
                "there. Nothing changes."
            )
        ]

    def answer(self, form: forms.BaseForm) -> SafeString:
        """Return a diff for each target, or its failure."""
        kind = kind_of(self)
        body_in_force(kind)  # one refusal if there is none, instead of one for each target
        return _looks(kind, form)


def _looks(kind: Kind, form: forms.BaseForm) -> SafeString:
    """Return in HTML what a push would change at each chosen target."""
    assert isinstance(form, TargetForm)  # noqa: S101  # form_class says so
    found = {target.name: _look_at(kind, target) for target in while_there_is_time(form.targets)}
    no_time = gettext("There was no time left. Ask again.")
    return format_html_join(
        "",
        "<h2>{}</h2>{}",
        ((target.name, found.get(target.name, no_time)) for target in form.targets),
    )


def _look_at(kind: Kind, target: IoTTarget) -> SafeString:
    try:
        found = look(kind, target)
    except OperatorError as error:
        return format_html('<p class="errornote">{}</p>', visible(str(error)))
    sentences = [*found.warnings, found.falls_out_in_words]
    if not found.diff:
        sentences.append(gettext("AWS has what is in force."))
    shown = format_html_join("", "<p>{}</p>", ((visible(one),) for one in sentences if one))
    return shown + diff_block(found.diff) if found.diff else shown
