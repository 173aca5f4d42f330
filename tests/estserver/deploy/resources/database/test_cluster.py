"""The cluster: made, waited for, protected, found by its tag, kept, and deleted when named."""

import io

import pytest
from django.core.management import call_command

from estserver.config import ConfigError
from estserver.deploy.engine.runs import StepFailed, carry_out, intentions, take_away
from estserver.deploy.recipe import everything, function_policy, preparation, removable
from estserver.deploy.resources.database.cluster import DatabaseCluster
from estserver.deploy.resources.function_environment import FunctionEnvironment
from estserver.deploy.rights.dsql_cluster import cluster_in_use, find_cluster, has_cluster
from estserver.deploy.rights.key_lookup import find_keys
from pki.aws.clients import aws_client, forget_clients
from pki.operators.errors import OperatorError
from tests.estserver.deploy import moto_database
from tests.estserver.deploy.account import CONFIG, WITHOUT_DATABASE
from tests.support.ports import free_ports

TAG = "est-server:made-by"


def clusters():
    return [each["identifier"] for each in aws_client("dsql").list_clusters()["clusters"]]


def environment(stage):
    function = aws_client("lambda").get_function_configuration(FunctionName=f"est-server-{stage}")
    return function.get("Environment", {}).get("Variables", {})


@pytest.fixture
def made(account, live):
    """Deploy a stage whose function was told no database."""
    return lambda stage: _without_environment(account, live, stage)


def _without_environment(deployment, live, stage):
    live(deployment, stage)
    aws_client("lambda").update_function_configuration(
        FunctionName=f"est-server-{stage}", Environment={"Variables": {}}
    )


def test_it_is_made_protected_and_tagged_and_waited_for(account, bring, clock):
    step = DatabaseCluster(account)

    assert bring(step) == [step.name]
    assert bring(step) == []

    [identifier] = clusters()
    made = aws_client("dsql").get_cluster(identifier=identifier)
    assert made["status"] == "ACTIVE"
    assert made["deletionProtectionEnabled"] is True
    assert made["encryptionDetails"]["encryptionType"] == "AWS_OWNED_KMS_KEY"
    tags = aws_client("dsql").list_tags_for_resource(resourceArn=made["arn"])["tags"]
    assert tags[TAG] == "est-server"
    assert tags["CostCenter"] == "Factory"


def test_it_is_waited_for_while_it_is_made(account, bring, clock):
    bring(DatabaseCluster(account))
    moto_database.the_cluster(clusters()[0]).status = "CREATING"
    moto_database.the_cluster(clusters()[0])._tick = -3

    assert DatabaseCluster(account).plan(find_cluster(account)).waiting


def test_protection_that_somebody_took_away_comes_back(account, bring):
    step = DatabaseCluster(account)
    bring(step)
    [identifier] = clusters()
    aws_client("dsql").update_cluster(identifier=identifier, deletionProtectionEnabled=False)

    assert bring(step) == [step.name]

    made = aws_client("dsql").get_cluster(identifier=identifier)
    assert made["deletionProtectionEnabled"] is True


def test_T75_a_cluster_of_another_project_is_neither_used_nor_touched(account, bring):
    others = aws_client("dsql").create_cluster(tags={TAG: "other"})
    untagged = aws_client("dsql").create_cluster()

    assert find_cluster(account) is None
    bring(DatabaseCluster(account))

    ours = find_cluster(account)
    assert ours.identifier not in {others["identifier"], untagged["identifier"]}
    assert len(clusters()) == 3


def test_several_with_the_tag_are_refused_by_their_ids(account, bring, performer):
    made = [aws_client("dsql").create_cluster(tags={TAG: "est-server"}) for _ in range(2)]

    with pytest.raises(StepFailed, match="2 clusters of Aurora DSQL have the tag of") as caught:
        carry_out([DatabaseCluster(account)], performer)

    for each in made:
        assert each["identifier"] in str(caught.value)


