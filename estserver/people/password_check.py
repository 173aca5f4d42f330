"""The password that is asked again of a person who has signed in. Guesses are bounded."""

import datetime
from typing import Any

from django.views.decorators.debug import sensitive_variables

from estserver.people import sign_in_limits
from estserver.people.second_factor.checking import too_many
from estserver.people.sign_in_limits import Attempt
from pki.operators.errors import OperatorError
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.record.transactions import in_write_transaction

WRONG = "The password is wrong."


@sensitive_variables("password")
def check_own_password(person: Any, password: str, *, actor: Actor) -> None:
    """Look whether ``password`` is the one of ``person``.

    Raises ``OperatorError`` with a sentence for the person when it is wrong, or too many attempts
    have failed, and ``Busy`` when the database cannot be reached.
    """
    name = person.get_username()
    attempt = Attempt(name, actor.source_ip or "")
    # Step 1: count the attempt before the password is looked at.
    count = sign_in_limits.begin(attempt)
    if isinstance(count, datetime.timedelta):
        raise OperatorError(too_many(count))
    # Step 2: the password.
    if not person.check_password(password):
        after = {"failures": count.failures}
        in_write_transaction(
            lambda: audit_trail.record(
                "password-check-failed", actor=actor, target=f"account:{name}", after=after
            )
        )
        raise OperatorError(WRONG)
    # Step 3: it was right.
    sign_in_limits.succeed(attempt)
