"""The pages of one's own second factor: give a code, set it up, replace it, new recovery codes."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.debug import sensitive_post_parameters

from estserver.console.registry import Section, console_page
from estserver.console.rendering import render_page
from estserver.people.passwords.check import check_own_password
from estserver.people.second_factor import factors, one_time_codes, policy
from estserver.people.second_factor.checking import check_code
from estserver.people.second_factor.code_field import code_field
from estserver.people.second_factor.enrollment import Enrollment, codes_as_token, read_codes
from estserver.people.second_factor.picture import qr_code
from estserver.people.sessions.marks import mark_factor, unmark_factor
from estserver.people.sign_in.first_steps import GIVE_CODE, SET_UP, page_after, step_before
from pki.admin.operations import admin_actor
from pki.exceptions import Busy
from pki.operators.errors import OperatorError

OWN = "admin:console_second_factor"


class CodeForm(forms.Form):
    """A form for a one-time code or a recovery code."""

    code = code_field("Code", help_text="Of your authenticator app, or a recovery code.")


class SetUpForm(forms.Form):
    """The first code, and the password of a person who has not just signed in."""

    password = forms.CharField(
        label="Your password",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    code = code_field("Code that the app shows")
    enrollment_token = forms.CharField(widget=forms.HiddenInput)


@console_page(
    section=Section.PEOPLE,
    title="Give the code of your second factor",
    name="console_second_factor_code",
    route="second-factor/code/",
    methods=("GET", "POST"),
    is_in_navigation=False,
)
def code_page(request: HttpRequest) -> HttpResponseBase:
    """Ask for a code in a session that has given none, and go on to the page that was wanted."""
    if step_before(request) is not GIVE_CODE:
        return HttpResponseRedirect(page_after(request))
    form = CodeForm(request.POST or None)
    if used := _taken(request, form):
        mark_factor(request, used.factor)
        return HttpResponseRedirect(page_after(request))
    context = {"title": "Give the code of your second factor", "form": form}
    return render_page(request, "admin/console/second_factor_code.html", context)


@console_page(
    section=Section.PEOPLE,
    title="Set up your second factor",
    name="console_second_factor_set_up",
    route="second-factor/set-up/",
    methods=("GET", "POST"),
    is_in_navigation=False,
)
@sensitive_post_parameters()
def set_up_page(request: HttpRequest) -> HttpResponseBase:
    """Show a new secret, and record it when its first code is right. Then show recovery codes."""
    person: Any = request.user
    if not policy.is_used() or factors.factor_of(person) is not None:
        return HttpResponseRedirect(reverse(OWN))
    is_first = step_before(request) is SET_UP
    enrollment = Enrollment.begin(person)
    form = SetUpForm(request.POST or None)
    if is_first or not person.has_usable_password():  # the password was given a moment ago
        del form.fields["password"]
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        actor = admin_actor(request)
        try:
            enrollment = Enrollment.read(given["enrollment_token"], person)
            if "password" in given:
                check_own_password(person, given["password"], actor=actor)
            factor, codes = factors.set_up(person, enrollment.secret, given["code"], actor=actor)
        except (OperatorError, Busy) as error:
            form.add_error(None, str(error))
        else:
            mark_factor(request, factor)
            return _codes(request, codes, "Your second factor is set up.")
    issuer = f"EST server {request.get_host().partition(':')[0]}"
    name = person.get_username()
    address = one_time_codes.address(enrollment.secret, issuer=issuer, name=name)
    context = {
        "title": "Set up your second factor",
        "form": form,
        "is_first": is_first,
        "picture": qr_code(address),
        "secret": one_time_codes.as_text(enrollment.secret),
        "token": enrollment.as_token(),
    }
    return render_page(request, "admin/console/second_factor_set_up.html", context)


@console_page(
    section=Section.PEOPLE,
    title="Your second factor",
    name="console_second_factor",
    route="second-factor/",
    methods=("GET", "POST"),
    is_in_navigation=False,
)
def own_page(request: HttpRequest) -> HttpResponseBase:
    """Show one's second factor. With a code, make new recovery codes or remove it."""
    person: Any = request.user
    form = CodeForm(request.POST or None)
    if _taken(request, form):
        actor = admin_actor(request)
        if "remove" not in request.POST:
            codes = factors.renew_codes(person, actor=actor)
            return _codes(request, codes, "The earlier recovery codes are not taken any more.")
        factors.remove(person, actor=actor)
        unmark_factor(request)
        messages.success(request, "Your second factor is removed.")
        return HttpResponseRedirect(reverse(OWN))
    context = {
        "title": gettext("Your second factor"),
        "form": form,
        "is_used": policy.is_used(),
        "is_required": policy.is_required_of(person),
        "has_one": factors.factor_of(person) is not None,
        "codes_left": factors.codes_left(person),
    }
    return render_page(request, "admin/console/second_factor.html", context)


@console_page(
    section=Section.PEOPLE,
    title="Recovery codes as a file",
    name="console_second_factor_codes_file",
    route="second-factor/recovery-codes.txt",
    methods=("POST",),
    is_in_navigation=False,
)
def codes_file(request: HttpRequest) -> HttpResponseBase:
    """Return the recovery codes, which the page before has shown, as a text file."""
    try:
        codes = read_codes(request.POST.get("codes_token", ""))
    except OperatorError as error:
        messages.error(request, str(error))
        return HttpResponseRedirect(reverse(OWN))
    person = request.user.get_username()
    lines = [f"Recovery codes of {person} at {request.get_host()}. Each is taken once.", *codes]
    answer = HttpResponse("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="recovery-codes.txt"'
    return answer


def _taken(request: HttpRequest, form: forms.Form) -> factors.Used | None:
    """Return the code that was taken; None if none was sent, or if the form says what is wrong."""
    if not form.is_valid():
        return None
    try:
        return check_code(request.user, form.cleaned_data["code"], actor=admin_actor(request))
    except (OperatorError, Busy) as error:
        form.add_error("code", str(error))
        return None


def _codes(request: HttpRequest, codes: list[str], sentence: str) -> HttpResponseBase:
    context = {
        "title": "Your recovery codes",
        "sentence": sentence,
        "codes": codes,
        "token": codes_as_token(codes),
        "after": page_after(request),
    }
    return render_page(request, "admin/console/second_factor_codes.html", context)
