"""Two servers with one PostgreSQL, and copies of the same CA keys and certificates."""

import itertools
import shutil
from dataclasses import replace

import pytest

from tests.support.balancer import ADDRESS
from tests.support.members import Member
from tests.support.ports import free_ports
from tests.support.postgresql import private_server

CONFIGURATION = f"""
Properties:
  allowedHosts: ["localhost", "127.0.0.1"]
  iotProvisioning: "none"
  trustedBalancers: ["{ADDRESS}/32"]
  drainSeconds: 2
"""


@pytest.fixture(scope="module")
def postgresql():
    with private_server() as server:
        yield server


@pytest.fixture(scope="module")
def members(postgresql, tmp_path_factory):
    directory = tmp_path_factory.mktemp("cluster")
    configuration = directory / "config.yaml"
    configuration.write_text(CONFIGURATION)
    one, two, admin_port = itertools.islice(free_ports(), 3)
    environment = {"EST_CONFIG": str(configuration), "DATABASE_URL": postgresql.url()}
    first = Member(directory / "one", one, admin_port, environment)
    first.quickstart()
    first.manage("profile_set", "default", "new_names_per_hour=1000000", "--reason=test")
    shutil.copytree(first.data_dir, directory / "two")
    return first, replace(first, data_dir=directory / "two", port=two)
