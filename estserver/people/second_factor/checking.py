"""A code that is asked of a person who has signed in. Guesses are bounded as those of passwords."""

import datetime
import math
from typing import Any

from estserver.people import sign_in_limits
from estserver.people.second_factor import factors, policy
from estserver.people.second_factor.factors import Used
from estserver.people.sign_in_limits import Attempt
from pki.operators.errors import OperatorError
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.record.transactions import in_write_transaction

WRONG = "The code is wrong, or was used before. Wait for the next one, and give that."


def has_second_factor(person: Any) -> bool:
    """Return whether a code is asked of ``person``."""
    return policy.is_used() and factors.factor_of(person) is not None


def check_code(person: Any, code: str, *, actor: Actor) -> Used:
    """Take a one-time code or a recovery code of ``person``, and return which one it was.

    Raises ``OperatorError`` with a sentence for the person when the code is wrong, or too many
    attempts have failed, and ``Busy`` when the database cannot be reached.
    """
    attempt = Attempt(person.get_username(), actor.source_ip or "")
    # Step 1: count the attempt before the code is looked at.
    count = sign_in_limits.begin(attempt)
    if isinstance(count, datetime.timedelta):
        raise OperatorError(too_many(count))
    # Step 2: the code.
    used = factors.use_code(person, code, actor=actor)
    if used is None:
        after = {"failures": count.failures}
        in_write_transaction(
            lambda: audit_trail.record(
                "second-factor-failed",
                actor=actor,
                target=f"account:{person.get_username()}",
                after=after,
            )
        )
        raise OperatorError(WRONG)
    # Step 3: it was right.
    sign_in_limits.succeed(attempt)
    return used


def too_many(wait: datetime.timedelta) -> str:
    """Return the sentence for a person who has to wait."""
    minutes = math.ceil(wait.total_seconds() / 60)
    return f"Too many attempts to sign in have failed. Wait {minutes} min, then try again."
