"""What a command is given: a file, standard input, or the text itself."""

import sys
from pathlib import Path

from pki.csr.thing_names import shown
from pki.operators.errors import OperatorError


def read_given(given: str, *, most: int) -> bytes:
    """Return the content of the file ``given``, of standard input for ``-``, or the text itself.

    A text is taken for itself if it is PEM or JSON, because a function in AWS Lambda cannot read an
    operator's files. Reads one byte more than ``most`` at most. Raises ``OperatorError``.
    """
    if given == "-":
        return sys.stdin.buffer.read(most + 1)
    if given.lstrip().startswith(("-----BEGIN", "{")):
        return given.encode()
    try:
        with Path(given).open("rb") as file:
            return file.read(most + 1)
    except (OSError, ValueError) as error:
        # ValueError: the name contains a NUL. The argument may be a long text by mistake.
        reason = getattr(error, "strerror", None) or str(error)
        raise OperatorError(
            f"{shown(given)} cannot be read: {reason}. Give a file that exists, - for standard "
            "input, or the PEM text itself."
        ) from error
