"""Thing names and client names as text: what may stand in one, how it is shown, when two are one.

Nothing here needs X.509, so that models and commands have it without loading that.
"""

import re
from typing import Final

from pki.exceptions import CSRRejected
from pki.reasons import Reason

MAX_COMMON_NAME: Final = 64  # X.520, ub-common-name

# AWS IoT's alphabet for thing names, within X.520's 64 characters for a common name. Used with
# fullmatch: `match` and `$` would let a newline at the end through.
_THING_NAME: Final = re.compile(r"[a-zA-Z0-9:_-]{1,64}")


def shown(value: str) -> str:
    r"""Write a client's text so that it is safe in one line of a log, a reply or a page.

    Escaped to ASCII: a look-alike letter, a NUL and an override of the writing direction then
    appear as what they are (``'sens\u043er-1'``). Long texts are cut.
    """
    return ascii(value) if len(value) <= 64 else f"{value[:64]!a}..."


def check_common_name(value: str) -> None:
    """Raise CSRRejected with COMMON_NAME_NOT_ALLOWED unless ``value`` can be a thing name."""
    if not _THING_NAME.fullmatch(value):
        raise CSRRejected(
            Reason.COMMON_NAME_NOT_ALLOWED,
            f"The common name {shown(value)} can't be an AWS IoT thing name: "
            "use 1 to 64 characters of a-z, A-Z, 0-9, ':', '_' and '-'.",
        )


def check_client_name(value: str) -> None:
    """Raise CSRRejected with COMMON_NAME_NOT_ALLOWED unless ``value`` can be a client's name.

    Clients aren't things: 1 to 64 visible characters (X.520) will do.
    """
    if not 1 <= len(value) <= MAX_COMMON_NAME or not value.isprintable() or value.isspace():
        raise CSRRejected(
            Reason.COMMON_NAME_NOT_ALLOWED,
            f"The common name {shown(value)} isn't 1 to {MAX_COMMON_NAME} visible characters.",
        )


def fold_name(name: str) -> str:
    """Return the form under which the denylist and the bindings compare a thing name.

    AWS IoT tells ``Sensor-1`` from ``sensor-1``; people who deny a device don't.
    """
    return name.casefold()
