"""The page of API tokens: a person's own, and those of others for who manages people."""

import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_noop
from django.views.decorators.cache import never_cache

from estserver.console.newest_rows import newest_rows
from estserver.console.registry import Section, console_page
from estserver.console.rendering import render_page
from estserver.models import ApiToken
from estserver.people.accounts.rules import may_change_account
from estserver.people.api_tokens import (
    DEFAULT_DAYS,
    MOST_DAYS,
    end_token,
    make_token,
    roles_of,
)
from pki.admin.display import EMPTY, chip, utc, visible
from pki.admin.operations import admin_actor, with_refusal
from pki.operators.errors import OperatorError

MANAGES = "auth.change_user"
MOST_SHOWN = 200


class TokenForm(forms.Form):
    """A token that is to be made."""

    name = forms.CharField(max_length=60, help_text="What uses it, such as a pipeline's name.")
    roles = forms.MultipleChoiceField(
        widget=forms.CheckboxSelectMultiple,
        help_text="What the token may do. A role that you lose, it loses too.",
    )
    days = forms.IntegerField(
        min_value=1, max_value=MOST_DAYS, initial=DEFAULT_DAYS, help_text="How long it is good."
    )

    def __init__(self, *args: Any, person: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["roles"]
        assert isinstance(field, forms.MultipleChoiceField)  # noqa: S101  # declared above
        names = roles_of(person).values_list("name", flat=True)
        field.choices = [(name, name) for name in names]
        if not names:
            field.help_text = "You have no role, so no token could do anything."


@console_page(
    section=Section.PEOPLE,
    title=gettext_noop("API tokens"),
    name="console_api_tokens",
    route="api-tokens/",
    methods=("GET", "POST"),
    asks_again_to_send=True,  # a token may do what other pages ask the password for
)
@never_cache
def api_tokens_page(request: HttpRequest) -> HttpResponseBase:
    """List tokens, and make one, which is shown in the answer and never again."""
    form = TokenForm(request.POST or None, person=request.user)
    made: SafeString | str = ""
    if request.method == "POST" and form.is_valid():
        asked = form.cleaned_data
        try:
            row, token = make_token(
                request.user,
                asked["name"],
                roles=asked["roles"],
                days=asked["days"],
                actor=admin_actor(request),
            )
        except OperatorError as error:
            with_refusal(form, error)
        else:
            made = _made(row, token)
            form = TokenForm(person=request.user)
    tokens, shortened = _list(request)
    context = {
        "title": gettext("API tokens"),
        "form": form,
        "answer": made,
        "tokens": tokens,
        "shortened": shortened,
        "button": gettext("Make a token"),
        "introduction": gettext(
            "A token lets a program of yours call the management API at /api/v1/ in your name, "
            "with some of your roles."
        ),
        "command": "manage.py api_tokens add NAME --person YOU --role ROLE",
    }
    return render_page(request, "admin/console/api_tokens.html", context)


@console_page(
    section=Section.PEOPLE,
    title=gettext_noop("End an API token"),
    name="console_api_token_end",
    route="api-tokens/<uuid:token>/end/",
    methods=("POST",),
    is_in_navigation=False,
)
def end_token_page(request: HttpRequest, token: uuid.UUID) -> HttpResponseBase:
    """End a token at once: one's own, or another person's for who may change that account."""
    row = ApiToken.objects.filter(pk=token).first()
    if row is None:
        raise Http404
    if row.account_id != request.user.pk:
        account = get_user_model()._default_manager.filter(pk=row.account_id).first()
        if not (request.user.has_perm(MANAGES) and may_change_account(request.user, account)):
            raise PermissionDenied
    ended = end_token(row, actor=admin_actor(request))
    said = "is ended" if ended else "had ended before"
    messages.success(request, f"The token {visible(row.name)} {said}.")
    return HttpResponseRedirect(reverse("admin:console_api_tokens"))


def _made(row: ApiToken, token: str) -> SafeString:
    return format_html(
        '<h2>The token {}</h2><p>Copy it now. It is not shown again.</p><p><code id="token">{}'
        "</code></p><p>It is good until {}.</p>",
        row.name,
        token,
        utc(row.expires_at),
    )


def _list(request: HttpRequest) -> tuple[list[dict[str, Any]], str]:
    """Return the tokens that the person may end, newest first, and whether there are more."""
    rows = ApiToken.objects.order_by("-pk")
    if not request.user.has_perm(MANAGES):
        rows = rows.filter(account_id=int(request.user.pk or 0))
    shown, shortened = newest_rows(rows, MOST_SHOWN, "api_tokens list")
    people = get_user_model()._default_manager.in_bulk({row.account_id for row in shown})
    now = timezone.now()
    found = []
    for row in shown:
        person = people.get(row.account_id)
        is_good = row.ended_at is None and row.expires_at > now
        may_end = row.account_id == request.user.pk or may_change_account(request.user, person)
        found.append(
            {
                "row": row,
                "person": visible(str(person)) if person else "an account that is deleted",
                "state": _state(row, is_good),
                "roles": ", ".join(map(visible, row.roles)),
                "expires": utc(row.expires_at, "%Y-%m-%d"),
                "used": _last_use(row),
                "end_url": reverse("admin:console_api_token_end", args=[row.pk])
                if is_good and may_end
                else "",
            }
        )
    return found, shortened


def _state(row: ApiToken, is_good: bool) -> SafeString:
    if is_good:
        return chip("Good", "good")
    return chip("Ended", "past") if row.ended_at else chip("Expired", "over")


def _last_use(row: ApiToken) -> str:
    if row.last_used_at is None:
        return EMPTY
    address = f" from {row.last_used_from}" if row.last_used_from else ""
    return f"{row.last_used_at:%Y-%m-%d %H:%M} UTC{address}"
