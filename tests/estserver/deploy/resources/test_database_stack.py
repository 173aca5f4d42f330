"""What a deployment takes over from the stack with the database, and which stacks it refuses."""

import json

import pytest

from estserver.config import ConfigError
from estserver.config.database import database_settings
from estserver.deploy.deployment import STAGES
from estserver.deploy.engine.runs import StepFailed, take_away
from estserver.deploy.lifecycle.deploy import prepare
from estserver.deploy.recipe import (
    deployer_policies,
    everything,
    function_policy,
    function_role,
)
from estserver.deploy.resources.database_stack import regions_of_bundle
from estserver.deploy.resources.function_environment import FunctionEnvironment
from estserver.deploy.rights.database_stack import find_stack
from estserver.deploy.rights.key_lookup import find_keys
from estserver.deploy.zappa import settings as zappa_settings
from pki.aws.clients import aws_client
from pki.operators.errors import OperatorError
from tests.estserver.deploy import moto_gaps
from tests.estserver.deploy.account import REGION
from tests.estserver.deploy.database_stacks import (
    STACK,
    TEMPLATE,
    WITH_STACK,
    make_stack,
    stack_step,
)


@pytest.fixture
def deployment(aws_cloud, configured):
    """A deployment whose configuration names the stack."""
    return configured(WITH_STACK)


class TestWhatIsTakenOver:
    """`database: stack NAME` needs no other key."""

    @pytest.mark.parametrize("kind", ["aurora-serverless", "rds-instance"])
    def test_subnets_security_group_and_database(self, deployment, kind):
        outputs = make_stack(Kind=kind)

        common = zappa_settings.rendered(zappa_settings.read_settings(), deployment)["common"]
        assert common["vpc_config"] == {
            "SubnetIds": outputs["SubnetIds"].split(","),
            "SecurityGroupIds": [outputs["FunctionSecurityGroupId"]],
        }
        settings = database_settings(find_stack(deployment).url, data_dir=None)
        assert settings["ENGINE"] == "estserver.postgresql_secret"
        assert settings["SECRET_NAME"] == outputs["DatabaseSecretArn"]
        parts = (settings["HOST"], settings["PORT"], settings["NAME"])
        assert parts == (outputs["DatabaseHost"], "5432", "est")

    def test_a_database_that_pauses_closes_the_functions_idle_connections(self, deployment):
        make_stack(MinimumCapacity="0", PauseAfterSeconds="600")

        settings = database_settings(find_stack(deployment).url, data_dir=None)

        assert "-c idle_session_timeout=60000" in settings["OPTIONS"]["options"]
        [cluster] = aws_client("rds").describe_db_clusters()["DBClusters"]
        scaling = cluster["ServerlessV2ScalingConfiguration"]
        assert (scaling["MinCapacity"], scaling["MaxCapacity"]) == (0, 4)

    @pytest.mark.parametrize("kind", ["aurora-serverless", "rds-instance"])
    def test_one_that_does_not_keeps_them(self, deployment, kind):
        make_stack(Kind=kind, MinimumCapacity="0.5" if kind == "aurora-serverless" else "0")

        settings = database_settings(find_stack(deployment).url, data_dir=None)

        assert "idle_session_timeout" not in settings["OPTIONS"]["options"]

    def test_T72_what_is_made_is_one_database_encrypted_and_protected(self, deployment):
        make_stack(Kind="rds-instance")
        rds = aws_client("rds")

        [instance] = rds.describe_db_instances()["DBInstances"]
        assert rds.describe_db_clusters()["DBClusters"] == []
        assert instance["StorageEncrypted"] is True
        assert instance["DeletionProtection"] is True
        assert instance["PubliclyAccessible"] is False
        assert instance["BackupRetentionPeriod"] == 14
        assert instance["IAMDatabaseAuthenticationEnabled"] is True

    def test_a_function_gets_the_address_and_no_password(self, deployment, live, bring):
        make_stack()
        live(deployment, "est")

        assert bring(FunctionEnvironment(deployment, "est")) == ["est: environment"]
        assert bring(FunctionEnvironment(deployment, "est")) == []

        function = aws_client("lambda").get_function_configuration(FunctionName="est-server-est")
        url = function["Environment"]["Variables"]["DATABASE_URL"]
        assert url == find_stack(deployment).url
        assert "hunter2" not in url

    @pytest.mark.parametrize("stage", STAGES)
    def test_T72_a_function_may_read_this_databases_secret_and_no_other(self, deployment, stage):
        outputs = make_stack()

        policy = function_policy(deployment, stage, find_keys(deployment))

        [statement] = [s for s in policy["Statement"] if s["Sid"] == "ReadDatabaseSecret"]
        assert statement["Resource"] == outputs["DatabaseSecretArn"]
        assert "rds-db:connect" not in json.dumps(policy)
        assert "BeInTheVPC" in {s["Sid"] for s in policy["Statement"]}

    @pytest.mark.parametrize("stage", STAGES)
    def test_T72_with_iam_a_function_may_log_in_as_one_user_of_one_database(
        self, deployment, stage
    ):
        outputs = make_stack(Login="iam", IamUser="est_app")

        policy = function_policy(deployment, stage, find_keys(deployment))

        [statement] = [s for s in policy["Statement"] if s["Sid"] == "ConnectToDatabase"]
        resource = f"dbuser:{outputs['DatabaseResourceId']}/est_app"
        assert statement["Action"] == ["rds-db:connect"]
        assert statement["Resource"] == f"arn:aws:rds-db:{REGION}:123456789012:{resource}"
        assert outputs["DatabaseSecretArn"] not in json.dumps(policy)
        settings = database_settings(find_stack(deployment).url, data_dir=None)
        assert (settings["USER"], settings["IAM_LOGIN"]) == ("est_app", True)

    def test_whoever_deploys_may_look_at_this_stack(self, deployment):
        [statement] = [
            statement
            for policy in deployer_policies(deployment).values()
            for statement in policy["Statement"]
            if statement["Sid"] == "LookAtDatabaseStack"
        ]

        assert statement["Action"] == ["cloudformation:DescribeStacks"]
        stack = f"arn:aws:cloudformation:{REGION}:123456789012:stack/{STACK}/*"
        assert statement["Resource"] == stack

    def test_a_removal_goes_on_after_the_stack_is_gone(
        self, deployment, configured, bring, performer
    ):
        make_stack()
        bring(*(function_role(deployment, stage) for stage in STAGES))
        deployment = configured(WITH_STACK.replace(STACK, "est-gone"))

        roles = [function_role(deployment, stage) for stage in STAGES]

        assert take_away([stack_step(deployment), *roles], performer) == tuple(
            r.name for r in reversed(roles)
        )

    def test_a_removal_leaves_the_stack_alone(self, deployment, aws_cloud):
        make_stack()

        step = stack_step(deployment)

        assert step in everything(deployment)
        assert step.undo(step.look()).calls == ()


