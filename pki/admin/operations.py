"""The base of every operation: a page that says what would happen, asks for a reason, and acts.

Django's own ``ModelAdmin`` views run inside a transaction. Services open transactions of their own,
which must be the outermost (``durable``). Otherwise a caller's rollback could undo what a service
has reported as done. Operations are therefore plain views beside Django's.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import helpers, widgets
from django.contrib.admin.helpers import AdminForm
from django.contrib.auth import get_permission_codename
from django.db.models import Model, QuerySet
from django.forms.utils import pretty_name
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_noop
from django.views.generic import FormView

from pki.admin.display import list_of, page_of, visible
from pki.encoding.pem import has_private_key
from pki.exceptions import PKIError
from pki.operators.errors import OperatorError
from pki.operators.rights import NotAllowed
from pki.record.audit_trail import Actor
from pki.record.setting_problems import SettingsRefused

if TYPE_CHECKING:
    _FormView = FormView[forms.BaseForm]
    ModelAdmin = admin.ModelAdmin[Any]
else:
    _FormView = FormView
    ModelAdmin = admin.ModelAdmin

MAX_SELECTED = 500
"""Rows that an action of a list takes at once."""

_MAX_REASON = 400  # characters

SECOND_PERSON = gettext_noop(
    "It waits for another person who may do it, and who has a day to confirm or refuse it "
    "under “Requests to confirm”. Nothing happens before."
)

BACK = "back"
"""In an operation's address: the page of this site that it returns to, such as a filtered list."""


def translated_form(form: forms.BaseForm) -> forms.BaseForm:
    """Return ``form`` with its labels and help texts in the person's language.

    A form states them in English, marked by ``gettext_noop``, like the words of an operation. What
    comes of a model is looked up by itself.
    """
    for name, field in form.fields.items():
        label = pretty_name(name) if field.label is None else field.label
        if label and not isinstance(label, Promise):
            field.label = gettext(label)
        if field.help_text and not isinstance(field.help_text, Promise):
            field.help_text = gettext(field.help_text)
    return form


def admin_actor(request: HttpRequest) -> Actor:
    """Return the signed-in person, for the audit trail, with the request's id in the log.

    The address is what the server says (``REMOTE_ADDR``), never ``X-Forwarded-For``, which a client
    can write.
    """
    return Actor(
        f"admin:{request.user.get_username()}",
        request_id=getattr(request, "request_id", ""),
        source_ip=request.META.get("REMOTE_ADDR") or None,
    )


def text_field(*, help_text: str, required: bool = False) -> forms.CharField:
    """Return a field for one line of an operator's words, such as a reason."""
    return forms.CharField(
        max_length=_MAX_REASON,
        required=required,
        widget=widgets.AdminTextInputWidget(attrs={"class": "vLargeTextField"}),
        help_text=help_text,
    )


class PastedText(forms.Textarea):
    """A field into which people paste PEM. A page never shows a private key again (threat T64)."""

    def format_value(self, value: Any) -> str | None:
        """Return what the page shows in the field after a refusal."""
        text = super().format_value(value)
        return "" if text and has_private_key(text.encode()) else text


def reason_field() -> forms.CharField:
    """Return the field for the reason that most operations need."""
    return text_field(
        required=True, help_text=gettext_noop("The reason is kept on the audit trail.")
    )


class ReasonForm(forms.Form):
    """A form that asks for a reason only."""

    reason = reason_field()


class EmptyForm(forms.Form):
    """A form without fields, for an operation that only has to be confirmed."""


@dataclass(frozen=True, slots=True)
class Done:
    """The result of an operation."""

    sentence: str
    row: Model | None = None
    """The row whose page comes next; ``None`` for the list."""
    failures: tuple[str, ...] = ()
    """A sentence for each part that failed; ``sentence`` may be empty then."""


