"""The sessions of people: bound to a person, listed, ended, and short.

Django's session is what counts: without its row nobody is signed in. Beside it there is a row of
ours, which says whose it is and from where. The session itself holds the times by which it ends,
so that a page asks the database nothing more. They are written at most once a minute.
"""

import datetime
import logging
import uuid
from collections.abc import Callable
from typing import Any, Final

from django.conf import settings
from django.contrib.auth import logout
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.models import Session
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from estserver.models import ConsoleSession
from estserver.people.sessions.browsers import browser_in_words
from pki.exceptions import Busy
from pki.operators.errors import OperatorError
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.record.transactions import in_write_transaction

logger = logging.getLogger(__name__)

REMOVED_TOGETHER: Final = 500

_MARKS: Final = "console_session"
"""In the session: the row's id, and when it began and was used, in seconds since 1970."""


def noted_every() -> datetime.timedelta:
    """Return how often the use of a session is written."""
    every: datetime.timedelta = settings.EST_ADMIN_SESSION_NOTED_EVERY
    return every


def begin(request: HttpRequest, person: Any) -> None:
    """Put the session of ``request`` on record for ``person``, who has just signed in.

    A session that cannot be written now is put on record by its next request.
    """
    session, now = request.session, timezone.now()
    if session.session_key is None:  # of another person until now, so Django has emptied it
        session.create()
    row = ConsoleSession(
        account=person.pk,
        session_key=str(session.session_key),
        started_at=now,
        last_seen_at=now,
        address=_address(request),
        browser=browser_in_words(request.META.get("HTTP_USER_AGENT", "")),
    )

    def write() -> None:
        # Of a session that had another key until now, as Django changes it at each sign-in.
        if earlier := session.get(_MARKS):
            ConsoleSession.objects.filter(pk=earlier["row"]).delete()
        row.save(force_insert=True)

    try:
        in_write_transaction(write)
    except Busy:
        logger.warning("a session was not put on record, because the database cannot be reached")
        return
    session[_MARKS] = {"row": str(row.pk), "began": _seconds(now), "seen": _seconds(now)}


def sessions_of(account: int) -> QuerySet[ConsoleSession]:
    """Return the sessions of an account that have not ended, newest first."""
    return living(ConsoleSession.objects.filter(account=account))


def living(rows: QuerySet[ConsoleSession]) -> QuerySet[ConsoleSession]:
    """Return those of ``rows`` that have not ended by their times."""
    now = timezone.now()
    return rows.filter(
        started_at__gt=now - settings.EST_ADMIN_SESSION_LENGTH,
        last_seen_at__gt=now
        - settings.EST_ADMIN_IDLE_TIME
        - settings.EST_ADMIN_SESSION_NOTED_EVERY,
    )


def end_sessions(rows: QuerySet[ConsoleSession], *, name: str, actor: Actor, reason: str) -> int:
    """End sessions of the account called ``name``, and return how many there were.

    Each has its row on the audit trail. What such a session sends from then on asks to sign in.
    """

    def end() -> int:
        found = list(rows[:REMOVED_TOGETHER])
        Session.objects.filter(session_key__in=[row.session_key for row in found]).delete()
        ConsoleSession.objects.filter(pk__in=[row.pk for row in found]).delete()
        for row in found:
            audit_trail.record(
                "session-end",
                actor=actor,
                target=f"account:{name}",
                reason=reason,
                before={
                    "started_at": row.started_at.isoformat(),
                    "address": row.address,
                    "browser": row.browser,
                },
            )
        return len(found)

    return in_write_transaction(end)


def forget_sessions(account: int) -> None:
    """Delete the sessions of an account, in the caller's transaction: its rights have changed."""
    rows = ConsoleSession.objects.filter(account=account)
    Session.objects.filter(
        session_key__in=list(rows.values_list("session_key", flat=True))
    ).delete()
    rows.delete()


