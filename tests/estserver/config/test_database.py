"""From a database URL to Django's settings, and no password in any refusal."""

import sqlite3
import sys
import traceback
from pathlib import Path

import pytest

from estserver.config import ConfigError, database
from estserver.config.database import database_settings

DATA = Path("/srv/est")
SECRET = "hunter2"
GONE_AFTER = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("", "/srv/est/est.sqlite3"),
        ("sqlite:///other.sqlite3", "/srv/est/other.sqlite3"),
        ("sqlite:///a%20b.sqlite3", "/srv/est/a b.sqlite3"),
        ("sqlite:////tmp/abs.sqlite3", "/tmp/abs.sqlite3"),
    ],
)
def test_sqlite_lies_in_the_data_directory_unless_absolute(url, name):
    settings = database_settings(url, data_dir=DATA)

    assert settings["ENGINE"] == "django.db.backends.sqlite3"
    assert settings["NAME"] == name


def test_sqlite_writes_durably_and_waits_for_the_other_writer(tmp_path):
    settings = database_settings("", data_dir=tmp_path)

    assert settings["CONN_MAX_AGE"] is None
    assert settings["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert settings["OPTIONS"]["timeout"] == 20
    connection = sqlite3.connect(settings["NAME"])
    try:
        connection.executescript(settings["OPTIONS"]["init_command"])
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    finally:
        connection.close()


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "PostgreSQL"])
def test_postgresql_parts_are_percent_decoded(scheme):
    settings = database_settings(
        f"{scheme}://est%40corp:p%2Fa%23s%3As%3F@db.example.com:5433/est%20db?sslmode=verify-full",
        data_dir=DATA,
    )

    assert settings == {
        "ENGINE": "estserver.postgresql",
        "NAME": "est db",
        "USER": "est@corp",
        "PASSWORD": "p/a#s:s?",
        "HOST": "db.example.com",
        "PORT": "5433",
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "connect_timeout": 5,
            **GONE_AFTER,
            "sslmode": "verify-full",
            "options": "-c statement_timeout=5000 -c lock_timeout=3000 "
            "-c idle_in_transaction_session_timeout=10000",
        },
    }


def test_postgresql_leaves_out_what_the_url_does():
    settings = database_settings("postgres:///est", data_dir=DATA)

    assert [settings[key] for key in ("USER", "PASSWORD", "HOST", "PORT")] == [""] * 4


def test_postgresql_can_be_reached_by_a_unix_socket():
    settings = database_settings("postgres://est@/est?host=/run/PostgreSQL", data_dir=DATA)

    assert settings["HOST"] == "/run/PostgreSQL"
    assert "host" not in settings["OPTIONS"]


def test_postgresql_takes_an_ipv6_host():
    assert database_settings("postgres://[::1]/est", data_dir=DATA)["HOST"] == "::1"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (f"mysql://u:{SECRET}@h/db", "begins with mysql://. Wanted: postgresql://"),
        (f"u:{SECRET}@h/db", "has no scheme"),
        (f"{SECRET}:postgres://u@h/db", "has no scheme"),
        (f"{SECRET}", "has no scheme"),
        (f"postgres://u:{SECRET}#x@h/db", "Percent-encode special characters"),
        (f"postgres://u:{SECRET}/x@h/db", "Percent-encode special characters"),
        (f"postgres://u:x?{SECRET}@h/db", "Percent-encode special characters"),
        (f"postgres://u:1/{SECRET}@h/db", "names no database after the host"),
        (f"postgres://u:1?{SECRET}@h/db", "names no database after the host"),
        (f"postgres://u:p@h/db?{SECRET}=1", "1 parameter(s) after '?' that are not known"),
        (f"postgres://u:p@h/db?options={SECRET}", "parameter(s) after '?' that are not known"),
        (f"postgres://u:p@h/db?sslmode={SECRET}", "sslmode is not one of disable, allow"),
        (f"postgres://u:{SECRET}@h/db#x", "has a '#'"),
        (f"postgres://u:{SECRET}@h", "names no database after the host"),
        (f"postgres://u:{SECRET}@h/", "names no database after the host"),
        (f"postgres://u:{SECRET}@h/a/b", "names no database after the host"),
        (f"postgres://u:{SECRET}@h:99999/db", "Percent-encode special characters"),
        (f"postgres://u:{SECRET}%FF@h/db", "Percent-encode special characters"),
        (f"postgres://u:{SECRET}[@h/db", "Percent-encode special characters"),
        (f"postgres://u:{SECRET}\uff0f@h/db", "Percent-encode special characters"),
        (f"postgres://u:{SECRET}@h/db?iam=true", "iam=true, so that IAM hands out a token"),
        ("postgres://h/db?iam=true", "with a user and without a password"),
        (f"postgres://u@h/db?iam={SECRET}", "iam is not true"),
        ("postgres://h/db?secret=", "secret has no name"),
        ("postgres://h/db?idle_seconds=0", "idle_seconds is not a number of seconds from 1"),
        (f"postgres://h/db?idle_seconds={SECRET}", "idle_seconds is not a number of seconds"),
        (f"postgres://u:{SECRET}@h/db?secret=est/db", "without a password, goes with it"),
        ("postgres://u@h/db?secret=est/db&iam=true", "Leave out one of the two"),
        ("sqlite:///", "has a path and nothing else"),
        (f"sqlite://{SECRET}/db", "has a path and nothing else"),
        ("sqlite:///:memory:", "forgets which certificates were issued"),
    ],
)
def test_T22_a_refusal_says_what_is_wanted_and_never_the_password(url, words):
    with pytest.raises(ConfigError) as caught:
        database_settings(url, data_dir=DATA)

    assert words in str(caught.value)
    # Not in a traceback either, which shows causes and contexts but no local variables.
    error: BaseException | None = caught.value
    while error is not None:
        assert SECRET not in "".join(traceback.format_exception_only(error))
        error = error.__cause__ or error.__context__


