"""What an operator may do, one page each: say what would happen, ask for a reason, then do it.

Django's own ``ModelAdmin`` views run inside a transaction. The services open transactions of their
own, which must be the outermost (``durable``), or a caller's rollback could undo what they had
already said was done. So operations are plain views beside Django's.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import messages
from django.contrib.admin import helpers, widgets
from django.contrib.admin.helpers import AdminForm
from django.contrib.auth import get_permission_codename
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.utils.safestring import SafeString
from django.views.generic import FormView

from pki.admin.display import list_of, page_of, visible
from pki.exceptions import PKIError
from pki.operators.errors import OperatorError
from pki.record.audit_trail import Actor

if TYPE_CHECKING:
    from pki.admin.facts import FactAdmin

    _FormView = FormView[forms.BaseForm]
else:
    _FormView = FormView


def admin_actor(request: HttpRequest) -> Actor:
    """The signed-in person, for the audit trail.

    The address is the server's own word for it (``REMOTE_ADDR``), never ``X-Forwarded-For``.
    """
    return Actor(
        f"admin:{request.user.get_username()}", source_ip=request.META.get("REMOTE_ADDR") or None
    )


class ReasonForm(forms.Form):
    """The least that every operation asks for."""

    reason = forms.CharField(
        max_length=400,
        widget=widgets.AdminTextInputWidget(attrs={"class": "vLargeTextField"}),
        help_text="For the audit trail: whoever reads it later will ask.",
    )


@dataclass(frozen=True, slots=True)
class Done:
    """What came of an operation."""

    sentence: str
    row: Model | None = None
    """Where to go on; ``None`` for the list."""
    failures: tuple[str, ...] = ()
    """What didn't work of several things, a sentence each; ``sentence`` may be empty then."""


class Operation(_FormView):
    """One thing that may be done to a row, or (``is_for_list``) without one.

    GET never changes anything; POST goes through CSRF protection like every admin view.
    """

    slug: ClassVar[str]
    label: ClassVar[str]
    """On the button that leads here, and on the one that carries it out."""
    permission: ClassVar[str] = "change"
    """Django's permission on the model: add, change, delete or view."""
    is_for_list: ClassVar[bool] = False
    is_dangerous: ClassVar[bool] = False
    form_class: type[forms.BaseForm] | None = ReasonForm
    fieldsets: ClassVar[tuple[tuple[str | None, tuple[str, ...]], ...]] = ()
    """Groups of fields with their titles; empty for all fields in one group."""
    template_name = "admin/pki/operation.html"
    model_admin: "FactAdmin" = None  # type: ignore[assignment]  # as_view() sets it

    row: Any = None
    result: SafeString | str = ""
    """What is to be read on the page beside the form."""

    # What a subclass says

    @classmethod
    def obstacle(cls, row: Any) -> str:
        """Why it can't be done to ``row``; empty when it can."""
        return ""

    def effects(self) -> list[str]:
        """What would happen, in sentences, with names and numbers."""
        return []

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Call the service. Raises ``OperatorError`` or ``PKIError`` when that refuses."""
        raise NotImplementedError

    # What all of them share

    @classmethod
    def is_allowed(cls, request: HttpRequest, model: type[Model]) -> bool:
        """Whether the signed-in person has the permission."""
        codename = get_permission_codename(cls.permission, model._meta)
        return request.user.has_perm(f"{model._meta.app_label}.{codename}")

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Permission and row first: nobody learns of a row they may not see."""
        if not self.is_allowed(request, self.model_admin.model):
            raise PermissionDenied
        if not self.is_for_list:
            self.row = self.model_admin.get_object(request, str(kwargs["object_id"]))
            if self.row is None:
                raise Http404
            obstacle = self.obstacle(self.row)
            if obstacle:
                messages.error(request, obstacle)
                return HttpResponseRedirect(page_of(self.row))
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: forms.BaseForm) -> HttpResponse:
        """Do it, and say what was done; what the service refuses goes back onto the page."""
        try:
            done = self.carry_out(form, admin_actor(self.request))
        except OperatorError as error:
            form.add_error(None, visible(str(error)))
            return self.form_invalid(form)
        except PKIError as error:
            form.add_error(None, visible(error.message))
            return self.form_invalid(form)
        if done.sentence:
            messages.success(self.request, visible(done.sentence))
        for failure in done.failures:
            messages.error(self.request, visible(failure))
        return HttpResponseRedirect(page_of(done.row) if done.row else self._list_url)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """What the admin's own pages have, and the operation."""
        context = super().get_context_data(**kwargs)
        model_admin, form = self.model_admin, context["form"]
        fieldsets = self.fieldsets or ((None, tuple(form.fields)),)
        return {
            **model_admin.admin_site.each_context(self.request),
            **context,
            "opts": model_admin.opts,
            "title": self.label,
            "subtitle": visible(str(self.row)) if self.row else None,
            "operation": self,
            "effects": [visible(effect) for effect in self.effects()],
            "result": self.result,
            "back_url": page_of(self.row) if self.row else self._list_url,
            "list_url": self._list_url,
            "adminform": AdminForm(
                form, [(title, {"fields": list(fields)}) for title, fields in fieldsets], {}
            ),
        }

    @property
    def _list_url(self) -> str:
        return list_of(self.model_admin.model)


class Question(Operation):
    """An operation that changes nothing: its page shows the answer above what was asked."""

    permission = "view"

    def answer(self, form: forms.BaseForm) -> SafeString:
        """Find it out. Raises ``OperatorError`` or ``PKIError`` when that can't be done."""
        raise NotImplementedError

    def form_valid(self, form: forms.BaseForm) -> HttpResponse:
        """Show the answer; what was asked stays, to be asked again."""
        try:
            self.result = self.answer(form)
        except OperatorError as error:
            form.add_error(None, visible(str(error)))
        except PKIError as error:
            form.add_error(None, visible(error.message))
        return self.render_to_response(self.get_context_data(form=form))


class SelectedOperation(Operation):
    """One of a list's actions: POST from the list shows the page, POST from the page does it."""

    action: ClassVar[str]
    """The name of the list's action."""
    is_for_list = True
    rows: tuple[Any, ...] = ()

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The list's own form has no ``confirmed`` in it."""
        if "confirmed" in request.POST:
            return super().post(request, *args, **kwargs)
        form = self.get_form_class()(**{**self.get_form_kwargs(), "data": None, "files": None})
        return self.render_to_response(self.get_context_data(form=form))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The selection goes along, as Django's own actions do it."""
        context = super().get_context_data(**kwargs)
        selected = [(helpers.ACTION_CHECKBOX_NAME, row.pk) for row in self.rows]
        action = [("action", self.action), ("confirmed", "yes")]
        return {**context, "hidden_fields": [*action, *selected]}
