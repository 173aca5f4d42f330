"""The OpenID provider that the configuration names, and the addresses that it publishes.

https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig
"""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from pki.operators.errors import OperatorError

SECRET_VARIABLE: Final = "EST_OIDC_CLIENT_SECRET"  # noqa: S105  # the name of a variable
SUPERUSER: Final = "Superuser"
"""What the configuration may map a group to beside the roles."""
TIMEOUT: Final = 10  # seconds for each request to the provider
ALGORITHM: Final = "RS256"  # OpenID Connect Core 3.1.3.7 has it as the default
KEPT_SECONDS: Final = 3600

_ENDPOINTS: Final = (
    "authorization_endpoint",
    "token_endpoint",
    "userinfo_endpoint",
    "jwks_uri",
)


@dataclass(frozen=True, slots=True)
class Provider:
    """What the configuration says of the provider."""

    issuer: str
    client_id: str
    groups_claim: str
    roles: Mapping[str, str]
    """The role here, or ``Superuser``, by the name of a group there."""
    secret_file: Path | None = None

    def client_secret(self) -> str:
        """Return the client's secret. Raises ``OperatorError`` if there is none."""
        if text := os.environ.get(SECRET_VARIABLE):
            return text
        if self.secret_file is None:
            raise OperatorError(
                f"There is no secret for the OpenID provider. Put it into {SECRET_VARIABLE}, or "
                "into a file that oidcClientSecretFile names."
            )
        try:
            return self.secret_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise OperatorError(
                f"The file of oidcClientSecretFile cannot be read: {error.strerror}."
            ) from error


def provider() -> Provider:
    """Return the provider. It is called only where one is configured."""
    found = settings.EST_OIDC
    assert isinstance(found, Provider)  # noqa: S101  # the URLs that lead here exist only then
    return found


def refuse_half_a_configuration(found: Provider) -> None:
    """Raise ``ImproperlyConfigured`` if people could not sign in by the provider."""
    if find_spec("mozilla_django_oidc") is None:
        raise ImproperlyConfigured(
            "oidcIssuer names an OpenID provider, and the library for it is not installed. Run pip "
            "install mozilla-django-oidc, or remove oidcIssuer."
        )
    if not found.client_id or not found.roles:
        raise ImproperlyConfigured(
            "oidcIssuer names an OpenID provider, and oidcClientId or oidcRoles is not set. Write "
            "the name that the provider has given to this server, and a role for a group at least."
        )


_known: dict[str, tuple[float, dict[str, str]]] = {}


def forget() -> None:
    """Drop what providers have published."""
    _known.clear()


def endpoints(issuer: str) -> dict[str, str]:
    """Return the addresses that the provider publishes, from memory for an hour.

    Raises ``OperatorError`` when they cannot be read, or are those of another issuer.
    """
    read_at, found = _known.get(issuer, (0.0, {}))
    if found and time.monotonic() - read_at < KEPT_SECONDS:
        return found
    published = _read(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    if published.get("issuer") != issuer:
        raise OperatorError(
            f"The OpenID provider says that it is {str(published.get('issuer'))[:200]!a}, and the "
            f"configuration names {issuer!a}. Write the same one."
        )
    found = {name: str(published[name]) for name in _ENDPOINTS if name in published}
    missing = sorted({"authorization_endpoint", "token_endpoint", "jwks_uri"} - found.keys())
    if missing:
        raise OperatorError(f"The OpenID provider publishes no {', '.join(missing)}.")
    _known[issuer] = (time.monotonic(), found)
    return found


def _read(url: str) -> dict[str, Any]:
    import requests  # with the library that is installed for this

    try:
        answer = requests.get(url, timeout=TIMEOUT, allow_redirects=False)
        answer.raise_for_status()
        found = answer.json()
    except (requests.RequestException, ValueError) as error:
        raise OperatorError(
            "The OpenID provider does not answer. Try again, or sign in with a password."
        ) from error
    return found if isinstance(found, dict) else {}
