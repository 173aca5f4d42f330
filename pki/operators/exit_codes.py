"""The exit codes of every management command, and which error has which."""

import http.client
import socket
import ssl

from django.db import DatabaseError, InterfaceError

from pki.exceptions import Busy, SignerUnavailable
from pki.operators.errors import remote_failure

DONE = 0
REFUSED = 1
"""What was asked cannot be done, or a check found something. The same call fails again."""
USAGE = 2
"""The command was called wrongly. It is argparse's code too."""
REMOTE_FAILURE = 3
"""AWS, the database or a PKI outside failed. The same call may succeed later."""

MEANINGS = {
    DONE: "done",
    REFUSED: "refused, or a check found something",
    USAGE: "wrong usage",
    REMOTE_FAILURE: "AWS, the database or another service failed",
}

_OF_OTHERS = (
    DatabaseError,
    InterfaceError,
    Busy,
    ConnectionError,
    TimeoutError,
    ssl.SSLError,
    socket.gaierror,
    http.client.HTTPException,
)


def exit_code_of(error: BaseException | None) -> int:
    """Return the code for a command that ``error`` ends: whether another service was its cause."""
    if remote_failure(error):
        return REMOTE_FAILURE
    while error is not None:
        if isinstance(error, _OF_OTHERS):
            return REMOTE_FAILURE
        if isinstance(error, SignerUnavailable) and error.__cause__ is None:
            return REMOTE_FAILURE  # a PKI outside said that it cannot sign now
        error = error.__cause__
    return REFUSED
