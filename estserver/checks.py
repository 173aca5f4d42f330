"""System checks: settings that a mistake would make unsafe.

`manage.py check` runs those for every machine, and `check --deploy` runs all. A function on Lambda
does not start if one of them fails. Each takes the settings as an argument, so that a test can give
it any.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register, run_checks  # noqa: A004
from django.core.exceptions import ImproperlyConfigured

from estserver.config.admin_exposure import exposures

TAG = "estserver"
YEAR = 365 * 24 * 3600  # seconds
EST_BODY = 64 * 1024  # bytes
PASSWORD_LENGTH = 12
STATEMENT_MILLISECONDS = 5_000

_PASSWORDS = "django.contrib.auth.password_validation."
_DRF_DEFAULTS = (
    "DEFAULT_AUTHENTICATION_CLASSES",
    "DEFAULT_PARSER_CLASSES",
    "DEFAULT_RENDERER_CLASSES",
)
_DRF_OF_PEOPLE = (
    *("BrowsableAPI", "SessionAuthentication", "BasicAuthentication"),
    *("FormParser", "MultiPartParser"),
)
_PEOPLE_APPS = frozenset({"django.contrib.admin", "estserver.console.apps.ConsoleConfig"})
_STATEMENT_TIMEOUT = re.compile(r"statement_timeout=(\d+)\b")


@register(TAG)
def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Return what is wrong on any machine."""
    return [*of_both_sides(settings), *_of_this_side(settings), *of_zappa(settings.BASE_DIR)]


