"""The backend of mozilla-django-oidc, with what it leaves out: issuer, audience, who gets in."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest
from mozilla_django_oidc.auth import OIDCAuthenticationBackend  # type: ignore[import-untyped]

from estserver.people.oidc.admission import Person, admit
from estserver.people.oidc.library_settings import library_setting
from estserver.people.oidc.provider import endpoints, provider

AUTH_TIME = "oidc_auth_time"
"""On the account, for the view: when the person proved who they are, as the provider says."""


class ProviderBackend(OIDCAuthenticationBackend):  # type: ignore[misc]  # it has no types
    """Accounts by issuer and subject, roles by groups."""

    gives_second_factor = True  # the provider asks for one where it wants one

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Django makes each backend for each check of a permission, which must not ask the provider.
        self.UserModel = User

    @staticmethod
    def get_settings(attr: str, *args: Any) -> Any:
        """Return a setting of the library, which has none of Django's here."""
        return library_setting(attr, *args)

    def get_user(self, user_id: Any) -> Any:
        """Return the account of a session if it is active. The library's own returns any."""
        return ModelBackend.get_user(self, user_id)

    def authenticate(self, request: HttpRequest | None, **kwargs: Any) -> Any:
        """Return the account of the person who comes back from the provider.

        Raises ``OperatorError`` with a sentence when they do not get in.
        """
        if not kwargs.get("nonce"):  # somebody signs in with a password
            return None
        super().__init__()
        return super().authenticate(request, **kwargs)

    def verify_token(self, token: Any, **kwargs: Any) -> Any:
        """Verify the ID token's signature, times, nonce, issuer and audience.

        The library looks at neither issuer nor audience.
        https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation
        """
        claims = super().verify_token(token, **kwargs)
        known = provider()
        audience = claims.get("aud")
        audiences = [audience] if isinstance(audience, str) else list(audience or ())
        if claims.get("iss") != known.issuer:
            raise SuspiciousOperation("The ID token is of another issuer.")
        if known.client_id not in audiences:
            raise SuspiciousOperation("The ID token is for another client.")
        if len(audiences) > 1 and claims.get("azp") != known.client_id:
            raise SuspiciousOperation("The ID token was given to another client.")
        if not claims.get("sub") or "exp" not in claims:
            raise SuspiciousOperation("The ID token names nobody, or does not end.")
        return claims

    def get_or_create_user(self, access_token: Any, id_token: Any, payload: Any) -> Any:
        """Return the account. Claims of userinfo count if they are of the same person."""
        known = provider()
        claims = dict(payload)
        if known.groups_claim not in claims and "userinfo_endpoint" in endpoints(known.issuer):
            more = self.get_userinfo(access_token, id_token, payload)
            # https://openid.net/specs/openid-connect-core-1_0.html#UserInfoResponse
            if more.get("sub") != claims["sub"]:
                raise SuspiciousOperation("The claims of userinfo are of another person.")
            claims = {**more, **claims}
        person = Person.of_claims(claims, known)
        source = self.request.META.get("REMOTE_ADDR") or None
        account = admit(person, known, source_ip=source)
        setattr(account, AUTH_TIME, claims.get("auth_time"))
        return account
