"""What mozilla-django-oidc reads as settings, from the configuration and from the provider."""

from typing import Any, Final

from estserver.people.oidc.provider import ALGORITHM, TIMEOUT, endpoints, provider

CALLBACK: Final = "provider_callback"
"""The name of the URL to which the provider sends people back."""

_FIXED: Final = {
    "OIDC_RP_SIGN_ALGO": ALGORITHM,
    "OIDC_RP_SCOPES": "openid email profile",
    "OIDC_USE_NONCE": True,
    "OIDC_USE_PKCE": True,
    "OIDC_PKCE_CODE_CHALLENGE_METHOD": "S256",
    "OIDC_TIMEOUT": TIMEOUT,
    "OIDC_AUTHENTICATION_CALLBACK_URL": CALLBACK,
}
_PUBLISHED: Final = {
    "OIDC_OP_AUTHORIZATION_ENDPOINT": "authorization_endpoint",
    "OIDC_OP_TOKEN_ENDPOINT": "token_endpoint",
    "OIDC_OP_USER_ENDPOINT": "userinfo_endpoint",
    "OIDC_OP_JWKS_ENDPOINT": "jwks_uri",
}


def library_setting(attr: str, *default: Any) -> Any:
    """Return the value of a setting of the library.

    Raises ``OperatorError`` if the provider does not answer, or the client has no secret.
    """
    known = provider()
    if attr in _FIXED:
        return _FIXED[attr]
    if attr in _PUBLISHED:
        return endpoints(known.issuer).get(_PUBLISHED[attr], "")
    if attr == "OIDC_RP_CLIENT_ID":
        return known.client_id
    if attr == "OIDC_RP_CLIENT_SECRET":
        return known.client_secret()
    return default[0] if default else None
