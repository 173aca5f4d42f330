"""A database that a secret names: what the secret may say, and that a connection asks it."""

import json
import traceback

import pytest
from django.db import OperationalError

from estserver.config import ConfigError
from estserver.config.database import database_settings
from estserver.postgresql.tls import RDS_CA_BUNDLE
from estserver.postgresql_secret.base import DatabaseWrapper
from estserver.postgresql_secret.content import with_secret
from tests.support.postgresql import private_server
from tests.support.secrets_manager import put

NAME = "est/database"
PASSWORD = "hunter2"
RDS = {
    "engine": "postgres",
    "host": "db.example.com",
    "port": 5433,
    "username": "est",
    "password": PASSWORD,
    "dbname": "estdb",
}


def settings_for(url=""):
    return database_settings(url, data_dir=None, secret_name=NAME)


def wrapper(url=""):
    defaults = {"TIME_ZONE": None, "AUTOCOMMIT": True}
    return DatabaseWrapper({**defaults, **settings_for(url)})


def content(**changes):
    return json.dumps({k: v for k, v in {**RDS, **changes}.items() if v is not None}).encode()


def test_rds_json_says_everything():
    found = with_secret(settings_for(), NAME, content())

    parts = {key: found[key] for key in ("HOST", "PORT", "NAME", "USER", "PASSWORD")}
    assert parts == {
        "HOST": "db.example.com",
        "PORT": "5433",
        "NAME": "estdb",
        "USER": "est",
        "PASSWORD": PASSWORD,
    }
    assert "statement_timeout=5000" in found["OPTIONS"]["options"]
    assert found["CONN_MAX_AGE"] is None
    assert found["CONN_HEALTH_CHECKS"] is True


def test_a_url_in_the_secret_keeps_its_own_sslmode():
    url = f"postgresql://est:{PASSWORD}@db.example.com/estdb?sslmode=verify-full"

    found = with_secret(settings_for(), NAME, url.encode())

    assert (found["HOST"], found["USER"], found["PASSWORD"]) == ("db.example.com", "est", PASSWORD)
    assert found["OPTIONS"]["sslmode"] == "verify-full"


def test_the_url_says_what_rds_own_secret_leaves_out_and_where_the_proxy_is():
    bare = content(host=None, port=None, dbname=None, engine=None)

    for said in (bare, content()):
        found = with_secret(settings_for("postgresql://proxy.example.com/est"), NAME, said)
        assert (found["HOST"], found["NAME"], found["USER"]) == ("proxy.example.com", "est", "est")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (content(host=None, dbname=None), "has no host and no dbname. Add it"),
        (content(password=None), "has no password"),
        (content(engine="mysql"), "is of a database of the kind 'mysql'"),
        (f'{{"password": "{PASSWORD}"'.encode(), "begins like JSON and is not JSON"),
        (f"postgresql://u:{PASSWORD}#@h/db".encode(), "Percent-encode special characters"),
        (f"sqlite:///{PASSWORD}".encode(), "neither a postgresql:// URL nor RDS's JSON"),
        (b"postgresql://u@h/db?iam=true", "neither a postgresql:// URL nor RDS's JSON"),
        (b"postgresql://h/db?secret=another", "neither a postgresql:// URL nor RDS's JSON"),
        (b"", "neither a postgresql:// URL nor RDS's JSON"),
    ],
)
def test_T22_a_secret_that_isnt_fit_is_refused_without_its_content(said, words):
    with pytest.raises(ConfigError) as caught:
        with_secret(settings_for(), NAME, said)

    assert words in str(caught.value)
    error: BaseException | None = caught.value
    while error is not None:
        assert PASSWORD not in "".join(traceback.format_exception_only(error))
        error = error.__cause__ or error.__context__


def test_each_connection_reads_the_secret_so_that_a_new_password_and_host_are_found(aws_cloud):
    connection = wrapper()
    put(NAME, content().decode())
    assert connection.get_connection_params()["password"] == PASSWORD

    put(NAME, content(password="rotated", host="other.example.com").decode())

    params = connection.get_connection_params()
    assert (params["password"], params["host"]) == ("rotated", "other.example.com")
    assert params["dbname"] == "estdb"
    assert params["sslmode"] == "verify-full"


def test_T70_the_host_of_the_secret_is_the_one_that_has_to_prove_its_name(aws_cloud):
    host = "db.cluster-abc.eu-central-1.rds.amazonaws.com"
    put(NAME, f"postgresql://est:{PASSWORD}@{host}/est?sslmode=require")

    params = wrapper().get_connection_params()

    assert params["sslmode"] == "verify-full"
    assert params["sslrootcert"] == str(RDS_CA_BUNDLE)


def test_a_missing_secret_is_a_database_out_of_reach(aws_cloud):
    with pytest.raises(OperationalError, match=f"There is no secret {NAME}, or it is empty"):
        wrapper().get_connection_params()


def test_aws_out_of_reach_is_a_database_out_of_reach():
    with pytest.raises(OperationalError, match="secretsmanager:GetSecretValue failed with"):
        wrapper().get_connection_params()


@pytest.mark.postgresql
def test_a_connection_is_made_and_bounded_by_what_the_secret_says(db, aws_cloud):
    with private_server() as server:
        put(NAME, f"{server.url()}?sslmode=disable")
        connection = wrapper()
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT current_user, current_setting('statement_timeout')")
                assert cursor.fetchone() == ("est", "5s")
        finally:
            connection.close()
