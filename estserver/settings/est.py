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
LOGGING_CONFIG = None  # estserver.operations.logs.configure reads LOGGING
TEMPLATES: list[dict[str, object]] = []
# A query string is no part of EST and fails no request (RFC 7030 3.2.2 knows none); the server in
# front bounds its length.
DATA_UPLOAD_MAX_NUMBER_FIELDS = None

REST_FRAMEWORK: dict[str, list[str] | None] = {
    # A device is a Client (estserver.est.authentication); there are no users on this side.
    "UNAUTHENTICATED_USER": None,
    "UNAUTHENTICATED_TOKEN": None,
    # The library's own are for people with a browser. Ours are named where they are used.
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PARSER_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": [],
}
SILENCED_SYSTEM_CHECKS = [
    # No page, no form and no cookie is on this side, so nothing is to be framed or forged.
    *("security.W001", "security.W002", "security.W003"),
]
