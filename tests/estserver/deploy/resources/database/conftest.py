"""A cluster that moto makes and PostgreSQL plays, and a configuration that names no database."""

import pytest

from tests.estserver.deploy import moto_database
from tests.estserver.deploy.account import ACCOUNT, WITHOUT_DATABASE
from tests.support.dsql.cluster import TESTER, dsql_cluster
from tests.support.postgresql import private_server


@pytest.fixture(scope="module")
def server():
    """Start a PostgreSQL server for the tests of a module."""
    with private_server() as server:
        yield server


@pytest.fixture
def account(aws_cloud, configured):
    """An empty account, and a Deployment whose configuration names no database."""
    moto_database.recovery_points.clear()
    moto_database.identifiers.clear()
    return configured(WITHOUT_DATABASE)


@pytest.fixture
def played(server, account, monkeypatch):
    """What plays the next cluster; this process is led there."""
    with dsql_cluster(server) as cluster:
        cluster.state.query("DROP SCHEMA IF EXISTS est_server CASCADE")
        for role in ("est_admin", "est_device"):
            cluster.state.query(f"DROP ROLE IF EXISTS {role}")
        cluster.state.query("DELETE FROM sys.iam_pg_role_mappings")
        moto_database.identifiers.append(cluster.host.partition(".")[0])
        for name, value in cluster.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        assert TESTER.arn.split(":")[4] == ACCOUNT
        yield cluster
