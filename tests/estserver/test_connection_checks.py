"""A burst of requests and the connections that a database takes."""

from dataclasses import replace
from types import SimpleNamespace

import psycopg
import pytest
from django.core.checks import run_checks

from estserver import connection_checks
from estserver.config.connections import connection_problem, connections_at_once, known_limit
from tests.support.postgresql import private_server

DSQL = "dsql://est_device@cluster.dsql.eu-central-1.on.aws/postgres"


@pytest.fixture
def config(settings):
    """Set the configuration's limits and its database."""

    def change(
        *, burst=100, reserved=0, url="postgresql://est@db.example.com/est", secret="", choice=""
    ):
        config = settings.CONFIG
        settings.CONFIG = replace(
            config,
            properties=replace(
                config.properties,
                database_url=url,
                database_secret_name=secret,
                database=choice,
            ),
            deployment=replace(
                config.deployment, throttling_burst_limit=burst, reserved_concurrency=reserved
            ),
        )
        return settings.CONFIG

    return change


@pytest.mark.parametrize(
    ("burst", "reserved", "wanted"), [(100, 0, 200), (600, 0, 1200), (600, 50, 650), (10, 50, 20)]
)
def test_a_burst_opens_a_connection_for_each_request_of_both_apis(config, burst, reserved, wanted):
    assert connections_at_once(config(burst=burst, reserved=reserved)) == wanted


@pytest.mark.parametrize(
    ("named", "limit"),
    [
        ({"url": DSQL}, 1000),
        ({"url": ""}, 1000),  # on AWS, the deployment's own cluster
        ({"url": "", "choice": "dsql"}, 1000),
        ({"url": "", "choice": "stack est-database"}, None),
        ({"url": "postgresql://est@db.example.com/est"}, None),
        ({"url": "", "secret": "est/database"}, None),
    ],
)
def test_the_limit_of_aurora_dsql_is_known_and_that_of_postgresql_is_not(config, named, limit):
    assert known_limit(config(**named)) == limit


@pytest.mark.parametrize(("burst", "is_wrong"), [(100, False), (500, False), (501, True)])
def test_the_defaults_fit_and_too_large_a_burst_is_told(config, burst, is_wrong):
    chosen = config(burst=burst, url=DSQL)

    problem = connection_problem(chosen, known_limit(chosen))

    assert bool(problem) == is_wrong
    if is_wrong:
        assert problem.startswith(
            "throttlingBurstLimit is 501, so that the two APIs may open 1002 connections to the "
            "database at once, and it takes 1000."
        )
    found = [each for each in run_checks() if each.id == "estserver.W050"]
    assert [each.msg for each in found] == ([problem] if is_wrong else [])


@pytest.mark.postgresql
def test_postgresql_is_asked_where_a_check_may_ask_it(config, monkeypatch):
    config(burst=10_000)
    with private_server() as server, psycopg.connect(server.url()) as connection:
        asked = SimpleNamespace(vendor="postgresql", cursor=connection.cursor)
        monkeypatch.setattr(connection_checks, "connections", {"default": asked})
        (held,) = connection.execute("SHOW max_connections").fetchone()

        with_database = connection_checks.check_connections(None, databases=["default"])
        without = connection_checks.check_connections(None)

    assert without == []
    assert [each.id for each in with_database] == ["estserver.W050"]
    assert f" at once, and it takes {held}." in with_database[0].msg
