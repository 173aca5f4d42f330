"""Secrets that a person types, or that a script hands over on standard input.

They are never arguments: every user of a machine can read the arguments of a process.
"""

import getpass
import sys

from pki.operators.command import refuse


def read_secret(words: str, *, shortest: int = 1) -> str:
    """Return one line from standard input, typed twice and unseen on a terminal.

    Raises ``CommandError`` for fewer characters than ``shortest``, or two lines that differ.
    """
    if sys.stdin.isatty():
        secret = getpass.getpass(f"{words}: ")
        if secret != getpass.getpass(f"{words}, again: "):
            refuse("The two lines differ. Nothing was changed.")
    else:
        secret = sys.stdin.readline().rstrip("\r\n")
    if len(secret) < shortest:
        refuse(f"{words}: it has {len(secret)} characters. Use at least {shortest}.")
    return secret