def find_session(text: str) -> ConsoleSession:
    """Return the session with this id. Raises ``OperatorError`` if there is none."""
    try:
        return ConsoleSession.objects.get(pk=uuid.UUID(text))
    except (ValueError, ConsoleSession.DoesNotExist) as error:
        raise OperatorError(
            f"There is no session {text[:64]!a}. It may have ended. List the sessions again."
        ) from error


def is_of(request: HttpRequest, row: ConsoleSession) -> bool:
    """Return whether ``row`` is the session of the request."""
    return row.session_key == request.session.session_key


def remove_old_sessions() -> None:
    """Remove rows of sessions that have ended, ours and Django's."""
    now = timezone.now()
    old = ConsoleSession.objects.filter(
        last_seen_at__lt=now
        - settings.EST_ADMIN_SESSION_LENGTH
        - settings.EST_ADMIN_SESSION_NOTED_EVERY
    )
    keys = list(old.values_list("pk", flat=True)[:REMOVED_TOGETHER])
    over = Session.objects.filter(expire_date__lt=now).values_list("pk", flat=True)
    expired = list(over[:REMOVED_TOGETHER])

    def remove() -> None:
        ConsoleSession.objects.filter(pk__in=keys).delete()
        Session.objects.filter(pk__in=expired).delete()

    if keys or expired:
        in_write_transaction(remove)


class SessionRulesMiddleware:
    """Middleware that ends a session which was not used, or lasted too long, and notes its use."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Sign the person out if the session has ended; else leave the request to what follows."""
        # Probes and strangers have no cookie, and no session is read for them.
        if settings.SESSION_COOKIE_NAME not in request.COOKIES:
            return self.get_response(request)
        if request.user.is_authenticated and not _goes_on(request):
            logout(request)
        key = request.session.session_key
        response = self.get_response(request)
        _follow_key(request, key)
        return response


def _goes_on(request: HttpRequest) -> bool:
    """Return whether the session has not ended. Note once a minute that it is used."""
    marks = request.session.get(_MARKS)
    if marks is None:  # from before sessions were on record, or the database was out of reach
        begin(request, request.user)
        return True
    now = timezone.now()
    idle, lasted = _seconds(now) - marks["seen"], _seconds(now) - marks["began"]
    if idle > settings.EST_ADMIN_IDLE_TIME.total_seconds():
        return False
    if lasted > settings.EST_ADMIN_SESSION_LENGTH.total_seconds():
        return False
    return idle < settings.EST_ADMIN_SESSION_NOTED_EVERY.total_seconds() or _note_use(
        request, marks, now
    )


def _note_use(request: HttpRequest, marks: dict[str, Any], now: datetime.datetime) -> bool:
    """Write that the session is used. Return False if it was ended meanwhile."""
    session = request.session

    def write() -> bool:
        changed = ConsoleSession.objects.filter(pk=marks["row"]).update(
            last_seen_at=now, address=_address(request)
        )
        if changed:
            session[_MARKS] = {**marks, "seen": _seconds(now)}
            # Here, and not by Django after the page, because this transaction starts over.
            session.save()
        return bool(changed)

    try:
        return in_write_transaction(write)
    except UpdateError:  # Django's row was deleted between its being read and now
        return False
    except Busy:
        return True
    finally:
        session.modified = False


def _follow_key(request: HttpRequest, key: str | None) -> None:
    """Give the row the session's new key. Django changes it when a person changes the password."""
    session = request.session
    if session.session_key == key:
        return
    ConsoleSession.objects.filter(session_key=key).delete()
    marks = session.get(_MARKS)
    if marks is None or not session.session_key or not request.user.is_authenticated:
        return
    if not ConsoleSession.objects.filter(session_key=session.session_key).exists():
        begin(request, request.user)
        session[_MARKS] = {**session[_MARKS], "began": marks["began"]}


def _address(request: HttpRequest) -> str:
    return (request.META.get("REMOTE_ADDR") or "")[:64]


def _seconds(time: datetime.datetime) -> int:
    return int(time.timestamp())
