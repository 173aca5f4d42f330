"""Recovery codes: ten random texts, each of which replaces the second factor once."""

import base64
import hashlib
import secrets
from typing import Final

COUNT: Final = 10
_BYTES: Final = 10
"""80 bits, which nobody guesses from a digest. So no slow hash is needed."""
_GROUP: Final = 4
_LENGTH: Final = _BYTES * 8 // 5


def new_codes() -> list[str]:
    """Return ten codes, such as ``abcd-efgh-ijkl-mnop``."""
    return [_grouped(base64.b32encode(secrets.token_bytes(_BYTES)).decode()) for _ in range(COUNT)]


def digest(account: int, code: str) -> str:
    """Return what is stored of a code. The same code of another account has another digest."""
    return hashlib.sha256(f"recovery\0{account}\0{_bare(code)}".encode()).hexdigest()


def looks_like_one(code: str) -> bool:
    """Return whether ``code`` has the length of a recovery code, which no one-time code has."""
    return len(_bare(code)) == _LENGTH


def _bare(code: str) -> str:
    return "".join(code.split()).replace("-", "").casefold()


def _grouped(text: str) -> str:
    lower = text.casefold()
    return "-".join(lower[start : start + _GROUP] for start in range(0, len(lower), _GROUP))
