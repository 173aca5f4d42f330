"""Make the first account of the web admin where no shell can make one."""

import secrets

from django.contrib.auth import get_user_model
from django.views.decorators.debug import sensitive_variables

from estserver.people.passwords import first_password
from pki.operators.errors import OperatorError
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.record.transactions import in_write_transaction

PASSWORD_BYTES = 18  # of randomness: 24 characters


@sensitive_variables("password")
def make_first_admin(username: str, *, actor: Actor) -> str:
    """Make a superuser with a random password, and return the password, which is not stored.

    The person changes it at the first sign-in (`first_password`).
    Raises ``OperatorError`` if there is an account already, whose owner can make others.
    """
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    users = get_user_model()._default_manager

    def make() -> None:
        if users.exists():
            raise OperatorError(
                "The web admin has an account already. Sign in with it to make others."
            )
        first_password.require_change(users.create_superuser(username, password=password))
        audit_trail.record("first_admin", actor=actor, target=f"account:{username}")

    in_write_transaction(make)
    return password
