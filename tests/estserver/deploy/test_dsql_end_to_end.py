"""The sample with domain and certificate alone: the deployment makes the database itself.

moto makes the cluster, and PostgreSQL plays it behind a gate that refuses what Aurora DSQL refuses.
"""

import json
import re

import pytest

from tests.estserver.deploy import moto_database, moto_lambda
from tests.estserver.deploy.account import ACCOUNT, REGION
from tests.estserver.deploy.cloud import ADMIN, EST, prepared_cloud
from tests.estserver.deploy.devices import enroll_event, issued
from tests.estserver.deploy.iam.cloud_calls import judged_calls
from tests.estserver.deploy.iam.judging import refused
from tests.support.dsql.cluster import TESTER, dsql_cluster
from tests.support.dsql.login import Principal
from tests.support.postgresql import private_server

# Minutes each: in `make test-deploy` and `make proof`.
pytestmark = [pytest.mark.deploy, pytest.mark.proof, pytest.mark.timeout(1800)]


def principal(function):
    """What a function is at the cluster: its role, which may log in, and not as admin."""
    role = f"arn:aws:iam::{ACCOUNT}:role/{function}-{REGION}"
    return Principal(role, "testing", actions=frozenset({"dsql:DbConnect"}))


@pytest.fixture(scope="module")
def cluster():
    """What plays the cluster that will be made."""
    with private_server() as server, dsql_cluster(server) as cluster:
        for function in (EST, ADMIN):
            cluster.state.principals[moto_lambda.access_key(function)] = principal(function)
        assert cluster.state.principals["testing"] == TESTER
        yield cluster


@pytest.fixture(scope="module")
def cloud(moto_server, cluster, tmp_path_factory):
    """An account with a domain and a certificate, and the sample filled in with these."""
    moto_database.recovery_points.clear()
    moto_database.identifiers[:] = [cluster.host.partition(".")[0]]
    directory = tmp_path_factory.mktemp("cloud")
    with prepared_cloud(moto_server, directory, led_by=cluster.environment()) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def printed(cloud):
    """What the two deployments said."""
    return {stage: cloud.run("zappa", "deploy", stage) for stage in ("admin", "est")}


@pytest.fixture(scope="module")
def client(cloud, printed):
    """An EST client with the first client's certificate."""
    return cloud.first_client


@pytest.fixture(scope="module")
def device(cloud, client):
    """A device's certificate."""
    status, _, data = cloud.ask(enroll_event(client, "pump-1"))
    assert status == 200, data
    return issued(data)


def database_urls(cloud):
    return {
        function: cloud.client("lambda").get_function_configuration(FunctionName=function)[
            "Environment"
        ]["Variables"]["DATABASE_URL"]
        for function in (EST, ADMIN)
    }


def test_the_deployment_makes_the_cluster_and_tells_each_function_its_role(cloud, cluster, printed):
    assert cloud.client("dsql").list_clusters()["clusters"][0]["identifier"] in cluster.host
    assert "there is no cluster with this installation's tag" in printed["admin"]
    assert database_urls(cloud) == {
        EST: f"dsql://est_device@{cluster.host}/postgres",
        ADMIN: f"dsql://est_admin@{cluster.host}/postgres",
    }


def test_a_device_enrolls_renews_and_is_revoked(cloud, cluster, client, device):
    caller = client.using(device)
    status, _, data = cloud.ask(enroll_event(caller, "pump-1", operation="simplereenroll"))
    assert status == 200, data
    renewed = issued(data)

    serial = f"{renewed.serial_number:x}"
    answer = cloud.run("manage.py", "aws_run", "revoke", serial, "--reason", "keyCompromise")

    assert "revoked" in answer
    again = enroll_event(client.using(renewed), "pump-1", operation="simplereenroll")
    assert cloud.ask(again)[0] == 403
    states = cluster.state.query(
        "SELECT state FROM est_server.pki_issuedcertificate WHERE common_name = 'pump-1'"
    )
    assert ("revoked",) in states
    assert len(states) == 2


def test_T75_the_device_side_can_neither_change_a_table_nor_delete_from_the_audit_trail(
    cloud, cluster, device
):
    rights = cluster.state.query(
        "SELECT DISTINCT privilege_type FROM information_schema.role_table_grants "
        "WHERE grantee = 'est_device' AND table_name = 'pki_auditevent'"
    )
    owners = cluster.state.query(
        "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'est_server'"
    )

    assert {right for (right,) in rights} == {"SELECT", "INSERT"}
    assert owners == [("est_admin",)]


def test_a_second_run_changes_nothing_and_all_is_ok(cloud, device):
    assert cloud.run("manage.py", "aws_deploy").endswith("nothing had to be changed\n")
    arn = cloud.client("dsql").list_clusters()["clusters"][0]["arn"]
    moto_database.add_backup(arn)

    rows = json.loads(cloud.run("manage.py", "aws_status", "--json"))

    # The sample names nobody who is told of alarms.
    assert [row["name"] for row in rows if row["level"] != "OK"] == ["topic for alarms"]
    assert {"database cluster", "database roles", "backup plan"} <= {row["name"] for row in rows}


def test_an_update_migrates_at_the_cluster_and_devices_go_on(cloud, client, device):
    cloud.configure(iotDeviceCertValidityYears=2)

    printed = cloud.run("zappa", "update", "admin")
    cloud.run("zappa", "update", "est")

    assert "No migrations to apply." in printed
    assert cloud.ask(enroll_event(client, "after-update"))[0] == 200


def test_a_removal_keeps_the_cluster_and_a_new_deployment_goes_on_with_it(
    cloud, cluster, client, device
):
    identifier = cluster.host.partition(".")[0]
    printed = cloud.run("manage.py", "aws_destroy", "--yes", "--keep-secrets")

    assert f"add --with-database {identifier}" in printed
    assert [c["identifier"] for c in cloud.client("dsql").list_clusters()["clusters"]] == [
        identifier
    ]
    for stage in ("admin", "est"):
        cloud.run("zappa", "deploy", stage)
    assert cloud.ask(enroll_event(client, "after-all"))[0] == 200
    assert (1,) in cluster.state.query(
        "SELECT 1 FROM est_server.pki_issuedcertificate WHERE common_name = 'after-update'"
    )


def test_T75_a_database_goes_only_when_its_id_is_typed_back(cloud, cluster, client, device):
    identifier = cluster.host.partition(".")[0]
    refused = cloud.run(
        "manage.py", "aws_destroy", "--yes", "--with-database", identifier[:-1], expects=1
    )
    assert "DeleteCluster" not in refused
    assert cloud.client("dsql").list_clusters()["clusters"]

    printed = cloud.run("manage.py", "aws_destroy", "--yes", "--with-database", identifier)
    assert re.search(r"what the CAs issued: [1-9]\d* certificates on record, ", printed)

    assert cloud.client("dsql").list_clusters()["clusters"] == []


def test_T63_iam_allows_every_call_of_a_deployment_with_its_own_cluster(cloud, device):
    assert refused(judged_calls(cloud)) == []
