"""Settings that have to be as they are: no check fails as they ship, and each is seen failing."""

import json
import os
import secrets
import subprocess
import sys
from types import SimpleNamespace

import pytest
from django.conf import global_settings
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured

from estserver import checks
from estserver.config import PROJECT_ROOT
from estserver.config.database import database_settings
from estserver.settings import admin, est

POSTGRESQL = "postgresql://est@db.example.com/est"
ON_LAMBDA = {
    "SESSION_COOKIE_SECURE": True,
    "CSRF_COOKIE_SECURE": True,
    "SECURE_HSTS_SECONDS": 365 * 24 * 3600,
    "DATABASES": {"default": database_settings(POSTGRESQL, data_dir=PROJECT_ROOT)},
    "EST_ADMIN_ALLOWED_NETWORKS": ("192.0.2.0/24",),
}


def shipped(module, **changes):
    """The settings of a side as on Lambda, with changes."""
    values = {
        name: value
        for source in (global_settings, module)
        for name, value in vars(source).items()
        if name.isupper()
    }
    return SimpleNamespace(**{**values, **ON_LAMBDA, **changes})


def without(names, word):
    return [name for name in names if word not in name]


def database(**changes):
    return {"DATABASES": {"default": {**ON_LAMBDA["DATABASES"]["default"], **changes}}}


def policy(**directives):
    ours = admin.CONTENT_SECURITY_POLICY["DIRECTIVES"]
    return {"CONTENT_SECURITY_POLICY": {"DIRECTIVES": {**ours, **directives}}}


def statement_timeout(value):
    return {"options": f"-c statement_timeout={value} -c lock_timeout=3000"}


class Weak:
    """A SECRET_KEY that says no when it is read."""

    def __str__(self):
        raise ImproperlyConfigured("the secret est/secret-key has 7 characters")


