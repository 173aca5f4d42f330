"""The device side: RFC 7030 and nothing else. No sessions, no admin, no templates."""

import secrets

from estserver.settings.base import *  # noqa: F403
from estserver.settings.base import ALLOWED_HOSTS, EST_BOOTSTRAP_DOMAIN_NAME

ALLOWED_HOSTS += filter(None, [EST_BOOTSTRAP_DOMAIN_NAME])

# Django asks for one. Nothing is signed with it on this side, so nobody needs to know it.
SECRET_KEY = secrets.token_urlsafe(50)
ROOT_URLCONF = "estserver.urls.est"
WSGI_APPLICATION = "estserver.wsgi_est.application"
INSTALLED_APPS = ["pki", "iotprov", "estserver"]
MIDDLEWARE = ["estserver.est.middleware.RequestMiddleware"]
TEMPLATES: list[dict[str, object]] = []
# A query string is no part of EST and fails no request (RFC 7030 3.2.2 knows none); the server in
# front bounds its length.
DATA_UPLOAD_MAX_NUMBER_FIELDS = None

REST_FRAMEWORK = {
    # A device is a Client (estserver.est.authentication); there are no users on this side.
    "UNAUTHENTICATED_USER": None,
    "UNAUTHENTICATED_TOKEN": None,
}
