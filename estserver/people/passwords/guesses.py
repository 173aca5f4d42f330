"""Guesses of a person who has signed in: what they give again is counted before it is looked at.

A wrong one is on the audit trail, and guesses are bounded as those of a sign-in are.
"""

import datetime
import math
from collections.abc import Callable
from typing import Any, TypeVar

from estserver.people.sign_in import limits as sign_in_limits
from estserver.people.sign_in.limits import Attempt
from pki.operators.errors import OperatorError
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.record.transactions import in_write_transaction

T = TypeVar("T")


def bounded(
    person: Any, look: Callable[[], T | None], *, actor: Actor, action: str, wrong: str
) -> T:
    """Return what ``look`` returns, which is None for what is wrong.

    ``action`` is the audit trail's word for a wrong one, and ``wrong`` the sentence. Raises
    ``OperatorError`` with a sentence for the person when it is wrong, or too many attempts have
    failed, and ``Busy`` when the database cannot be reached.
    """
    name = person.get_username()
    attempt = Attempt(name, actor.source_ip or "")
    # Step 1: count the attempt before it is looked at.
    count = sign_in_limits.begin(attempt)
    if isinstance(count, datetime.timedelta):
        raise OperatorError(too_many(count))
    # Step 2: what the person gave.
    found = look()
    if found is None:
        after = {"failures": count.failures}
        in_write_transaction(
            lambda: audit_trail.record(action, actor=actor, target=f"account:{name}", after=after)
        )
        raise OperatorError(wrong)
    # Step 3: it was right.
    sign_in_limits.succeed(attempt)
    return found


def too_many(wait: datetime.timedelta) -> str:
    """Return the sentence for a person who has to wait."""
    minutes = math.ceil(wait.total_seconds() / 60)
    return f"Too many attempts to sign in have failed. Wait {minutes} min, then try again."