class Operation(_FormView):
    """One change to a row, or (``is_for_list``) one that needs no row.

    A GET never changes anything. A POST goes through CSRF protection like every admin view.
    """

    slug: ClassVar[str]
    label: ClassVar[str]
    """The words on the link to the page, and on its button."""
    permission: ClassVar[str] = "change"
    """Django's permission on the model: add, change, delete or view."""
    is_for_list: ClassVar[bool] = False
    keeps_filter: ClassVar[bool] = False
    """Whether the link to it has the list's filters, because it acts on what they leave."""
    is_dangerous: ClassVar[bool] = False
    asks_again: ClassVar[bool] = False
    """Whether the person has to give their password again for it (threat T65)."""
    takes_two_persons: ClassVar[bool] = False
    """Whether a second person confirms it, where the configuration wants that (threat T80)."""
    keeps_what_was_typed: ClassVar[bool] = False
    """Whether a form that is sent after an obstacle came up is shown again, with the service's
    refusal. Others lead back to the row."""
    form_class: type[forms.BaseForm] | None = ReasonForm
    fieldsets: ClassVar[tuple[tuple[str | None, tuple[str, ...]], ...]] = ()
    """Groups of fields with their titles; empty for all fields in one group."""
    template_name = "admin/pki/operation.html"
    model_admin: ModelAdmin = None  # type: ignore[assignment]  # as_view() sets it

    row: Any = None
    result: SafeString | str = ""
    """What the page shows beside the form."""

    # A subclass overrides these.

    @classmethod
    def obstacle(cls, row: Any) -> str:
        """Return why ``row`` does not allow the operation; "" if it does."""
        return ""

    def list_obstacle(self) -> str:
        """Return why it cannot be done from the list as the request has it; "" if it can."""
        return ""

    @classmethod
    def is_offered(cls) -> bool:
        """Return whether pages of this installation lead to it."""
        return True

    def effects(self) -> list[str]:
        """Return sentences that say what would happen, with names and numbers."""
        return []

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Call the service. Raises ``OperatorError`` or ``PKIError`` if the service refuses."""
        raise NotImplementedError

    def subject(self, form: forms.BaseForm) -> str:
        """Return what the operation is about, for a second person."""
        return str(self.row)

    # All operations share these.

    @classmethod
    def is_allowed(cls, request: HttpRequest, model: type[Model]) -> bool:
        """Return whether the signed-in person has the permission."""
        codename = get_permission_codename(cls.permission, model._meta)
        return request.user.has_perm(f"{model._meta.app_label}.{codename}")

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Check the permission before the row, so that no answer reveals which rows exist."""
        model = self.model_admin.model
        if not self.is_allowed(request, model):
            raise NotAllowed(lambda other: self.is_allowed(other, model))
        if self.is_for_list:
            obstacle, back = self.list_obstacle(), self._list_url
        else:
            self.row = self.model_admin.get_object(request, str(kwargs["object_id"]))
            if self.row is None:
                raise Http404
            obstacle, back = self.obstacle(self.row), page_of(self.row)
        if obstacle and not (request.method == "POST" and self.keeps_what_was_typed):
            messages.error(request, obstacle)
            return HttpResponseRedirect(back)
        if self.asks_again:
            # Pages of a site that cannot ask are not opened.
            site: Any = self.model_admin.admin_site
            asked: HttpResponse | None = site.ask_again(request, self.label)
            if asked is not None:
                return asked
        return super().dispatch(request, *args, **kwargs)

    def get_form(self, form_class: type[forms.BaseForm] | None = None) -> forms.BaseForm:
        """Return the form, with labels and help texts in the person's language."""
        return translated_form(super().get_form(form_class))

    def form_valid(self, form: forms.BaseForm) -> HttpResponse:
        """Carry it out and report the result, or show on the page why the service refuses."""
        try:
            done = self._asked(form) or self.carry_out(form, admin_actor(self.request))
        except (OperatorError, PKIError) as error:
            return self.form_invalid(with_refusal(form, error))
        if done.sentence:
            messages.success(self.request, visible(done.sentence))
        for failure in done.failures:
            messages.error(self.request, visible(failure))
        return HttpResponseRedirect(self._back or self._page_after(done))

    @property
    def _waits_for_another(self) -> bool:
        site: Any = self.model_admin.admin_site
        return self.takes_two_persons and bool(site.wants_two_persons())

    def _asked(self, form: forms.BaseForm) -> Done | None:
        """Put it to a second person in place of doing it, where the configuration wants that."""
        if not self._waits_for_another:
            return None
        site: Any = self.model_admin.admin_site
        return Done(site.ask_second_person(self.request, self, form), self.row)

    def _page_after(self, done: Done) -> str:
        return page_of(done.row) if done.row else self._list_url

    @property
    def _back(self) -> str:
        """The page that led here and is returned to; "" for none, and for one of another site."""
        back = self.request.GET.get(BACK, "")
        own = self.model_admin.admin_site.name
        is_ours = back.startswith(reverse(f"{own}:index")) and url_has_allowed_host_and_scheme(
            back, allowed_hosts=None
        )
        return back if is_ours else ""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Return what the admin's own pages have, and the operation."""
        context = super().get_context_data(**kwargs)
        model_admin, form = self.model_admin, context["form"]
        fieldsets = self.fieldsets or ((None, tuple(form.fields)),)
        return {
            **model_admin.admin_site.each_context(self.request),
            **context,
            "opts": model_admin.opts,
            "title": gettext(self.label),
            "subtitle": visible(str(self.row)) if self.row else None,
            "operation": self,
            "effects": [visible(effect) for effect in [*self._first, *self.effects()]],
            "result": self.result,
            "back_url": self._back or (page_of(self.row) if self.row else self._list_url),
            "list_url": self._list_url,
            "adminform": AdminForm(
                form,
                [(title and gettext(title), {"fields": [*names]}) for title, names in fieldsets],
                {},
            ),
        }

    @property
    def _first(self) -> list[str]:
        return [gettext(SECOND_PERSON)] if self._waits_for_another else []

    @property
    def _list_url(self) -> str:
        return list_of(self.model_admin.model)


