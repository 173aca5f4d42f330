"""Passwords that their owners did not choose: whom they belong to, and where one is in a file.

Their owners change them at the next sign-in, before any other page (`people.first_steps`).
"""

import hmac
import logging
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.views.decorators.debug import sensitive_variables

from estserver.models import PasswordToChange

logger = logging.getLogger(__name__)

FILE: Final = "admin-password"
"""The file in the data directory to which ``quickstart`` writes the first password."""


def file_path() -> Path:
    """Return where the first password is until it is changed."""
    path: Path = settings.EST_DATA_DIR / FILE
    return path


def require_change(person: Any) -> None:
    """Let ``person`` change the password at the next sign-in. In the caller's transaction."""
    PasswordToChange.objects.get_or_create(account=person.pk)


def has_to_change(person: Any) -> bool:
    """Return whether ``person`` has to change the password."""
    return PasswordToChange.objects.filter(account=person.pk).exists()


def note_change(person: Any) -> None:
    """Note that ``person`` has chosen a password. In the caller's transaction."""
    forget(person.pk)


def forget(account: int) -> None:
    """Remove what is known of an account's password. In the caller's transaction."""
    PasswordToChange.objects.filter(account=account).delete()


@sensitive_variables("old_password", "held")
def remove_file_of(old_password: str) -> Path | None:
    """Remove the file with the first password if that is ``old_password``, and return its path.

    A file that cannot be removed is an error in the log, and no error of the page.
    """
    path = file_path()
    held = b""
    with suppress(OSError):
        held = path.read_bytes().strip()
    if not held or not hmac.compare_digest(held, old_password.encode()):
        return None
    try:
        path.unlink()
    except OSError as error:
        logger.error("the file with the first password cannot be removed: %s", error)  # noqa: TRY400
        return None
    return path
