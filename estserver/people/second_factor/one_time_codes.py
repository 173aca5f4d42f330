"""One-time codes as authenticator apps make them: RFC 6238 with SHA-1, six digits, 30 seconds.

Apps ignore other parameters, or refuse them:
https://github.com/google/google-authenticator/wiki/Key-Uri-Format
"""

import base64
import hmac
import secrets
import time
from collections.abc import Callable
from typing import Final
from urllib.parse import quote, urlencode

from django_otp.oath import TOTP  # type: ignore[import-untyped]

SECRET_BYTES: Final = 20
"""As many as SHA-1 has, which RFC 4226 (section 4, R6) recommends."""
SECONDS: Final = 30
DIGITS: Final = 6
TOLERANCE: Final = 1
"""Steps before and after the present one of which a code is taken (RFC 6238, section 5.2)."""

clock: Callable[[], float] = time.time


def new_secret() -> bytes:
    """Return a random secret."""
    return secrets.token_bytes(SECRET_BYTES)


def as_text(secret: bytes) -> str:
    """Return a secret as apps take it when it is typed: base32."""
    return base64.b32encode(secret).decode().rstrip("=")


def address(secret: bytes, *, issuer: str, name: str) -> str:
    """Return the ``otpauth`` address that the QR code holds. A colon would end the issuer."""
    issuer = issuer.replace(":", " ")
    parameters = {
        "secret": as_text(secret),
        "issuer": issuer,
        "algorithm": "SHA1",
        "digits": DIGITS,
        "period": SECONDS,
    }
    label = f"{quote(issuer)}:{quote(name)}"
    return f"otpauth://totp/{label}?{urlencode(parameters, quote_via=quote)}"


def matching_step(secret: bytes, code: str, *, after: int) -> int | None:
    """Return the time step later than ``after`` whose code is ``code``, or None.

    Every step that is allowed is compared, so the time that it takes does not tell which it was.
    """
    given = "".join(code.split())
    totp = TOTP(secret, step=SECONDS, digits=DIGITS)
    totp.time = clock()  # one moment for all steps
    found = None
    for drift in range(-TOLERANCE, TOLERANCE + 1):
        totp.drift = drift
        step: int = totp.t()
        is_equal = hmac.compare_digest(f"{totp.token():0{DIGITS}}".encode(), given.encode())
        if is_equal and step > after:
            found = step
    return found