def with_refusal(form: forms.BaseForm, error: OperatorError | PKIError) -> forms.BaseForm:
    """Return ``form`` with the service's refusal, at the fields that it names or above them."""
    if isinstance(error, SettingsRefused) and any(
        one.setting in form.fields for one in error.problems
    ):
        for one in error.problems:
            is_here = one.setting in form.fields
            sentence = one.sentence if is_here else str(one)
            form.add_error(one.setting if is_here else None, visible(sentence))
        return form
    form.add_error(None, visible(error.message if isinstance(error, PKIError) else str(error)))
    return form


class Question(Operation, ABC):
    """An operation that changes nothing; its page shows the answer above the question."""

    permission = "view"

    @abstractmethod
    def answer(self, form: forms.BaseForm) -> SafeString:
        """Return the answer. Raises ``OperatorError`` or ``PKIError`` if there is none."""

    def form_valid(self, form: forms.BaseForm) -> HttpResponse:
        """Show the answer, and the question again as it was asked."""
        try:
            self.result = self.answer(form)
        except (OperatorError, PKIError) as error:
            with_refusal(form, error)
        return self.render_to_response(self.get_context_data(form=form))


class SelectedOperation(Operation):
    """An action on the rows that were selected in a list.

    A POST from the list shows the page, a POST from the page carries the operation out.
    """

    action: ClassVar[str]
    """The name of the list's action."""
    nothing_selected: ClassVar[str]
    """The sentence for a selection of which no row allows the operation."""
    is_for_list = True
    rows: tuple[Any, ...] = ()

    @classmethod
    def on_rows(
        cls, model_admin: ModelAdmin, request: HttpRequest, queryset: QuerySet[Any]
    ) -> HttpResponseBase:
        """Answer the list's POST for at most ``MAX_SELECTED`` rows, as an admin action does."""
        rows = tuple(queryset[: MAX_SELECTED + 1])
        if not rows or len(rows) > MAX_SELECTED:
            too_many = gettext("Select at most {most} rows.").format(most=MAX_SELECTED)
            messages.error(request, too_many if rows else gettext(cls.nothing_selected))
            return HttpResponseRedirect(request.get_full_path())
        return cls.as_view(model_admin=model_admin, rows=rows)(request)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Carry it out if the form has ``confirmed``, which the list's own form has not."""
        if "confirmed" in request.POST:
            return super().post(request, *args, **kwargs)
        form = translated_form(
            self.get_form_class()(**{**self.get_form_kwargs(), "data": None, "files": None})
        )
        return self.render_to_response(self.get_context_data(form=form))

    @property
    def _list_url(self) -> str:
        """The list with its filters, which is where the selection was made."""
        return self.request.get_full_path()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the selection as hidden fields, as Django's own actions do."""
        context = super().get_context_data(**kwargs)
        selected = [(helpers.ACTION_CHECKBOX_NAME, row.pk) for row in self.rows]
        action = [("action", self.action), ("confirmed", "yes")]
        return {**context, "hidden_fields": [*action, *selected]}