class TestRefusals:
    """One sentence each, and nothing is made before."""

    def test_a_stack_that_is_not_there(self, deployment, said):
        with pytest.raises(StepFailed, match=f"There is no stack {STACK} in {REGION}") as caught:
            prepare(say=said)

        # The step before it looks at names, and makes nothing.
        assert "Done already: names in the account. Mend that" in str(caught.value)
        assert aws_client("s3").list_buckets()["Buckets"] == []

    @pytest.mark.parametrize("state", ["ROLLBACK_COMPLETE", "CREATE_FAILED", "DELETE_FAILED"])
    def test_a_stack_that_failed(self, deployment, state):
        make_stack()
        moto_gaps.set_stack_status(STACK, state)

        with pytest.raises(OperatorError, match=f"is in {state}. Look at its events"):
            find_stack(deployment)

    def test_a_stack_that_is_being_made_is_waited_for(self, deployment):
        make_stack()
        moto_gaps.set_stack_status(STACK, "CREATE_IN_PROGRESS")

        step = stack_step(deployment)

        assert step.plan(step.look()).waiting == (
            f"CloudFormation is at work on the stack {STACK} (CREATE_IN_PROGRESS)"
        )

    def test_a_stack_of_another_template(self, deployment):
        queue = {"Type": "AWS::SQS::Queue"}
        make_stack(template=json.dumps({"Resources": {"Queue": queue}}))

        with pytest.raises(OperatorError, match=r"was not made from config/database-stack\.yaml"):
            find_stack(deployment)

    def test_a_stack_of_an_older_template_without_an_output(self, deployment):
        text = TEMPLATE.read_text(encoding="utf-8")
        make_stack(template=text.replace("  DatabaseHost:\n", "  Host:\n"))

        with pytest.raises(OperatorError, match=r"has no output DatabaseHost\. Update it"):
            find_stack(deployment)

    def test_T72_the_database_of_another_installation(self, deployment):
        make_stack(Project="est-staging")

        with pytest.raises(OperatorError, match="is the database of the installation est-staging"):
            find_stack(deployment)

    def test_a_region_whose_databases_the_package_cannot_verify(self, deployment, monkeypatch):
        make_stack()
        module = "estserver.deploy.resources.database_stack.regions_of_bundle"
        monkeypatch.setattr(module, lambda: {"us-east-1"})
        step = stack_step(deployment)

        with pytest.raises(OperatorError, match=f"has no CA of RDS in {REGION}"):
            step.plan(step.look())

    @pytest.mark.parametrize(
        ("more", "key"),
        [
            ("  databaseSecretName: est/database\n", "databaseSecretName"),
            ("  databaseUrl: postgresql://db/est\n", "databaseUrl"),
        ],
    )
    def test_another_database_beside_it(self, configured, more, key):
        with pytest.raises(ConfigError, match=f"It is stack {STACK}, which names {key} itself"):
            configured(WITH_STACK.replace("Properties:\n", f"Properties:\n{more}"))

    def test_another_vpc_beside_it(self, configured):
        more = "  vpcSubnetIds: [subnet-01234567]\n  vpcSecurityGroupIds: [sg-01234567]\n"

        with pytest.raises(ConfigError, match="which names vpcSubnetIds itself"):
            configured(WITH_STACK + more)

    @pytest.mark.parametrize("choice", ["stack", "stack 1-est", "est-database", "stack a b"])
    def test_a_choice_that_is_none(self, configured, choice):
        with pytest.raises(ConfigError, match="wanted dsql, stack NAME"):
            configured(WITH_STACK.replace(f"stack {STACK}", choice))


def test_the_regions_of_the_bundle_are_read():
    assert {"eu-central-1", "us-east-1"} <= regions_of_bundle()
