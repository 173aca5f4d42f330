"""The first account of the web admin, where there is no shell to make one in."""

import secrets

from django.contrib.auth import get_user_model
from django.views.decorators.debug import sensitive_variables

from pki.operators.errors import OperatorError
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.record.transactions import in_write_transaction

PASSWORD_BYTES = 18  # of randomness: 24 characters


@sensitive_variables("password")
def make_first_admin(username: str, *, actor: Actor) -> str:
    """Make a superuser with a random password, and return the password: it is nowhere else.

    Raises ``OperatorError`` when there is an account already: whoever has it makes the others.
    """
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    users = get_user_model()._default_manager

    def make() -> None:
        if users.exists():
            raise OperatorError(
                "the web admin has an account already; sign in with it to make others"
            )
        users.create_superuser(username, password=password)
        audit_trail.record("first_admin", actor=actor, target=f"account:{username}")

    in_write_transaction(make)
    return password
