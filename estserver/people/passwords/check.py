"""The password that is asked again of a person who has signed in. Guesses are bounded."""

from typing import Any

from django.views.decorators.debug import sensitive_variables

from estserver.people.passwords.guesses import bounded
from pki.record.audit_trail import Actor

WRONG = "The password is wrong."


@sensitive_variables("password")
def check_own_password(person: Any, password: str, *, actor: Actor) -> None:
    """Look whether ``password`` is the one of ``person``. Raises what `bounded` raises."""
    bounded(
        person,
        lambda: person.check_password(password) or None,
        actor=actor,
        action="password-check-failed",
        wrong=WRONG,
    )
