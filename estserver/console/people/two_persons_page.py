"""The pages on which a second person confirms or refuses what another one asked for."""

import uuid
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponseRedirect, QueryDict
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext, gettext_noop

from estserver.console.newest_rows import newest_rows
from estserver.console.registry import Section, console_page
from estserver.console.rendering import render_page
from estserver.models import OfficerRequest
from estserver.people import two_persons
from pki.admin.display import visible
from pki.admin.operations import Operation, admin_actor, text_field
from pki.exceptions import PKIError
from pki.operators.errors import OperatorError
from pki.operators.rights import NotAllowed
from pki.record.audit_trail import Actor

MOST_SHOWN = 100
MOST_OF_A_NAME = 64
"""Characters of the name of what is to be made, which tells one request from another."""
_PERMISSION = "pki.change_certificateauthority"


class DecisionForm(forms.Form):
    """Confirm or refuse. A refusal needs a reason."""

    decision = forms.ChoiceField(choices=[("confirm", "Confirm"), ("refuse", "Refuse")])
    reason = text_field(help_text="A refusal needs a reason, which the audit trail keeps.")


def ask_for(request: HttpRequest, operation: Operation, form: Any) -> str:
    """Put ``operation`` with its valid form to a second person, and return a sentence."""
    subject = operation.subject(form)
    asked = two_persons.ask(
        operation=_name_of(operation.model_admin, type(operation)),
        row=str(operation.row.pk) if operation.row else subject[:MOST_OF_A_NAME],
        subject=subject,
        parameters={name: form.data.getlist(name) for name in form.fields if name in form.data},
        person=request.user,
        actor=admin_actor(request),
    )
    return (
        f"Asked: another person confirms “{operation.label}” of {asked.subject} until "
        f"{asked.ends_at:%Y-%m-%d %H:%M} UTC. Nothing was done yet."
    )


@console_page(
    section=Section.CAS,
    title=gettext_noop("Requests to confirm"),
    name="console_requests",
    route="requests/",
    permission=_PERMISSION,
)
def requests_page(request: HttpRequest) -> HttpResponseBase:
    """List the newest requests."""
    newest, shortened = newest_rows(OfficerRequest.objects.all(), MOST_SHOWN, "requests list --all")
    rows = [(row, _label(row), two_persons.obstacle(row, request.user)) for row in newest]
    context = {"title": gettext("Requests to confirm"), "rows": rows, "shortened": shortened}
    return render_page(request, "admin/console/requests.html", context)


@console_page(
    section=Section.CAS,
    title=gettext_noop("Request"),
    name="console_request",
    route="requests/<uuid:key>/",
    permission=_PERMISSION,
    methods=("GET", "POST"),
    is_in_navigation=False,
    asks_again=True,
)
def request_page(request: HttpRequest, key: uuid.UUID) -> HttpResponseBase:
    """Show a request in full, and take the decision of a person who may do what it asks for."""
    row = OfficerRequest.objects.filter(pk=key).first()
    if row is None:
        raise Http404
    prepared = _Prepared(request, row)
    form = DecisionForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            messages.success(request, visible(_decide(request, row, prepared, said)))
            return HttpResponseRedirect(reverse("admin:console_requests"))
        except OperatorError as error:
            form.add_error(None, visible(str(error)))
        except PKIError as error:
            form.add_error(None, visible(error.message))
    context = {
        "title": gettext("Request"),
        "trail": [(gettext("Requests to confirm"), reverse("admin:console_requests"))],
        "row": row,
        "label": _label(row),
        "fields": [
            (visible(name), visible(", ".join(row.parameters[name]))) for name in row.parameters
        ],
        "effects": [visible(one) for one in prepared.effects()],
        "obstacle": two_persons.obstacle(row, request.user) or prepared.problem(),
        "may_take_back": row.state == row.State.OPEN,
        "form": form,
    }
    return render_page(request, "admin/console/request.html", context)


def _decide(
    request: HttpRequest, row: OfficerRequest, prepared: "_Prepared", said: dict[str, str]
) -> str:
    if said["decision"] == "refuse":
        name, actor = request.user.get_username(), admin_actor(request)
        two_persons.refuse(row, name=name, actor=actor, reason=said["reason"])
        return f"Refused: {_label(row)} of {row.subject}."
    if problem := prepared.problem():
        raise OperatorError(problem)
    return two_persons.confirm(
        row, person=request.user, actor=admin_actor(request), carry_out=prepared.carry_out
    )


class _Prepared:
    """The operation of a request with the form as it was sent, for the person who decides.

    Raises ``NotAllowed`` if that person may not do it themselves.
    """

    def __init__(self, request: HttpRequest, row: OfficerRequest) -> None:
        found = _operations().get(row.operation)
        self.operation: Operation | None = None
        if found is None:  # of a version of this server that had another one
            return
        model_admin, kind = found
        if not kind.is_allowed(request, model_admin.model):
            raise NotAllowed(lambda other: kind.is_allowed(other, model_admin.model))
        subject = None
        if not kind.is_for_list:
            subject = model_admin.model._default_manager.filter(pk=row.row).first()
            if subject is None:
                return
        self.operation = kind(model_admin=model_admin)
        self.operation.setup(request)
        self.operation.row = subject
        data = QueryDict(mutable=True)
        for name, values in row.parameters.items():
            data.setlist(name, values)
        given = {**self.operation.get_form_kwargs(), "data": data, "files": None}
        self.form = self.operation.get_form_class()(**given)

    def problem(self) -> str:
        """Return why it cannot be done now; "" if it can."""
        if self.operation is None:
            return "What the request is about is not there any more. Refuse the request."
        if found := self._obstacle():
            return found
        if not self.form.is_valid():
            return f"The form is not valid any more: {self.form.errors.as_text()}"
        return ""

    def effects(self) -> list[str]:
        """Return what would happen."""
        if self.operation is None or self._obstacle():
            return []
        return self.operation.effects()

    def _obstacle(self) -> str:
        """Return why the row does not allow it. What is to be made has no row yet."""
        operation = self.operation
        return operation.obstacle(operation.row) if operation and operation.row else ""

    def carry_out(self, actor: Actor) -> str:
        """Do it, as the operation's own page would, and return the sentence."""
        assert self.operation is not None  # noqa: S101  # problem() was asked
        done = self.operation.carry_out(self.form, actor)
        return " ".join([done.sentence, *done.failures])


def _operations() -> dict[str, tuple[Any, type[Operation]]]:
    return {
        _name_of(model_admin, one): (model_admin, one)
        for model_admin in admin.site._registry.values()
        for one in getattr(model_admin, "operations", ())
        if one.takes_two_persons
    }


def _name_of(model_admin: Any, operation: type[Operation]) -> str:
    options = model_admin.opts
    return f"{options.app_label}_{options.model_name}_{operation.slug}"


def _label(row: OfficerRequest) -> str:
    found = _operations().get(row.operation)
    return found[1].label if found else row.operation
