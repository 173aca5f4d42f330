"""Django's SECRET_KEY, which signs the admin's sessions. The device side signs nothing.

It is in the environment, in a secret of Secrets Manager (on Lambda), or in a file (on a laptop).
So are earlier keys, which sign nothing any more: what they have signed and sealed is still read.
"""

import contextlib
import logging
import os
import secrets
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from django.utils.functional import lazy
from django.views.decorators.debug import sensitive_variables

from pki.aws.clients import DEFAULT_LOCATION, AWSLocation
from pki.operators.errors import OperatorError
from pki.operators.files import write_new

logger = logging.getLogger(__name__)

VARIABLE = "EST_SECRET_KEY"
FALLBACKS_VARIABLE = "EST_SECRET_KEY_FALLBACKS"
FILE = "secret-key"
MINIMUM = 50  # characters, as in Django's own deployment check (security.W009)
DISTINCT = 5  # different characters, likewise


def secret_key(data_dir: Path, *, secret_name: str = "") -> str:
    """Return the key that signs admin sessions.

    EST_SECRET_KEY wins. With ``secret_name`` it is the secret's value. That is read when the key is
    first used, because a call of AWS needs the settings. Otherwise it is made once, in
    ``<data_dir>/secret-key`` (0600), whose first line it is.

    Raises ``ImproperlyConfigured`` for a weak key: at once, or at the first use of a secret's.
    """
    key = os.environ.get(VARIABLE, "")
    if key:
        return _strong(key, VARIABLE)
    if secret_name:
        read_at_first_use: str = lazy(_of_secret, str)(secret_name)
        return read_at_first_use
    path = data_dir / FILE
    if not path.exists():
        with contextlib.suppress(FileExistsError):  # the other process was faster
            write_new(path, secrets.token_urlsafe(MINIMUM).encode(), secret=True)
    return path.read_text().split()[0]


def earlier_secret_keys(data_dir: Path, *, secret_name: str = "") -> list[str]:
    """Return the keys before the present one, newest first, for ``SECRET_KEY_FALLBACKS``.

    EST_SECRET_KEY_FALLBACKS wins, with spaces between the keys. If the key is a secret's value, the
    earlier one is the secret's version before (AWSPREVIOUS), which is read when it is first used.
    Otherwise they are the further lines of ``<data_dir>/secret-key``.

    Raises ``ImproperlyConfigured`` for a weak key of the environment or the file.
    """
    if given := os.environ.get(FALLBACKS_VARIABLE, "").split():
        return [_strong(key, FALLBACKS_VARIABLE) for key in given]
    if os.environ.get(VARIABLE):
        return []
    if secret_name:
        return _KeysAtFirstUse(secret_name)
    path = data_dir / FILE
    lines = path.read_text().split()[1:] if path.exists() else []
    return [_strong(key, f"A line of {path}") for key in lines]


class _KeysAtFirstUse(list[str]):
    """The version of a secret before the present one. Django wants a list, and iterates over it."""

    def __init__(self, secret_name: str) -> None:
        super().__init__()
        self._secret_name = secret_name

    def __iter__(self) -> Iterator[str]:
        return iter(_previous_of_secret(self._secret_name))

    def __len__(self) -> int:
        return len(_previous_of_secret(self._secret_name))


@sensitive_variables()
def ensure_secret_key(
    name: str, *, place: AWSLocation = DEFAULT_LOCATION, kms_key_id: str = ""
) -> bool:
    """Make the secret that admin sessions are signed with, and return whether it was missing.

    An existing secret is never overwritten. Raises ``OperatorError`` when it is too weak to sign
    with or another project's, ``RemoteFailure`` when AWS fails.
    """
    from pki.aws.secrets import read_secret, refuse_secret_of_another, write_secret

    refuse_secret_of_another(name, place)
    there = read_secret(name, place)
    if there is not None:
        try:
            _strong(there.content.decode(errors="replace").strip(), f"The secret {name}")
        except ImproperlyConfigured as error:
            raise OperatorError(str(error)) from error
        return False
    write_secret(
        name,
        secrets.token_urlsafe(MINIMUM),
        after=None,
        description="EST server: signs the admin's sessions (Django's SECRET_KEY)",
        place=place,
        kms_key_id=kms_key_id,
    )
    return True


@cache
@sensitive_variables()
def _of_secret(name: str) -> str:
    from pki.aws.secrets import use_secret

    try:
        value = use_secret(name)
    except OperatorError as error:
        raise ImproperlyConfigured(str(error)) from error
    if value is None:
        raise ImproperlyConfigured(
            f"There is no secret {name} to sign the admin's sessions with. Deploy, which makes it "
            f"(manage.py aws_deploy), or set {VARIABLE}."
        )
    return _of_value(value.content, name)


@cache
@sensitive_variables()
def _previous_of_secret(name: str) -> tuple[str, ...]:
    from pki.aws.secrets import read_secret

    try:
        value = read_secret(name, version_stage="AWSPREVIOUS")
        return (_of_value(value.content, name),) if value else ()
    except (OperatorError, ImproperlyConfigured) as error:
        # Only what an earlier key has signed is lost: people sign in again.
        logger.warning("the version before of the secret %s is not used: %s", name, error)
        return ()


def _of_value(content: bytes, name: str) -> str:
    return _strong(content.decode(errors="replace").strip(), f"The secret {name}")


@sensitive_variables()
def _strong(key: str, where: str) -> str:
    if len(key) < MINIMUM or len(set(key)) < DISTINCT:
        raise ImproperlyConfigured(
            f"{where} has {len(key)} characters, {len(set(key))} different ones. Wanted: "
            f"{MINIMUM} random ones or more."
        )
    return key