SQLITE = {"DATABASES": {"default": database_settings("", data_dir=PROJECT_ROOT)}}
DRF = est.REST_FRAMEWORK
FAILING = [
    ("E001", checks.of_production, est, {"DEBUG": True}),
    ("E001", checks.of_production, admin, {"DEBUG": True}),
    ("E002", checks.of_both_sides, est, {"ALLOWED_HOSTS": ["*"]}),
    ("E002", checks.of_both_sides, admin, {"ALLOWED_HOSTS": ["a.example.com", ".example.com"]}),
    ("E003", checks.of_both_sides, admin, {"SECURE_PROXY_SSL_HEADER": ("HTTP_X_PROTO", "https")}),
    ("E003", checks.of_both_sides, admin, {"USE_X_FORWARDED_HOST": True}),
    ("E004", checks.of_production, admin, {"SECRET_KEY": Weak()}),
    ("E010", checks.of_production, admin, {"SESSION_COOKIE_SECURE": False}),
    ("E010", checks.of_production, admin, {"CSRF_COOKIE_SECURE": False}),
    ("E010", checks.of_production, admin, {"SESSION_COOKIE_HTTPONLY": False}),
    ("E011", checks.of_production, admin, {"SECURE_HSTS_SECONDS": 3600}),
    (
        "E011",
        checks.of_production,
        admin,
        {"MIDDLEWARE": without(admin.MIDDLEWARE, "SecurityMiddleware")},
    ),
    ("E012", checks.of_people_side, admin, {"X_FRAME_OPTIONS": "SAMEORIGIN"}),
    (
        "E012",
        checks.of_people_side,
        admin,
        {"MIDDLEWARE": without(admin.MIDDLEWARE, "XFrameOptions")},
    ),
    ("E013", checks.of_people_side, admin, policy(**{"script-src": ["'self'", "'unsafe-inline'"]})),
    ("E013", checks.of_people_side, admin, policy(**{"style-src": ["https://*.example.com"]})),
    ("E013", checks.of_people_side, admin, {"CONTENT_SECURITY_POLICY": {}}),
    ("E013", checks.of_people_side, admin, {"MIDDLEWARE": without(admin.MIDDLEWARE, "csp.")}),
    ("E014", checks.of_people_side, admin, {"MIDDLEWARE": without(admin.MIDDLEWARE, "Login")}),
    ("E015", checks.of_people_side, admin, {"AUTH_PASSWORD_VALIDATORS": []}),
    (
        "E015",
        checks.of_people_side,
        admin,
        {"AUTH_PASSWORD_VALIDATORS": admin.AUTH_PASSWORD_VALIDATORS[:1]},
    ),
    ("E016", checks.of_people_side, admin, {"MIDDLEWARE": without(admin.MIDDLEWARE, "FirstSteps")}),
    ("E020", checks.of_device_side, est, {"DATA_UPLOAD_MAX_MEMORY_SIZE": None}),
    ("E020", checks.of_device_side, est, {"DATA_UPLOAD_MAX_MEMORY_SIZE": 1 << 20}),
    ("E021", checks.of_device_side, est, {"INSTALLED_APPS": ["django.contrib.sessions"]}),
    ("E021", checks.of_device_side, est, {"MIDDLEWARE": admin.MIDDLEWARE}),
    (
        "E022",
        checks.of_device_side,
        est,
        {"REST_FRAMEWORK": {k: v for k, v in DRF.items() if "RENDERER" not in k}},
    ),
    (
        "E022",
        checks.of_device_side,
        est,
        {
            "REST_FRAMEWORK": DRF
            | {"DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.x.SessionAuthentication"]}
        },
    ),
    (
        "E022",
        checks.of_device_side,
        est,
        {"REST_FRAMEWORK": DRF | {"DEFAULT_PARSER_CLASSES": ["rest_framework.MultiPartParser"]}},
    ),
    ("E030", checks.of_production, est, SQLITE),
    ("E031", checks.of_both_sides, est, database(OPTIONS={})),
    ("E031", checks.of_both_sides, est, database(OPTIONS=statement_timeout("0"))),
    ("E031", checks.of_both_sides, admin, database(OPTIONS=statement_timeout("5001"))),
    ("E031", checks.of_both_sides, admin, database(OPTIONS=statement_timeout("5min"))),
    ("E031", checks.of_both_sides, est, database(ENGINE="estserver.postgresql_secret", OPTIONS={})),
    ("E032", checks.of_production, est, database(CONN_HEALTH_CHECKS=False)),
]


@pytest.mark.parametrize("module", [est, admin])
def test_what_we_ship_passes(module):
    chosen = shipped(module, **({"SECRET_KEY": "x"} if module is admin else {}))
    of_side = checks.of_people_side if module is admin else checks.of_device_side

    found = [*checks.of_both_sides(chosen), *of_side(chosen), *checks.of_production(chosen)]

    assert found == []
    assert [*checks.of_zappa(PROJECT_ROOT)] == []


@pytest.mark.parametrize(("number", "check", "module", "changes"), FAILING)
def test_T24_each_unsafe_setting_is_an_error(number, check, module, changes):
    found = {message.id: message for message in check(shipped(module, **changes))}

    assert set(found) == {f"estserver.{number}"}
    assert found[f"estserver.{number}"].is_serious()
    assert found[f"estserver.{number}"].hint


@pytest.mark.parametrize(
    ("networks", "second_factor", "numbers"),
    [
        ((), "required", ["W050"]),
        ((), "optional", ["W050", "W051"]),
        ((), "none", ["W050", "W051"]),
        (("192.0.2.0/24",), "none", []),
    ],
)
def test_T86_an_admin_that_is_open_to_every_network_is_a_warning(networks, second_factor, numbers):
    chosen = shipped(
        admin, EST_ADMIN_ALLOWED_NETWORKS=networks, EST_ADMIN_SECOND_FACTOR=second_factor
    )

    found = [*checks.of_production(chosen)]

    assert [message.id for message in found] == [f"estserver.{number}" for number in numbers]
    assert not any(message.is_serious() for message in found)  # a function starts
    assert all(message.hint for message in found)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ("E040", {"context_header_mappings": {"X-SSL-Client-Cert": "identity.clientCert"}}),
        ("E041", {"debug": True}),
        ("E041", {"log_level": "DEBUG"}),
    ],
)
def test_T01_T23_what_zappa_must_not_be_told_is_an_error(tmp_path, number, said):
    (tmp_path / "zappa_settings.json").write_text(json.dumps({"common": {}, "est": said}))

    (message,) = checks.of_zappa(tmp_path)

    assert message.id == f"estserver.{number}"
    assert "est" in message.msg
    assert message.hint


