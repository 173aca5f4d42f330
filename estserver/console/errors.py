"""What a person sees when a page cannot be shown: what happened, and the way on."""

from typing import Any

from django.contrib import admin
from django.db import Error
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import REASON_BAD_ORIGIN
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.translation import gettext

from estserver.people.sign_in.kept_fields import KeptFields
from estserver.people.who_may import who_may
from pki.operators.rights import NotAllowed

_TEMPLATE = "admin/console/error.html"


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer 400, without the navigation: the Host header may be wrong."""
    return _page(
        None,
        400,
        "The request cannot be answered",
        "The address or the form is not one that this server understands.",
        "Check the address in your browser, and open the overview.",
    )


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer 403, with the roles that may do it."""
    who = who_may(request, exception.is_allowed) if isinstance(exception, NotAllowed) else ""
    return _page(
        request,
        403,
        "You may not do this",
        "Your account has no permission for this page or operation. Nothing was changed. " + who,
        "Ask a person who manages the accounts, or sign in with another account.",
    )


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer 404."""
    return _page(
        request,
        404,
        "There is no such page",
        "The address leads to nothing, or what it led to is not there any more.",
        "Search for the name, serial number or request id, or open the overview.",
    )


def method_not_allowed(request: HttpRequest, refusal: HttpResponseBase) -> HttpResponse:
    """Answer 405 in place of Django's refusal, which has no text."""
    answer = _page(
        request,
        405,
        "Nothing is shown at this address",
        "It is where a button of a page leads to, and no button was pressed. Nothing was changed.",
        "Open the page from the navigation, and use its button.",
    )
    answer["Allow"] = refusal["Allow"]
    return answer


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500. Nothing is asked of the database, which may be the cause."""
    return _page(
        None,
        500,
        "The page could not be made",
        "The server met an error of its own. Its log has the cause, with the time of now.",
        "Go back and try again. Before you repeat an operation, look at the audit trail to see "
        "whether it was done.",
    )


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer 403 to a form without the right token, and offer to send it again.

    It is offered only if the browser says that the form came from this site, as after signing in
    in another window. A form of another site is not shown.
    https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site
    """
    is_ours = request.headers.get("Sec-Fetch-Site") == "same-origin"
    if is_ours and not reason.startswith(REASON_BAD_ORIGIN.partition("%")[0]):
        kept = KeptFields.of_form(request.POST, request.FILES)
        return _page(
            request,
            403,
            "This form is out of date",
            "You signed in or out since you opened it, so its token is not valid any more. Nothing "
            "was changed.",
            "Look through what you typed, and send it again.",
            kept=kept,
            action=request.get_full_path(),
        )
    return _page(
        request,
        403,
        "This form was not accepted",
        "It has no token of this site, or your browser keeps no cookies. Nothing was changed.",
        "Open the page again from the navigation, and fill the form in there.",
    )


def change_refused(
    request: HttpRequest, status: int, title: str, what: str, todo: str
) -> HttpResponse:
    """Answer ``status`` to a change that the database took back, with what was typed."""
    kept = KeptFields.of_form(request.POST, request.FILES) if request.method == "POST" else None
    more = {"kept": kept, "action": request.get_full_path()}
    answer = _page(request, status, title, what, todo, **more)
    answer["Cache-Control"] = "no-store"
    return answer


def _page(
    request: HttpRequest | None, status: int, title: str, what: str, todo: str, **more: Any
) -> HttpResponse:
    texts = {"title": gettext(title), "what": gettext(what), "todo": gettext(todo)}
    context = {**texts, "status": status, **more}
    if request is None:
        return HttpResponse(render_to_string(_TEMPLATE, context), status=status)
    if getattr(request, "user", None) is not None and hasattr(request, "session"):
        try:
            context = {**admin.site.each_context(request), **context}
        except Error:  # the database, which has a person's permissions, may be the cause
            return HttpResponse(render_to_string(_TEMPLATE, context, request), status=status)
    return render(request, _TEMPLATE, context, status=status)
