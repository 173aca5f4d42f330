"""The base of the management commands: who acts, and how a refusal ends a command."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError

from pki.conf import setting_name
from pki.exceptions import PKIError
from pki.operators.errors import OperatorError, remote_failure
from pki.record.audit_trail import Actor

REFUSED = 1
REMOTE_FAILURE = 3
"""The exit code if AWS or another service failed. Django's own 2 is for wrong usage."""


_caller: ContextVar[str] = ContextVar("caller", default="")


@contextmanager
def on_behalf_of(caller: str) -> Iterator[None]:
    """Run a command for the person ``caller``, who is not the user of this process."""
    token = _caller.set(caller)
    try:
        yield
    finally:
        _caller.reset(token)


def command_actor() -> Actor:
    """Return the person who runs the command, for the audit trail."""
    if caller := _caller.get():
        return Actor(f"command:{caller}")
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        name = "unknown"
    return Actor(f"command:{name}")


class OperatorCommand(BaseCommand):
    """A command that calls a service function.

    A refusal is written to standard error, and the exit code is 1. If another service such as AWS
    failed, it is 3.
    """

    requires_system_checks: list[str] = []  # else a list of problems would hide a refusal

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run the command, and turn refusals into ``CommandError``."""
        try:
            return super().execute(*args, **options)
        except OperatorError as error:
            refuse(str(error), error)
        except PKIError as error:
            # The cause, such as an unreadable key, is for operators. A device does not get it.
            refuse(f"{error} ({error.__cause__})" if error.__cause__ else str(error), error)
        except (DatabaseError, InterfaceError) as error:
            refuse(
                f"The database cannot be used: {str(error).strip().rstrip('.')}. See "
                f"{setting_name('database_url')}, and whether manage.py migrate has run.",
                error,
            )


def refuse(sentence: str, cause: Exception | None = None) -> NoReturn:
    """End the command with ``sentence`` and exit code 1, or 3 if another service was the cause."""
    # The exit code tells a script whether it may try again, whatever the sentence says.
    returncode = REMOTE_FAILURE if remote_failure(cause) else REFUSED
    raise CommandError(sentence, returncode=returncode) from cause
