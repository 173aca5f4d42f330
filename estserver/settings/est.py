"""The device side: RFC 7030 and nothing else. No sessions, no admin, no templates."""

import secrets

from estserver.settings.base import *  # noqa: F403
from estserver.settings.base import ALLOWED_HOSTS, CONFIG, EST_BOOTSTRAP_DOMAIN_NAME

ALLOWED_HOSTS += filter(None, [EST_BOOTSTRAP_DOMAIN_NAME])

# Django requires one. Nothing is signed with it on this side, so each process has its own.
SECRET_KEY = secrets.token_urlsafe(50)
EST_TRUSTED_BALANCERS = CONFIG.properties.trusted_balancers
EST_DRAIN_SECONDS = CONFIG.properties.drain_seconds
ROOT_URLCONF = "estserver.urls.est"
WSGI_APPLICATION = "estserver.wsgi_est.application"
INSTALLED_APPS = ["pki", "iotprov", "estserver"]
MIDDLEWARE = ["estserver.est.middleware.RequestMiddleware"]
LOGGING_CONFIG = None  # estserver.operations.logs.configure reads LOGGING
TEMPLATES: list[dict[str, object]] = []
# A query string is no part of EST (RFC 7030 3.2.2), and none makes a request fail. The server in
# front bounds its length.
DATA_UPLOAD_MAX_NUMBER_FIELDS = None

REST_FRAMEWORK: dict[str, list[str] | None] = {
    # A device is a Client (estserver.est.authentication); there are no users on this side.
    "UNAUTHENTICATED_USER": None,
    "UNAUTHENTICATED_TOKEN": None,
    # The library's defaults are for people with a browser. Each view names its own classes.
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PARSER_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": [],
}
SILENCED_SYSTEM_CHECKS = [
    # This side has no page, no form and no cookie, so nothing can be framed or forged.
    *("security.W001", "security.W002", "security.W003"),
]
