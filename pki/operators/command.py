"""What our management commands share: who acts, and how a refusal ends a command."""

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
"""The exit code when AWS, or another service, was what failed; 2 is wrong usage."""


_caller: ContextVar[str] = ContextVar("caller", default="")


@contextmanager
def on_behalf_of(caller: str) -> Iterator[None]:
    """Run a command for somebody who isn't this process's user, by the name that they gave."""
    token = _caller.set(caller)
    try:
        yield
    finally:
        _caller.reset(token)


def command_actor() -> Actor:
    """Whoever runs the command, for the audit trail."""
    if caller := _caller.get():
        return Actor(f"command:{caller}")
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        name = "unknown"
    return Actor(f"command:{name}")


class OperatorCommand(BaseCommand):
    """A thin door to a service function.

    What the service refuses becomes one sentence on standard error and exit code 1; when another
    service (AWS) failed, 3.
    """

    requires_system_checks: list[str] = []  # a bad setting must not hide behind a list of checks

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run, and turn refusals into ``CommandError``."""
        try:
            return super().execute(*args, **options)
        except OperatorError as error:
            refuse(str(error), error)
        except PKIError as error:
            # A device isn't told why the key can't be read; whoever runs the command is.
            refuse(f"{error} ({error.__cause__})" if error.__cause__ else str(error), error)
        except (DatabaseError, InterfaceError) as error:
            refuse(
                f"the database can't be used: {str(error).strip()}. See "
                f"{setting_name('database_url')}, and whether manage.py migrate has run",
                error,
            )


def refuse(sentence: str, cause: Exception | None = None) -> NoReturn:
    """End the command with one sentence and exit code 1, or 3 if the cause is another service."""
    # Whatever words it is told in: when another service failed, a script may try again.
    returncode = REMOTE_FAILURE if remote_failure(cause) else REFUSED
    raise CommandError(sentence, returncode=returncode) from cause
