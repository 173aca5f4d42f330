"""Secrets in the database that only this installation can read: second factors, webhooks' keys.

The key is derived from Django's SECRET_KEY, which is not in the database, so a copy of the database
(a backup, an injected SELECT) tells nothing. After SECRET_KEY changed, put the earlier one into
SECRET_KEY_FALLBACKS, else what it sealed has to be given again.
"""

import base64

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


class CannotUnseal(Exception):
    """What was sealed with a SECRET_KEY that is not known any more, or for another purpose."""


def seal(secret: bytes, *, purpose: str) -> str:
    """Return ``secret`` encrypted and authenticated, as text for a column.

    ``purpose``, such as ``totp``, makes the key: what was sealed for one cannot be used for
    another.
    """
    return _keys(purpose).encrypt(secret).decode()


def unseal(sealed: str, *, purpose: str) -> bytes:
    """Return what was sealed for ``purpose``. Raises ``CannotUnseal``."""
    try:
        return _keys(purpose).decrypt(sealed.encode())
    except InvalidToken as error:
        raise CannotUnseal(
            "The secret was sealed with another SECRET_KEY. Put the earlier one into "
            "SECRET_KEY_FALLBACKS, or give the secret again."
        ) from error


def _keys(purpose: str) -> MultiFernet:
    # Django's settings may hold keys that are read when they are used, so str.
    known = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet([Fernet(_derived(str(key), purpose)) for key in known])


def _derived(secret_key: str, purpose: str) -> bytes:
    """Return a Fernet key by HKDF (RFC 5869). A SECRET_KEY is random, so no slow hash is needed."""
    derivation = HKDF(algorithm=SHA256(), length=32, salt=None, info=f"sealed: {purpose}".encode())
    return base64.urlsafe_b64encode(derivation.derive(secret_key.encode()))
