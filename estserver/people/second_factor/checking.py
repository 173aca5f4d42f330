"""A code that is asked of a person who has signed in. Guesses are bounded as those of passwords."""

from typing import Any

from django.views.decorators.debug import sensitive_variables

from estserver.people.passwords.guesses import bounded
from estserver.people.second_factor import factors, policy
from estserver.people.second_factor.factors import Used
from pki.record.audit_trail import Actor

WRONG = "The code is wrong, or was used before. Wait for the next one, and give that."


def has_second_factor(person: Any) -> bool:
    """Return whether a code is asked of ``person``."""
    return policy.is_used() and factors.factor_of(person) is not None


@sensitive_variables("code")
def check_code(person: Any, code: str, *, actor: Actor) -> Used:
    """Take a one-time code or a recovery code of ``person``, and return which one it was.

    Raises what `bounded` raises.
    """
    return bounded(
        person,
        lambda: factors.use_code(person, code, actor=actor),
        actor=actor,
        action="second-factor-failed",
        wrong=WRONG,
    )
