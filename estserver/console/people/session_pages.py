"""The page of sessions: a person's own, and for people who manage accounts, those of others."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext, gettext_noop

from estserver.console.newest_rows import newest_rows
from estserver.console.registry import Section, console_page
from estserver.console.rendering import render_page
from estserver.models import ConsoleSession
from estserver.people.accounts import rules as account_rules
from estserver.people.sessions.record import end_sessions, find_session, is_of, living, sessions_of
from pki.admin.operations import admin_actor, text_field
from pki.operators.errors import OperatorError
from pki.operators.rights import NotAllowed
from pki.record.audit_trail import Actor

MOST_SHOWN = 200
_MANAGES = "auth.change_user"


class EndForm(forms.Form):
    """Which session to end, and why. A person gives no reason for one of their own."""

    session = forms.CharField(max_length=40)
    reason = text_field(help_text="The reason is kept on the audit trail.")


@console_page(
    section=Section.PEOPLE,
    title=gettext_noop("Sessions"),
    name="console_sessions",
    route="sessions/",
    methods=("GET", "POST"),
    is_in_navigation=False,  # its link stands beside the person's name, because it is for all
)
def sessions_page(request: HttpRequest) -> HttpResponseBase:
    """List sessions, or end one, or all of one's own but this one."""
    form = EndForm(request.POST or None)
    if request.method == "POST":
        if form.is_valid():
            try:
                messages.success(request, _end(request, form.cleaned_data))
            except OperatorError as error:
                messages.error(request, str(error))
        else:
            messages.error(
                request, "Nothing was ended. Choose a session, and give a reason of one line."
            )
        return HttpResponseRedirect(reverse("admin:console_sessions"))
    own, shortened = newest_rows(sessions_of(_key(request)), MOST_SHOWN, "sessions list")
    others: list[tuple[Any, Any, bool]] = []
    if _manages(request):
        rows = living(ConsoleSession.objects.exclude(account=_key(request)))
        newest, more = newest_rows(rows, MOST_SHOWN, "sessions list")
        others, shortened = _with_people(request, newest), shortened or more
    context = {
        "title": gettext("Sessions"),
        "own": [(row, is_of(request, row)) for row in own],
        "others": others,
        "shortened": shortened,
        "manages": _manages(request),
        "form": form,
    }
    return render_page(request, "admin/console/sessions.html", context)


def _end(request: HttpRequest, said: dict[str, str]) -> str:
    """End what was chosen, and return a sentence. Raises ``OperatorError`` and ``NotAllowed``."""
    actor, name = admin_actor(request), request.user.get_username()
    if said["session"] == "others":
        rows = ConsoleSession.objects.filter(account=_key(request))
        rows = rows.exclude(session_key=request.session.session_key)
        count = end_sessions(rows, name=name, actor=actor, reason=said["reason"])
        return f"Ended: {count} of your sessions. This one goes on."
    row = find_session(said["session"])
    chosen = ConsoleSession.objects.filter(pk=row.pk)
    if row.account == _key(request):
        end_sessions(chosen, name=name, actor=actor, reason=said["reason"])
        return "The session is ended."
    return _end_anothers(request, row, said["reason"], actor)


def _end_anothers(request: HttpRequest, row: ConsoleSession, reason: str, actor: Actor) -> str:
    account = User.objects.filter(pk=row.account).first()

    def is_allowed(other: HttpRequest) -> bool:
        return _manages(other) and account_rules.may_change_account(other.user, account)

    if not is_allowed(request):
        raise NotAllowed(is_allowed)
    if not reason:
        raise OperatorError("Nothing was ended. Give a reason, which the audit trail keeps.")
    name = str(account) if account else str(row.account)
    chosen = ConsoleSession.objects.filter(pk=row.pk)
    end_sessions(chosen, name=name, actor=actor, reason=reason)
    return f"The session of {name} is ended."


def _with_people(request: HttpRequest, rows: list[ConsoleSession]) -> list[tuple[Any, Any, bool]]:
    people = User.objects.in_bulk({row.account for row in rows})
    return [
        (row, person, account_rules.may_change_account(request.user, person))
        for row in rows
        if (person := people.get(row.account)) is not None
    ]


def _manages(request: HttpRequest) -> bool:
    return bool(request.user.has_perm(_MANAGES))


def _key(request: HttpRequest) -> int:
    assert request.user.pk is not None  # noqa: S101  # a page of the console has a person
    return int(request.user.pk)
