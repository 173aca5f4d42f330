"""Check, show and compare thing names and client names, as text.

Nothing here imports ``cryptography``, so models and commands use it without that cost.
"""

import re
from functools import lru_cache
from typing import Final

from pki.exceptions import CSRRejected
from pki.reasons import Reason

MAX_COMMON_NAME: Final = 64  # X.520, ub-common-name

# AWS IoT's alphabet for thing names, within X.520's 64 characters for a common name. Used with
# fullmatch: `match` and `$` would let a newline at the end through.
_THING_NAME: Final = re.compile(r"[a-zA-Z0-9:_-]{1,64}")


def shown(value: str) -> str:
    r"""Return a client's text in quotes, safe in one line of a log, a reply or a page.

    It is escaped to ASCII, so a look-alike letter, a NUL and an override of the writing direction
    can be told (``'sens\u043er-1'``). Long texts are cut.
    """
    return ascii(value) if len(value) <= 64 else f"{value[:64]!a}..."


def check_common_name(value: str) -> None:
    """Raise CSRRejected with COMMON_NAME_NOT_ALLOWED unless ``value`` can be a thing name."""
    if not _THING_NAME.fullmatch(value):
        raise CSRRejected(
            Reason.COMMON_NAME_NOT_ALLOWED,
            f"The common name {shown(value)} cannot be an AWS IoT thing name. "
            "Use 1 to 64 characters of a-z, A-Z, 0-9, ':', '_' and '-'.",
        )


def check_client_name(value: str) -> None:
    """Raise CSRRejected with COMMON_NAME_NOT_ALLOWED unless ``value`` can be a client's name.

    A client is not a thing, so any 1 to 64 visible characters (X.520) will do.
    """
    if not 1 <= len(value) <= MAX_COMMON_NAME or not value.isprintable() or value.isspace():
        raise CSRRejected(
            Reason.COMMON_NAME_NOT_ALLOWED,
            f"The common name {shown(value)} cannot be used. "
            f"Use 1 to {MAX_COMMON_NAME} visible characters.",
        )


def normal_serial(serial: str) -> str:
    """Return a device serial number as it is recorded and shown.

    White space at its ends is taken off, and a run of it inside becomes one space. X.520 compares
    serial numbers so (RFC 4518 2.6.1), and a device must not become another by a space.
    """
    return " ".join(serial.split())


@lru_cache(maxsize=1024)  # one request folds the same few names again and again
def fold_serial(serial: str) -> str:
    """Return the form in which a device serial number is compared, in any spelling of it."""
    return normal_serial(serial).casefold()


def fold_name(name: str) -> str:
    """Return the form in which the denylist and the name rules compare a thing name.

    For AWS IoT, ``Sensor-1`` and ``sensor-1`` are two things. A denied device must not come back
    under another spelling, so here they are one. A client's name may also have spaces, which are
    compared as those of serial numbers are.
    """
    return fold_serial(name)
