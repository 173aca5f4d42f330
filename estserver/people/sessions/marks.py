"""What a session knows of its sign-in: the code that was given, and a password to be changed."""

import uuid
from typing import Any, Final

from django.contrib.auth.signals import user_logged_in
from django.db.models.signals import post_delete
from django.http import HttpRequest

from estserver.people.passwords import first_password
from estserver.people.second_factor import factors
from estserver.people.second_factor.factors import Used

FACTOR: Final = "second_factor"
"""The id of the second factor of which the session has given a code."""
PASSWORD: Final = "password_to_change"  # noqa: S105  # the name of a mark


def connect() -> None:
    """Let Django's signals write the marks, and remove the rows of an account that is deleted."""
    from django.contrib.auth.models import User  # the apps are loaded now

    user_logged_in.connect(_begin, dispatch_uid=f"{__name__}.begin")
    post_delete.connect(_forget, sender=User, dispatch_uid=f"{__name__}.forget")


def mark_factor(request: HttpRequest, factor: uuid.UUID) -> None:
    """Note in the session that its person has given a code of the second factor."""
    request.session[FACTOR] = str(factor)


def unmark_factor(request: HttpRequest) -> None:
    """Note in the session that its person has no second factor any more."""
    request.session.pop(FACTOR, None)


def mark_password_changed(request: HttpRequest) -> None:
    """Note in the session that its person has changed the password."""
    request.session.pop(PASSWORD, None)


def carry(person: Any, used: Used) -> None:
    """Let the sign-in form hand over which code was right. The session is made after that."""
    person.used_second_factor = used


def _begin(sender: Any, request: HttpRequest, user: Any, **kwargs: Any) -> None:
    # A person who signs in again keeps the session's data, and so the marks of the time before.
    for mark in (FACTOR, PASSWORD):
        request.session.pop(mark, None)
    if used := getattr(user, "used_second_factor", None):
        mark_factor(request, used.factor)
    if user.has_usable_password() and first_password.has_to_change(user):
        request.session[PASSWORD] = True


def _forget(sender: Any, instance: Any, **kwargs: Any) -> None:
    factors.forget(instance.pk)
    first_password.forget(instance.pk)
