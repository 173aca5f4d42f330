"""The page on which a person who manages accounts resets another's second factor."""

from typing import Any

from django.contrib import messages
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse

from estserver.console.registry import Section, console_page
from estserver.console.rendering import render_page
from estserver.people.accounts.rules import may_reset_second_factor
from estserver.people.second_factor import factors, policy
from pki.admin.display import visible
from pki.admin.operations import ReasonForm, admin_actor
from pki.operators.errors import OperatorError


@console_page(
    section=Section.PEOPLE,
    title="Reset a second factor",
    name="console_second_factor_reset",
    route="second-factor/reset/<int:account>/",
    permission="auth.change_user",
    methods=("GET", "POST"),
    is_in_navigation=False,
    asks_again=True,
)
def reset_page(request: HttpRequest, account: int) -> HttpResponseBase:
    """Ask for a reason, and remove the second factor of the account."""
    person: Any = get_user_model()._default_manager.filter(pk=account).first()
    if person is None:
        raise Http404
    if not may_reset_second_factor(request.user, person):
        raise PermissionDenied
    page = reverse("admin:auth_user_change", args=[account])
    if factors.factor_of(person) is None:
        messages.info(request, f"{visible(str(person))} has no second factor.")
        return HttpResponseRedirect(page)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        reason = form.cleaned_data["reason"]
        try:
            factors.reset(person, actor=admin_actor(request), reason=reason)
        except OperatorError as error:
            form.add_error("reason", visible(str(error)))
        else:
            messages.success(request, f"The second factor of {visible(str(person))} is reset.")
            return HttpResponseRedirect(page)
    context = {
        "title": "Reset a second factor",
        "subtitle": visible(str(person)),
        "form": form,
        "is_required": policy.is_required_of(person),
        "back_url": page,
    }
    return render_page(request, "admin/console/second_factor_reset.html", context)
