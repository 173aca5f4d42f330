"""What stands before every page: a password to be changed, a second factor to be set up or given.

This is the one place that decides it. It sees every view that needs a sign-in, and none that is
exempt from it, such as the health pages and what takes tokens.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth import BACKEND_SESSION_KEY, logout
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.module_loading import import_string

from estserver.people.second_factor import factors, policy
from estserver.people.sessions.marks import FACTOR, PASSWORD


@dataclass(frozen=True, slots=True)
class Step:
    """A page that comes first."""

    url_name: str
    needs: frozenset[str] = frozenset()
    """Other pages that belong to it."""

    def is_part(self, request: HttpRequest) -> bool:
        """Return whether the page that is asked for is this one, belongs to it, or signs out."""
        match = request.resolver_match
        return match is not None and match.view_name in {self.url_name, *self.needs, _SIGN_OUT}


_SIGN_OUT: Final = "admin:logout"
CHANGE_PASSWORD: Final = Step("admin:password_change")
SET_UP: Final = Step(
    "admin:console_second_factor_set_up", frozenset({"admin:console_second_factor_codes_file"})
)
GIVE_CODE: Final = Step("admin:console_second_factor_code")
SIGN_IN_AGAIN: Final = Step("admin:login")
"""The second factor of which the session has given a code was reset or replaced."""


def step_before(request: HttpRequest) -> Step | None:
    """Return what the signed-in person has to do before any other page, or None."""
    person: Any = request.user
    if not person.is_authenticated:
        return None
    if PASSWORD in request.session:
        return CHANGE_PASSWORD
    if not policy.is_used() or _was_given_elsewhere(request):
        return None
    factor, given = factors.factor_of(person), request.session.get(FACTOR)
    if given is not None:
        return None if given == str(factor) else SIGN_IN_AGAIN
    if factor is not None:
        return GIVE_CODE
    return SET_UP if policy.is_required_of(person) else None


def _was_given_elsewhere(request: HttpRequest) -> bool:
    """Return whether the session began where another party asks for a second factor.

    A backend of Django that signs people in by such a party says ``gives_second_factor = True``.
    """
    backend: Any = import_string(request.session[BACKEND_SESSION_KEY])
    return bool(getattr(backend, "gives_second_factor", False))


def page_after(request: HttpRequest) -> str:
    """Return the page of this site that the address asks to go on to, or the overview."""
    wanted = request.GET.get("next", "")
    overview = reverse("admin:index")
    is_ours = wanted.startswith(overview) and url_has_allowed_host_and_scheme(
        wanted, allowed_hosts=None
    )
    return wanted if is_ours else overview


class FirstStepsMiddleware:
    """Middleware that leads to the step that comes first, in place of any other page."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Leave the request to what follows."""
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, args: Any, kwargs: Any
    ) -> HttpResponse | None:
        """Return a redirect to the step, or None to let the view answer."""
        if not getattr(view, "login_required", True):
            return None
        step = step_before(request)
        if step is None or step.is_part(request):
            return None
        if step is SIGN_IN_AGAIN:
            logout(request)
            messages.info(request, "Your second factor has changed. Sign in again.")
        # What a form held is not carried over, because its sender has shown too little.
        after = request.get_full_path() if request.method == "GET" else reverse("admin:index")
        return redirect_to_login(after, reverse(step.url_name))