def test_a_package_has_no_zappa_settings_to_check(tmp_path):
    assert [*checks.of_zappa(tmp_path)] == []

    (tmp_path / "zappa_settings.json").write_text("{")

    assert [message.id for message in checks.of_zappa(tmp_path)] == ["estserver.E041"]


def test_both_doors_to_the_checks_are_open(settings):
    settings.ALLOWED_HOSTS = ["*"]
    settings.SESSION_COOKIE_SECURE = False

    always = {message.id for message in run_checks(tags=[checks.TAG])}
    found = run_checks(tags=[checks.TAG], include_deployment_checks=True)

    assert always == {"estserver.E002"}
    assert {"estserver.E002", "estserver.E010"} <= {message.id for message in found}


def test_T24_a_function_doesnt_start_with_unsafe_settings(settings):
    settings.DEBUG = True
    checks.refuse_unsafe_settings()  # a laptop may

    settings.IS_LAMBDA = True

    with pytest.raises(
        ImproperlyConfigured, match=r"estserver\.E001: DEBUG is on\..* Set it to False\."
    ):
        checks.refuse_unsafe_settings()


def in_a_function(side, program, **environ):
    """Run Python as on Lambda, with the settings of a side."""
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("EST_", "DATABASE_", "AWS_"))}
    return subprocess.run(
        [sys.executable, *program],
        cwd=PROJECT_ROOT,
        env=kept
        | {
            "AWS_LAMBDA_FUNCTION_NAME": "est-server",
            "AWS_REGION": "eu-central-1",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
            "DATABASE_URL": POSTGRESQL,
            "DJANGO_SETTINGS_MODULE": f"estserver.settings.{side}",
            "EST_CONFIG": "config/config-local.yaml",
        }
        | environ,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("side", ["est", "admin"])
def test_T24_check_deploy_is_clean_on_lambda(side, tmp_path):
    # The device side has no EST_SECRET_KEY: it signs nothing with one.
    key = {"EST_SECRET_KEY": secrets.token_urlsafe(64)} if side == "admin" else {}
    config = tmp_path / "config.yaml"
    config.write_text('Properties: {adminAllowedNetworks: ["192.0.2.0/24"]}\n')

    done = in_a_function(
        side,
        ["manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        EST_DATA_DIR=str(tmp_path),
        EST_CONFIG=str(config),
        **key,
    )

    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


@pytest.mark.parametrize(
    ("side", "environ", "words"),
    [
        ("admin", {"EST_SECRET_KEY": "short"}, "EST_SECRET_KEY has 5 characters"),
        ("admin", {}, "estserver.E004: secretsmanager:GetSecretValue failed with NoCredentials"),
        ("admin", {"DATABASE_URL": "sqlite:////tmp/x", "EST_SECRET_KEY": "0123456789" * 6}, "E030"),
        ("est", {"DATABASE_URL": "sqlite:////tmp/x"}, "estserver.E030: The database is SQLite"),
        ("est", {"DATABASE_URL": ""}, "estserver.E030: The database is SQLite"),
    ],
)
def test_T24_a_functions_handler_refuses_to_start(side, environ, words, tmp_path):
    done = in_a_function(
        side,
        ["-c", f"import estserver.lambda_{side}"],
        **{"EST_DATA_DIR": str(tmp_path), **environ},
    )

    assert done.returncode != 0
    assert words in done.stderr