@register(TAG, deploy=True)
def check_deployment(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Return what is wrong where the server is reachable from outside: on Lambda."""
    return [*of_production(settings)]


def refuse_unsafe_settings() -> None:
    """Refuse to start a function on Lambda if one of these checks fails.

    Raises ``ImproperlyConfigured`` with a line for each problem.
    """
    if not settings.IS_LAMBDA:
        return
    found = run_checks(tags=[TAG], include_deployment_checks=True)
    if problems := [message for message in found if message.is_serious()]:
        raise ImproperlyConfigured(
            "\n".join(f"{each.id}: {each.msg} {each.hint}" for each in problems)
        )


def of_both_sides(chosen: Any) -> Iterator[CheckMessage]:
    """Yield E002, E003 and E031: host names, what a client may claim, and slow statements."""
    wild = [name for name in chosen.ALLOWED_HOSTS if name.startswith((".", "*"))]
    if wild:
        yield _error(
            2, f"ALLOWED_HOSTS has the wildcard {wild[0]!r}.", "Name each host in allowedHosts."
        )
    claims = ("SECURE_PROXY_SSL_HEADER", "USE_X_FORWARDED_HOST", "USE_X_FORWARDED_PORT")
    for name in claims:
        if getattr(chosen, name, None):
            yield _error(
                3,
                f"{name} is set, and lets clients claim what only the gateway knows.",
                "Leave it out. Zappa and gunicorn tell Django whether a request came by HTTPS.",
            )
    database = chosen.DATABASES["default"]
    options = str(database.get("OPTIONS", {}).get("options", ""))
    limit = _STATEMENT_TIMEOUT.search(options)
    if "postgresql" in database["ENGINE"] and not (
        limit and 0 < int(limit[1]) <= STATEMENT_MILLISECONDS
    ):
        yield _error(
            31,
            f"DATABASES has no statement_timeout from 1 to {STATEMENT_MILLISECONDS} ms. One slow "
            "query could hold up every request.",
            "Let estserver.config.database make DATABASES. It sets the limit.",
        )


def _of_this_side(chosen: Any) -> Iterator[CheckMessage]:
    return of_people_side(chosen) if _has_admin(chosen) else of_device_side(chosen)


def _has_admin(chosen: Any) -> bool:
    return not _PEOPLE_APPS.isdisjoint(chosen.INSTALLED_APPS)


def of_people_side(chosen: Any) -> Iterator[CheckMessage]:
    """Yield E012 to E016: frames, scripts, who may see a page, and passwords."""
    if chosen.X_FRAME_OPTIONS != "DENY" or not _has(chosen, "XFrameOptionsMiddleware"):
        yield _error(
            12,
            "Other sites may frame the pages.",
            "Set X_FRAME_OPTIONS to DENY, with XFrameOptionsMiddleware.",
        )
    directives = getattr(chosen, "CONTENT_SECURITY_POLICY", {}).get("DIRECTIVES", {})
    lax = [name for name, sources in directives.items() if _is_lax(sources)]
    if "default-src" not in directives or not _has(chosen, "CSPMiddleware"):
        yield _error(
            13,
            "There is no Content-Security-Policy with a default-src.",
            "Set CONTENT_SECURITY_POLICY, with CSPMiddleware.",
        )
    elif lax:
        yield _error(
            13,
            f"The Content-Security-Policy's {lax[0]} allows unsafe sources, or any.",
            "The admin needs 'self' only. Serve what is missing as a static file.",
        )
    if not _has(chosen, "LoginRequiredMiddleware"):
        yield _error(
            14,
            "A page is open to the public unless its view refuses.",
            "Put LoginRequiredMiddleware after AuthenticationMiddleware.",
        )
    if not _has(chosen, "FirstStepsMiddleware"):
        yield _error(
            16,
            "Nothing leads to the first password and the second factor before other pages.",
            "Put FirstStepsMiddleware after LoginRequiredMiddleware and MessageMiddleware.",
        )
    validators = {each["NAME"]: each for each in chosen.AUTH_PASSWORD_VALIDATORS}
    length = validators.get(f"{_PASSWORDS}MinimumLengthValidator", {}).get("OPTIONS", {})
    if (
        length.get("min_length", 0) < PASSWORD_LENGTH
        or f"{_PASSWORDS}CommonPasswordValidator" not in validators
    ):
        yield _error(
            15,
            f"Passwords may be common, or shorter than {PASSWORD_LENGTH} characters.",
            "Set AUTH_PASSWORD_VALIDATORS with MinimumLengthValidator and CommonPasswordValidator.",
        )


def of_device_side(chosen: Any) -> Iterator[CheckMessage]:
    """Yield E020 to E022: how much is read, and that nothing of the people side is there."""
    limit = chosen.DATA_UPLOAD_MAX_MEMORY_SIZE
    if limit is None or limit > EST_BODY:
        yield _error(
            20,
            f"DATA_UPLOAD_MAX_MEMORY_SIZE is {limit}. A device could fill the memory.",
            f"Set it to {EST_BODY} bytes at most. Every CSR fits in.",
        )
    of_people = [
        name for name in (*chosen.INSTALLED_APPS, *chosen.MIDDLEWARE) if "django.contrib" in name
    ]
    if of_people:
        yield _error(
            21,
            f"{of_people[0]} is on the device side, which has no sessions and no admin.",
            "Take it out of INSTALLED_APPS or MIDDLEWARE of estserver.settings.est.",
        )
    drf: Mapping[str, Any] = chosen.REST_FRAMEWORK
    for name in _DRF_DEFAULTS:
        classes = drf.get(name)
        # If it is not set, the library's own default applies, which has them.
        if classes is None or any(word in each for each in classes for word in _DRF_OF_PEOPLE):
            yield _error(
                22,
                f"REST_FRAMEWORK's {name} has classes for people with a browser.",
                "Set it to an empty list, and name each view's own classes in the view.",
            )


def of_production(chosen: Any) -> Iterator[CheckMessage]:
    """Yield E001, E004, E010, E011, E030, E032, W050 and W051: what a laptop may do."""
    if chosen.DEBUG:
        yield _error(
            1, "DEBUG is on. Error pages would show settings and variables.", "Set it to False."
        )
    database = chosen.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        yield _error(
            30,
            "The database is SQLite, whose file is lost with each Lambda environment.",
            "Set databaseSecretName, or DATABASE_URL, to a PostgreSQL database.",
        )
    elif database["CONN_MAX_AGE"] != 0 and not database["CONN_HEALTH_CHECKS"]:
        yield _error(
            32,
            "Connections stay open without CONN_HEALTH_CHECKS. One that was frozen is dead.",
            "Set CONN_HEALTH_CHECKS, or CONN_MAX_AGE to 0.",
        )
    if not _has_admin(chosen):
        return
    try:
        _ = str(chosen.SECRET_KEY)
    except ImproperlyConfigured as error:
        yield _error(
            4,
            str(error),
            "Run aws_deploy --prepare, which makes the secret, or set EST_SECRET_KEY.",
        )
    for name in ("SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SESSION_COOKIE_HTTPONLY"):
        if not getattr(chosen, name):
            yield _error(
                10,
                f"{name} is off. The cookie could be read on its way, or by a script.",
                "Set it to True.",
            )
    if chosen.SECURE_HSTS_SECONDS < YEAR or not _has(chosen, "SecurityMiddleware"):
        yield _error(
            11,
            "Browsers do not keep to HTTPS for a year.",
            f"Set SECURE_HSTS_SECONDS to {YEAR}, with SecurityMiddleware.",
        )
    for open_to_all in exposures(chosen.EST_ADMIN_ALLOWED_NETWORKS, chosen.EST_ADMIN_SECOND_FACTOR):
        yield Warning(
            open_to_all.finding,
            hint=open_to_all.advice,
            id=f"estserver.W{open_to_all.number:03}",
        )


def of_zappa(base: Path) -> Iterator[CheckMessage]:
    """Yield E040 and E041: what Zappa's settings must not say. A package has no such file."""
    try:
        stages: dict[str, dict[str, Any]] = json.loads((base / "zappa_settings.json").read_text())
    except FileNotFoundError:
        return
    except ValueError as error:
        yield _error(
            41,
            f"zappa_settings.json cannot be read: {error}.",
            "Take it from the repository again.",
        )
        return
    for stage, said in stages.items():
        if said.get("context_header_mappings"):
            yield _error(
                40,
                f"{stage} in zappa_settings.json has context_header_mappings, which clients can "
                "overwrite.",
                "Remove it. The certificate is read from the gateway's event.",
            )
        if said.get("debug") or said.get("log_level") == "DEBUG":
            yield _error(
                41,
                f"{stage} in zappa_settings.json logs whole events or answers with tracebacks.",
                'Set debug to false and log_level to "INFO".',
            )


def _has(chosen: Any, middleware: str) -> bool:
    return any(name.endswith(f".{middleware}") for name in chosen.MIDDLEWARE)


def _is_lax(sources: Iterable[object]) -> bool:
    return any("unsafe-" in str(source) or "*" in str(source) for source in sources)


def _error(number: int, message: str, hint: str) -> Error:
    return Error(message, hint=hint, id=f"estserver.E{number:03}")
