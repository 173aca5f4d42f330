"""Django's SECRET_KEY: from the environment, or a file of its own on a laptop."""

import contextlib
import os
import secrets
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from pki.files import write_new

VARIABLE = "EST_SECRET_KEY"
MINIMUM = 50  # characters; what Django's own deployment check wants


def secret_key(data_dir: Path, *, on_lambda: bool) -> str:
    """The key that signs admin sessions.

    Raises ``ImproperlyConfigured`` rather than use a weak one. On a laptop it is made once, in
    ``<data dir>/secret-key`` (0600).
    """
    key = os.environ.get(VARIABLE, "")
    if key:
        if len(key) < MINIMUM:
            raise ImproperlyConfigured(
                f"{VARIABLE} has {len(key)} characters; wanted {MINIMUM} random ones or more"
            )
        return key
    if on_lambda:
        raise ImproperlyConfigured(f"{VARIABLE} isn't set: on Lambda the key can't live in a file")
    path = data_dir / "secret-key"
    if not path.exists():
        with contextlib.suppress(FileExistsError):  # the other door was faster
            write_new(path, secrets.token_urlsafe(MINIMUM).encode(), secret=True)
    return path.read_text().strip()