def test_a_region_without_the_service_is_told_with_the_choices(account, performer, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_DSQL", f"http://127.0.0.1:{next(free_ports())}")
    forget_clients()

    with pytest.raises(StepFailed, match="does not answer in eu-central-1") as caught:
        carry_out([DatabaseCluster(account)], performer)
    forget_clients()

    for choice in ("awsRegion", "database: stack NAME", "databaseSecretName", "databaseUrl"):
        assert choice in str(caught.value)


# Which database


@pytest.mark.parametrize(
    ("named", "is_wanted"),
    [
        ("", True),
        ("database: dsql", True),
        ("databaseSecretName: est/database", False),
        ("databaseUrl: postgresql://db.example.com/est", False),
    ],
)
def test_a_cluster_is_for_a_configuration_that_names_no_other_database(
    account, configured, named, is_wanted
):
    text = WITHOUT_DATABASE.replace("Properties:\n", f"Properties:\n  {named}\n", 1)

    deployment = configured(text)

    assert has_cluster(deployment) == is_wanted
    assert (DatabaseCluster(deployment) in preparation(deployment)) == is_wanted


@pytest.mark.parametrize(
    "other", ["databaseSecretName: est/database", "databaseUrl: postgresql://db.example.com/est"]
)
def test_two_databases_at_once_are_refused(configured, other):
    text = WITHOUT_DATABASE.replace(
        "Properties:\n", f"Properties:\n  database: dsql\n  {other}\n", 1
    )

    with pytest.raises(ConfigError, match=r"It is dsql, which names database.* Leave out one of"):
        configured(text)


def test_functions_with_a_database_given_by_hand_keep_it(account, configured, live, bring):
    live(account, "est")  # its environment names a PostgreSQL database

    assert not has_cluster(account)
    assert bring(FunctionEnvironment(account, "est")) == []
    assert environment("est")["DATABASE_URL"] == "postgresql://est:hunter2@db/est"
    chosen = WITHOUT_DATABASE.replace("Properties:\n", "Properties:\n  database: dsql\n", 1)
    assert has_cluster(configured(chosen))


def test_each_function_gets_the_address_with_a_role_of_its_own(account, bring, made):
    bring(DatabaseCluster(account))
    endpoint = find_cluster(account).endpoint
    for stage, role in {"est": "est_device", "admin": "est_admin"}.items():
        made(stage)
        bring(FunctionEnvironment(account, stage))

        assert environment(stage)["DATABASE_URL"] == f"dsql://{role}@{endpoint}/postgres"
        assert bring(FunctionEnvironment(account, stage)) == []
    assert has_cluster(account)


def test_a_function_without_a_database_is_refused_in_a_sentence(account, bring, made):
    made("admin")

    with pytest.raises(OperatorError, match=r"admin has no database\. Run aws_deploy --prepare"):
        bring(FunctionEnvironment(account, "admin"))


def test_T75_a_function_may_connect_to_this_cluster_only_and_not_as_admin(account, bring):
    before = function_policy(account, "est", find_keys(account))["Statement"]
    bring(DatabaseCluster(account))

    for stage in ("est", "admin"):
        statements = function_policy(account, stage, find_keys(account))["Statement"]
        [connecting] = [s for s in statements if any(a.startswith("dsql:") for a in s["Action"])]
        assert connecting["Action"] == ["dsql:DbConnect"]
        assert connecting["Resource"] == find_cluster(account).arn
    assert not [s for s in before if "dsql:DbConnect" in s["Action"]]


def test_a_restored_cluster_takes_over_once_it_has_the_tag(account, bring, made):
    bring(DatabaseCluster(account))
    made("est")
    bring(FunctionEnvironment(account, "est"))
    old = find_cluster(account)
    restored = aws_client("dsql").create_cluster(deletionProtectionEnabled=True)
    aws_client("dsql").untag_resource(resourceArn=old.arn, tagKeys=[TAG])
    aws_client("dsql").tag_resource(resourceArn=restored["arn"], tags={TAG: "est-server"})

    bring(DatabaseCluster(account), FunctionEnvironment(account, "est"))

    assert restored["identifier"] in environment("est")["DATABASE_URL"]
    assert cluster_in_use(account).identifier == restored["identifier"]
    assert old.identifier in clusters()


# Removal


def test_T75_a_removal_leaves_the_cluster_unless_it_is_named(account, bring, performer):
    bring(DatabaseCluster(account))
    [identifier] = clusters()

    planned = intentions(removable(account), removing=True)
    services = {call.service for each in planned for call in each.calls}
    assert services.isdisjoint({"dsql", "backup"})

    steps = [s for s in removable(account, with_database=True) if isinstance(s, DatabaseCluster)]
    assert take_away(steps, performer) == (steps[0].name,)
    assert clusters() == []
    assert identifier not in clusters()
    assert steps[0] in everything(account)


def test_T75_a_removal_says_what_goes_with_the_cluster_also_when_no_function_can_tell(
    account, bring
):
    bring(DatabaseCluster(account))
    [identifier] = clusters()
    printed = io.StringIO()

    call_command("aws_destroy", "--plan", "--with-database", identifier, stdout=printed)

    assert f"The cluster {identifier} goes, and with it the only record" in printed.getvalue()
    assert "how many certificates it holds is not known (" in printed.getvalue()


def test_a_configuration_with_a_database_makes_no_cluster(aws_cloud, configured):
    steps = preparation(configured(CONFIG))

    assert not [step for step in steps if isinstance(step, DatabaseCluster)]
