"""A login by IAM: the token is this process's, for this user and host, and new at each login."""

import re
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import OperationalError

from estserver.config.database import database_settings
from estserver.postgresql import iam_login
from estserver.postgresql.base import DatabaseWrapper
from pki.aws.presigned import presigned_request
from tests.estserver.postgresql.tls_server import HOST, tls_server

RDS = "db.cluster-abc.us-west-2.rds.amazonaws.com"
NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


@pytest.fixture
def at(monkeypatch):
    """Set the time at which tokens are signed."""

    def at(moment):
        def signed(*arguments, **options):
            return presigned_request(*arguments, **options, at=moment)

        monkeypatch.setattr(iam_login, "presigned_request", signed)

    at(NOW)
    return at


def wrapper(url):
    settings = {"TIME_ZONE": None, "AUTOCOMMIT": True}
    return DatabaseWrapper(settings | database_settings(url, data_dir=None))


def test_T71_the_token_is_of_the_user_host_and_region_for_a_quarter_of_an_hour(at):
    params = wrapper(f"postgresql://est_device@{RDS}/est?iam=true").get_connection_params()

    token = params["password"]
    assert token.startswith(f"{RDS}:5432/?")
    query = {key: value for key, [value] in parse_qs(urlsplit(f"https://{token}").query).items()}
    assert (query["Action"], query["DBUser"]) == ("connect", "est_device")
    assert query["X-Amz-Credential"].endswith("/20261127/us-west-2/rds-db/aws4_request")
    assert query["X-Amz-Expires"] == "900"
    assert re.fullmatch("[0-9a-f]{64}", query["X-Amz-Signature"])
    assert params["sslmode"] == "verify-full"


def test_each_login_has_a_new_token(at):
    connection = wrapper(f"postgresql://est@{RDS}:5433/est?iam=true")
    first = connection.get_connection_params()["password"]

    at(NOW + timedelta(minutes=20))

    second = connection.get_connection_params()["password"]
    assert first != second
    assert second.startswith(f"{RDS}:5433/?")


def test_a_database_of_no_known_region_is_out_of_reach(monkeypatch, settings):
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.setattr(
        iam_login, "pki_settings", lambda: type("Settings", (), {"aws_region": ""})()
    )

    with pytest.raises(OperationalError, match=r"takes one\. Set awsRegion\."):
        wrapper("postgresql://est@db.example.com/est?iam=true").get_connection_params()


@pytest.mark.postgresql
def test_T71_a_database_lets_the_token_in_and_an_old_one_no_more(db, at, monkeypatch, tmp_path):
    """The database's check of the token is played by a password that is this token."""
    monkeypatch.setenv("PGHOSTADDR", "127.0.0.1")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    with tls_server() as server:
        url = f"postgresql://est_device@{HOST}:{server.port}/postgres"
        connection = wrapper(f"{url}?iam=true&sslrootcert={server.ca}")
        token = connection.get_connection_params()["password"]
        server.server.execute(f"CREATE ROLE est_device LOGIN PASSWORD '{token}'")
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT current_user")
                assert cursor.fetchone() == ("est_device",)
            # A connection that is made again logs in with a token of its own.
            connection.close()
            at(NOW + timedelta(minutes=1))
            with pytest.raises(OperationalError, match="password authentication failed") as it:
                connection.ensure_connection()
            assert token not in str(it.value)
        finally:
            connection.close()


@pytest.mark.postgresql
def test_an_idle_connection_is_closed_and_made_again_at_the_next_request(db, monkeypatch):
    """As Aurora sees it that would pause: no client is connected while the function is stopped."""
    with tls_server() as server:
        url = f"postgresql://est:{server.password}@127.0.0.1:{server.port}/postgres?idle_seconds=1"
        connection = wrapper(url)
        watching = wrapper(url.partition("?")[0])
        try:
            connection.ensure_connection()
            with watching.cursor() as cursor:
                clients = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = %s"
                cursor.execute(clients, ["client backend"])
                assert cursor.fetchone() == (2,)
                time.sleep(1.5)
                cursor.execute(clients, ["client backend"])
                assert cursor.fetchone() == (1,)
            connection.close_if_unusable_or_obsolete()  # what Django does as a request starts
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
                assert cursor.fetchone() == (1,)
        finally:
            connection.close()
            watching.close()