def test_aurora_dsql_has_tokens_for_passwords_and_connections_below_its_hour(monkeypatch):
    monkeypatch.setattr(database, "DSQL_BACKEND", "json")  # stands for the adapter

    settings = database_settings(
        "dsql://admin@abc.dsql.eu-west-1.on.aws/postgres?sslmode=verify-full", data_dir=DATA
    )

    assert settings == {
        "ENGINE": "json",
        "NAME": "postgres",
        "USER": "admin",
        "PASSWORD": "",
        "HOST": "abc.dsql.eu-west-1.on.aws",
        "PORT": "",
        "CONN_MAX_AGE": 3000,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": 5, **GONE_AFTER, "sslmode": "verify-full"},
    }


def test_aurora_dsql_without_its_adapter_is_refused_in_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "aurora_dsql_django", None)
    with pytest.raises(ConfigError, match=r"adapter is not installed\. Install requirements\.txt"):
        database_settings("dsql://admin@abc.dsql.eu-west-1.on.aws/postgres", data_dir=DATA)


def test_T22_aurora_dsql_takes_no_password():
    with pytest.raises(ConfigError, match="has no password, because IAM") as caught:
        database_settings(f"dsql://admin:{SECRET}@host/postgres", data_dir=DATA)

    assert SECRET not in str(caught.value)


def test_iam_is_the_password_where_the_url_says_so():
    settings = database_settings("postgresql://est@db.example.com/est?iam=true", data_dir=DATA)

    assert (settings["ENGINE"], settings["IAM_LOGIN"]) == ("estserver.postgresql", True)
    assert (settings["USER"], settings["PASSWORD"]) == ("est", "")
    assert "iam" not in settings["OPTIONS"]


def test_idle_connections_are_closed_by_the_server_where_the_url_says_so():
    settings = database_settings("postgresql://db.example.com/est?idle_seconds=60", data_dir=DATA)

    assert "-c idle_session_timeout=60000" in settings["OPTIONS"]["options"]
    assert "idle_seconds" not in settings["OPTIONS"]


def test_a_secret_that_the_url_names_is_the_same_as_the_configurations():
    url = "postgresql://db.example.com:5433/est"

    named = database_settings(f"{url}?secret=arn:aws:secretsmanager:x:1:secret:a", data_dir=DATA)

    secret = "arn:aws:secretsmanager:x:1:secret:a"
    assert named == database_settings(url, data_dir=DATA, secret_name=secret)
    assert named["ENGINE"] == "estserver.postgresql_secret"
    assert "secret" not in named["OPTIONS"]


def test_aurora_dsql_knows_neither_of_the_two(monkeypatch):
    monkeypatch.setattr(database, "DSQL_BACKEND", "json")  # stands for the adapter

    for parameter in ("iam=true", "secret=x", "idle_seconds=60"):
        with pytest.raises(ConfigError, match=r"1 parameter\(s\) after"):
            database_settings(f"dsql://admin@h.dsql.eu-west-1.on.aws/db?{parameter}", data_dir=DATA)


@pytest.mark.parametrize("url", [f"postgresql://u:{SECRET}@h/db", "sqlite:///a", "dsql://a@h/b"])
def test_what_says_otherwise_beside_a_secret_is_refused(url):
    with pytest.raises(ConfigError, match="databaseSecretName is set too") as caught:
        database_settings(url, data_dir=DATA, secret_name="db")

    assert SECRET not in str(caught.value)
