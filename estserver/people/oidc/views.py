"""The way to the OpenID provider and back.

State, nonce and the verifier of PKCE (RFC 7636) travel in a signed cookie and not in a session,
because a session is a row, and strangers may add none (threat T29).
"""

import logging
import time
from abc import ABC, abstractmethod
from typing import Any, Final

import requests
from django.conf import settings
from django.contrib import auth
from django.contrib.auth.decorators import login_not_required
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.generic import View
from jwt import PyJWTError
from mozilla_django_oidc.views import (  # type: ignore[import-untyped]
    OIDCAuthenticationCallbackView,
    OIDCAuthenticationRequestView,
)

from estserver.people import again
from estserver.people.oidc.backend import AUTH_TIME
from estserver.people.oidc.library_settings import library_setting
from pki.exceptions import Busy
from pki.operators.errors import OperatorError

logger = logging.getLogger(__name__)

COOKIE: Final = "provider"
COOKIE_SECONDS: Final = 600
AGAIN: Final = "again"
"""In the address: the provider shall ask the person for the password, whatever session it has."""

_FAILED: Final = (
    "The answer of the provider could not be used, so nobody was signed in. Begin again from the "
    "sign-in page. If it happens again, the server's log has the cause."
)


class _InCookie(ABC):
    """What both views do: put the cookie in the place of the session, and back."""

    request: HttpRequest

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Answer, or show in a sentence why that cannot be."""
        self.own_session = request.session
        request.session = SessionStore(request.COOKIES.get(COOKIE))
        try:
            response: HttpResponse = super().dispatch(request, *args, **kwargs)  # type: ignore[misc]
        except (OperatorError, Busy) as error:
            response = self._failure(request, str(error))
        except (SuspiciousOperation, PyJWTError, requests.RequestException, KeyError, ValueError):
            logger.warning("a sign-in by the provider failed", exc_info=True)
            response = self._failure(request, _FAILED)
        finally:
            kept, request.session = request.session, self.own_session
        self._set_cookie(response, kept)
        return response

    def _failure(self, request: HttpRequest, sentence: str) -> HttpResponse:
        request.session = self.own_session
        context = {"title": "Sign-in by the provider", "what": sentence}
        return render(request, "admin/console/provider_failed.html", context, status=403)

    @abstractmethod
    def _set_cookie(self, response: HttpResponse, kept: Any) -> None:
        """Put ``kept``, which took the session's place, into the cookie, or delete the cookie."""

    @staticmethod
    def get_settings(attr: str, *args: Any) -> Any:
        """Return a setting of the library, which has none of Django's here."""
        return library_setting(attr, *args)


@method_decorator([never_cache, login_not_required], name="dispatch")
class ToProvider(_InCookie, OIDCAuthenticationRequestView):  # type: ignore[misc]  # no types
    """Send a person to the provider."""

    def __init__(self, **kwargs: Any) -> None:
        # The library's asks for the provider's addresses, and here a failure would be no page.
        View.__init__(self, **kwargs)

    def get(self, request: HttpRequest) -> HttpResponse:
        """Redirect to the provider."""
        self.OIDC_OP_AUTH_ENDPOINT = library_setting("OIDC_OP_AUTHORIZATION_ENDPOINT")
        self.OIDC_RP_CLIENT_ID = library_setting("OIDC_RP_CLIENT_ID")
        response: HttpResponse = super().get(request)
        return response

    def get_extra_params(self, request: HttpRequest) -> dict[str, str]:
        """Have the provider ask for the password, if a page here asks again."""
        return {"prompt": "login", "max_age": "0"} if AGAIN in request.GET else {}

    def _set_cookie(self, response: HttpResponse, kept: Any) -> None:
        if isinstance(response, HttpResponseRedirect):
            kept.save()
            response.set_cookie(
                COOKIE,
                kept.session_key,
                max_age=COOKIE_SECONDS,
                path=reverse("provider_sign_in"),
                secure=settings.SESSION_COOKIE_SECURE,
                httponly=True,
                samesite="Lax",  # the provider sends the person back from another site
            )


@method_decorator([never_cache, login_not_required], name="dispatch")
class FromProvider(_InCookie, OIDCAuthenticationCallbackView):  # type: ignore[misc]  # no types
    """Take a person who comes back from the provider."""

    user: Any

    def login_success(self) -> HttpResponse:
        """Sign the person in, and lead on to the page that they wanted."""
        request, wanted = self.request, self.request.session.get("oidc_login_next")
        request.session = self.own_session
        auth.login(request, self.user)
        proved_at = getattr(self.user, AUTH_TIME, None)
        if not isinstance(proved_at, int) or time.time() - proved_at > again.RECENT.total_seconds():
            again.forget(request)
        return HttpResponseRedirect(wanted or reverse("admin:index"))

    def login_failure(self) -> HttpResponse:
        """Say that nobody was signed in."""
        return self._failure(self.request, _FAILED)

    def _set_cookie(self, response: HttpResponse, kept: Any) -> None:
        response.delete_cookie(COOKIE, path=reverse("provider_sign_in"), samesite="Lax")
