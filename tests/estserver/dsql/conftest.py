"""A cluster that PostgreSQL plays, as the deployment leaves it: with schema and roles."""

import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
import pytest

from estserver.dsql.grants import ADMIN_ROLE, DEVICE_ROLE, setup_statements
from tests.estserver.deploy.packages import ROOT
from tests.support.dsql.clients import connect
from tests.support.dsql.cluster import TESTER, dsql_cluster
from tests.support.postgresql import private_server

SETTINGS = "estserver.settings.admin"
CONFIG = """
Properties:
  apiCustomDomainName: est.example.com
  iotProvisioning: register
"""


@dataclass
class DeployedCluster:
    """The cluster, the PostgreSQL that plays it, and the data directory of a `manage.py`."""

    cluster: object
    server: object
    directory: object
    variables: dict = field(default_factory=dict)
    """More of the environment of its processes."""

    def manage(self, *arguments, user=ADMIN_ROLE, expects=0, environ=None):
        """Run manage.py as a database role; return what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env={**self.environment(user), **(environ or {})},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == expects, done.stdout + done.stderr
        return done.stdout + done.stderr

    def environment(self, user):
        """The environment of a process that uses the cluster."""
        elsewhere = ("EST_", "DATABASE_", "AWS_", "DJANGO_", "PG")
        kept = {n: v for n, v in os.environ.items() if not n.startswith(elsewhere)}
        return {
            **kept,
            **self.cluster.environment(),
            "DATABASE_URL": f"dsql://{user}@{self.cluster.host}/postgres",
            "EST_DATA_DIR": str(self.directory),
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "DJANGO_SETTINGS_MODULE": SETTINGS,
            **self.variables,
        }

    def rows(self, statement, *parameters):
        """Run a statement as PostgreSQL's superuser, past the gate; return its rows."""
        with psycopg.connect(self.server.url(), autocommit=True) as connection:
            cursor = connection.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []


@contextmanager
def deployed_cluster(directory):
    """An empty cluster with the roles of both functions."""
    with private_server() as server, dsql_cluster(server) as cluster:
        with connect(cluster) as session:
            for statement in setup_statements({ADMIN_ROLE: TESTER.arn, DEVICE_ROLE: TESTER.arn}):
                session.execute(statement)
        yield DeployedCluster(cluster, server, directory)


@pytest.fixture
def deployed(tmp_path):
    """An empty cluster, for one test."""
    with deployed_cluster(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The cluster with schema, CAs and the first client, for the tests of a module."""
    with deployed_cluster(tmp_path_factory.mktemp("installed")) as made:
        made.manage("migrate", "--no-input")
        (made.directory / "config.yaml").write_text(CONFIG)
        made.variables["EST_CONFIG"] = str(made.directory / "config.yaml")
        made.manage("bootstrap_cas")
        yield made
