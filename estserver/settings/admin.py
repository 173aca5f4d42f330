"""The people side, and every management command: the web admin, without any EST URL."""

import datetime
import os

from csp.constants import NONE, SELF

from estserver.config.secret_key import earlier_secret_keys, secret_key
from estserver.local_server import PLAIN_HTTP
from estserver.settings.base import *  # noqa: F403
from estserver.settings.base import ALLOWED_HOSTS, BASE_DIR, CONFIG, EST_DATA_DIR, IS_LAMBDA
from estserver.settings.est import REST_FRAMEWORK as REST_FRAMEWORK

# Without a domain of its own, the admin is at the API's default endpoint. AWS chooses its name, and
# aws_deploy writes that into the function's environment.
ALLOWED_HOSTS += filter(
    None, [CONFIG.properties.admin_domain_name, os.environ.get("EST_ADMIN_ENDPOINT")]
)

_SECRET_NAME = CONFIG.properties.secret_key_secret_name if IS_LAMBDA else ""
SECRET_KEY = secret_key(EST_DATA_DIR, secret_name=_SECRET_NAME)
SECRET_KEY_FALLBACKS = earlier_secret_keys(EST_DATA_DIR, secret_name=_SECRET_NAME)
ROOT_URLCONF = "estserver.urls.admin"
WSGI_APPLICATION = "estserver.wsgi_admin.application"
INSTALLED_APPS = [
    "estserver.console.apps.ConsoleConfig",  # django.contrib.admin, with the console's site
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "csp",
    "pki",
    "iotprov",
    "estserver",
]
MIDDLEWARE = [
    "estserver.people.source_address.SourceAddressMiddleware",
    "estserver.people.request_log.RequestLogMiddleware",  # whatever answers, the line is written
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "estserver.people.probes.ProbeMiddleware",  # before any that reads the Host header
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "estserver.people.sessions.record.SessionRulesMiddleware",
    "estserver.people.sign_in.required.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "estserver.people.sign_in.first_steps.FirstStepsMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "estserver.console.conflicts.ConflictMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
EST_ADMIN_TWO_PERSONS = CONFIG.properties.admin_two_persons
EST_OIDC = None
if CONFIG.properties.oidc_issuer and not IS_LAMBDA:  # the functions' package has no library for it
    from estserver.people.oidc.provider import Provider

    EST_OIDC = Provider(
        issuer=CONFIG.properties.oidc_issuer,
        client_id=CONFIG.properties.oidc_client_id,
        groups_claim=CONFIG.properties.oidc_groups_claim,
        roles=CONFIG.properties.oidc_roles,
        secret_file=CONFIG.resolve(CONFIG.properties.oidc_client_secret_file)
        if CONFIG.properties.oidc_client_secret_file
        else None,
    )
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    *(["estserver.people.oidc.backend.ProviderBackend"] if EST_OIDC else []),
]
EST_ADMIN_ALLOWED_NETWORKS = CONFIG.properties.admin_allowed_networks
EST_ADMIN_SECOND_FACTOR = CONFIG.properties.admin_second_factor
LOGIN_URL = "admin:login"
CSRF_FAILURE_VIEW = "estserver.console.errors.csrf_failure"
LOGIN_REDIRECT_URL = "admin:index"
# As Django's admin expects. The EST side never redirects.
APPEND_SLASH = True

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": (
            "whitenoise.storage.CompressedManifestStaticFilesStorage"
            if IS_LAMBDA
            else "django.contrib.staticfiles.storage.StaticFilesStorage"
        )
    },
}
WHITENOISE_USE_FINDERS = not IS_LAMBDA

# Nothing inline and nothing from elsewhere, because the admin only needs its own files.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
EST_ADMIN_IDLE_TIME = datetime.timedelta(minutes=CONFIG.properties.admin_idle_minutes)
EST_ADMIN_SESSION_LENGTH = datetime.timedelta(hours=CONFIG.properties.admin_session_hours)
EST_ADMIN_SESSION_NOTED_EVERY = datetime.timedelta(minutes=1)  # how often its use is written
SESSION_COOKIE_AGE = int(EST_ADMIN_SESSION_LENGTH.total_seconds())
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
# `runest` sets the variable where it serves the admin by plain HTTP on loopback. Anywhere else, in
# a container behind a proxy too, cookies travel by HTTPS only.
IS_PLAIN_HTTP = os.environ.get(PLAIN_HTTP) == "1"
SESSION_COOKIE_SECURE = not IS_PLAIN_HTTP
CSRF_COOKIE_SECURE = not IS_PLAIN_HTTP
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if IS_LAMBDA else 0
SILENCED_SYSTEM_CHECKS = [
    "security.W005",  # includeSubDomains: other names below the admin's may not have HTTPS
    "security.W008",  # API Gateway answers on HTTPS only, so there is nothing to redirect
    "security.W021",  # browsers' preload list is up to the owner of the whole domain
]
# Of each token, in each process (estserver.api.throttling).
API_REQUESTS_PER_MINUTE = 600
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024  # a denylist CSV, a truststore

# Mails of notices (estserver.webhooks.notice_channels), which has the password.
EMAIL_HOST = CONFIG.properties.smtp_host or "localhost"
EMAIL_PORT = CONFIG.properties.smtp_port
EMAIL_USE_TLS = CONFIG.properties.smtp_security == "starttls"
EMAIL_USE_SSL = CONFIG.properties.smtp_security == "tls"
EMAIL_HOST_USER = CONFIG.properties.smtp_user
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = CONFIG.properties.notice_email_from or f"est-server@{EMAIL_HOST}"
