"""A cluster for the tests of the gate."""

import pytest

from tests.support.dsql.clients import connect
from tests.support.dsql.cluster import dsql_cluster
from tests.support.postgresql import private_server


@pytest.fixture(scope="module")
def server():
    """Start a PostgreSQL server for the tests of a module."""
    with private_server() as server:
        yield server


@pytest.fixture
def cluster(server):
    """Start a cluster with a new endpoint, and empty what earlier tests left."""
    with dsql_cluster(server) as cluster:
        cluster.state.query("DROP OWNED BY admin CASCADE; DELETE FROM sys.jobs")
        cluster.state.query("GRANT ALL ON SCHEMA public TO admin")
        cluster.state.query("GRANT ALL ON DATABASE postgres TO admin")
        yield cluster


@pytest.fixture
def session(cluster):
    """Log in as admin, make the table ``device`` with two rows, and return the connection."""
    with connect(cluster) as session:
        session.execute(
            "CREATE TABLE device (id int PRIMARY KEY, name text, note text, UNIQUE (name))"
        )
        session.execute("INSERT INTO device VALUES (1, 'a'), (2, 'b')")
        yield session
