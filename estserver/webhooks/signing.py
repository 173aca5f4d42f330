"""Secrets and signatures of webhooks, as Standard Webhooks 1.0 has them.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hmac
import secrets
from collections.abc import Iterable
from typing import Final

from estserver.people.sealed import seal, unseal

PREFIX: Final = "whsec_"
_BYTES: Final = 32  # the specification wants 24 to 64
_PURPOSE: Final = "webhook"


def new_secret() -> str:
    """Return a random secret in the form in which receivers' libraries take it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def seal_secret(secret: str) -> str:
    """Return the secret as a column keeps it."""
    return seal(secret.encode(), purpose=_PURPOSE)


def unseal_secret(sealed: str) -> str:
    """Return what was sealed. Raises ``CannotUnseal``."""
    return unseal(sealed, purpose=_PURPOSE).decode()


def signature_headers(
    identifier: str, timestamp: int, body: bytes, known: Iterable[str]
) -> dict[str, str]:
    """Return the headers that prove where ``body`` comes from, and when it was sent.

    Args:
        identifier: the message's, the same at each attempt, without a full stop.
        timestamp: seconds since 1970, of this attempt.
        known: the secrets that the receiver may have, each of which makes a signature.
    """
    signed = b".".join((identifier.encode(), str(timestamp).encode(), body))
    signatures = (f"v1,{_signature(secret, signed)}" for secret in known)
    return {
        "webhook-id": identifier,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
