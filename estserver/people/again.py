"""Asking a person for their password again, before what an unattended browser must not do.

A page that needs it states ``asks_again``: an `Operation` of a model's pages, or a page of the
console. Who has a second factor gives its code too. What was typed into the form is kept while the
person is asked, and goes on from there.
"""

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.signals import user_logged_in
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext
from django.views.decorators.debug import sensitive_variables

from estserver.people.passwords.check import check_own_password
from estserver.people.sign_in.kept_fields import KeptFields
from pki.exceptions import Busy
from pki.operators.errors import OperatorError
from pki.record.audit_trail import Actor

RECENT: Final = datetime.timedelta(minutes=5)
"""How long a password that was given holds."""

PASSWORD: Final = "again_password"  # noqa: S105  # the name of a field
CODE: Final = "again_token"
IN_PLACE_OF_A_PAGE: Final = "again_page"
"""The field of a form that was shown when a page was opened, and not when a form was sent."""
_FIELDS: Final = (PASSWORD, CODE, IN_PLACE_OF_A_PAGE)
_GIVEN_AT: Final = "password_given_at"
"""In the session: when the person gave their password, in seconds since 1970."""

Show = Callable[[str, dict[str, Any]], HttpResponse]


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """What else a person is asked for."""

    has_one: Callable[[Any], bool]
    """Whether a person has a second factor, so that a code is asked for."""
    check: Callable[..., object]
    """Takes ``person, code, actor=``. Raises ``OperatorError`` for a wrong code."""


@dataclass(slots=True)
class _Asked:
    factor: SecondFactor | None = None


_asked = _Asked()


def use_second_factor(factor: SecondFactor | None) -> None:
    """Ask people who have a second factor for its code too, from now on."""
    _asked.factor = factor


def connect() -> None:
    """Let a sign-in count as a password that was given."""
    user_logged_in.connect(_remember_sign_in, dispatch_uid=f"{__name__}.remember")


def remember(request: HttpRequest) -> None:
    """Note in the session that its person has just proved who they are."""
    request.session[_GIVEN_AT] = int(timezone.now().timestamp())


def forget(request: HttpRequest) -> None:
    """Have the person asked again: they have signed in, and perhaps nobody asked for a password."""
    request.session.pop(_GIVEN_AT, None)


def is_recent(request: HttpRequest) -> bool:
    """Return whether the person has given their password in the last five minutes."""
    age = timezone.now().timestamp() - request.session.get(_GIVEN_AT, 0)
    return bool(age + 1 >= 0 and age < RECENT.total_seconds())


def ask_again(request: HttpRequest, what: str, *, actor: Actor, show: Show) -> HttpResponse | None:
    """Return the answer that asks for the password, or None if the page may go on.

    ``what`` is what the person is about to do, and ``show`` makes a page of a template.
    """
    if request.method == "POST" and PASSWORD in request.POST:
        refusal = _refusal(request, actor)
        if refusal:
            return _page(request, what, show, refusal)
        remember(request)
        if IN_PLACE_OF_A_PAGE in request.POST:
            # The person wanted to open the page, so there is no form that could go on.
            return HttpResponseRedirect(request.get_full_path())
        return None
    return None if is_recent(request) else _page(request, what, show)


@sensitive_variables("password", "code")
def _refusal(request: HttpRequest, actor: Actor) -> str:
    """Return why what was given does not do; "" if it does."""
    password, code = request.POST[PASSWORD], request.POST.get(CODE, "")
    try:
        check_own_password(request.user, password, actor=actor)
        if _asked.factor and _asked.factor.has_one(request.user):
            _asked.factor.check(request.user, code, actor=actor)
    except OperatorError as error:
        return str(error)
    except Busy:
        return "The database cannot be reached now. Try again in a minute."
    return ""


def _page(request: HttpRequest, what: str, show: Show, refusal: str = "") -> HttpResponse:
    user: Any = request.user
    sent = request.POST.copy()
    is_page = request.method != "POST" or IN_PLACE_OF_A_PAGE in sent
    for name in _FIELDS:
        sent.pop(name, None)
    context = {
        "title": gettext("Give your password again"),
        "what": what,
        "refusal": refusal,
        "kept": KeptFields() if is_page else KeptFields.of_form(sent, request.FILES),
        "action": request.get_full_path(),
        "password_field": PASSWORD,
        "code_field": CODE if _asked.factor and _asked.factor.has_one(user) else "",
        "page_field": IN_PLACE_OF_A_PAGE if is_page else "",
        "has_password": user.has_usable_password(),
        "provider_url": _provider_url(request),
        "minutes": int(RECENT.total_seconds() // 60),
    }
    answer = show("admin/console/ask_again.html", context)
    answer.status_code = HTTPStatus.FORBIDDEN
    answer["Cache-Control"] = "no-store"
    return answer


def _provider_url(request: HttpRequest) -> str:
    """Return where the person's provider asks for the password; "" if there is no provider."""
    if settings.EST_OIDC is None:
        return ""
    query = urlencode({"again": "yes", "next": request.get_full_path()})
    return f"{reverse('provider_sign_in')}?{query}"


def _remember_sign_in(sender: Any, request: HttpRequest, user: Any, **kwargs: Any) -> None:
    remember(request)
