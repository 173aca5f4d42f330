"""The database roles of the functions, at a cluster that refuses what Aurora DSQL refuses."""

import psycopg
import pytest

from estserver.deploy.engine.runs import StepFailed, carry_out, intentions
from estserver.deploy.lifecycle.status import status
from estserver.deploy.recipe import preparation
from estserver.deploy.resources.database.cluster import DatabaseCluster
from estserver.deploy.resources.database.roles import DatabaseRoles
from estserver.deploy.rights.dsql_cluster import find_cluster
from tests.estserver.deploy import moto_database
from tests.support.dsql.clients import connect, token
from tests.support.dsql.login import Principal

ROLE_ARN = "arn:aws:iam::123456789012:role/est-server-{}-eu-central-1"
INTRUDER = "arn:aws:iam::123456789012:role/intruder"


@pytest.fixture
def roles(account, played, bring):
    """The step, when there is a cluster."""
    bring(DatabaseCluster(account))
    assert find_cluster(account).endpoint == played.host
    return DatabaseRoles(account)


def login(cluster, stage, user):
    """Log in as a stage's function does."""
    key = f"AKIA{stage.upper()}"
    cluster.state.principals[key] = Principal(
        ROLE_ARN.format(stage), "secret", actions=frozenset({"dsql:DbConnect"})
    )
    return connect(cluster, user, password=token(cluster, user, keys=(key, "secret")))


def test_T75_each_function_logs_in_as_its_own_database_role_and_not_as_the_others(
    roles, played, bring
):
    assert bring(roles) == [roles.name]

    with login(played, "admin", "est_admin") as session:
        session.execute("CREATE TABLE est_server.kept (i int)")
    with login(played, "est", "est_device") as session:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("CREATE TABLE est_server.mine (i int)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("SELECT * FROM est_server.kept")
    with pytest.raises(psycopg.OperationalError, match="AWS IAM GRANT"):
        login(played, "est", "est_admin")
    with pytest.raises(psycopg.OperationalError, match="not authorized"):
        login(played, "est", "admin")


def test_a_second_run_changes_nothing_and_a_dry_run_prints_the_statements(roles, played, bring):
    [planned] = intentions([roles])
    statements = [call.parameters["Statement"] for call in planned.calls]
    assert "CREATE ROLE est_device WITH LOGIN" in statements
    assert f"AWS IAM GRANT est_device TO '{ROLE_ARN.format('est')}'" in statements
    assert roles.look().roles == frozenset()

    bring(roles)

    assert bring(roles) == []
    assert played.state.refusals == []


@pytest.mark.parametrize("done", [1, 2, 3, 4, 5, 6])
def test_a_run_that_was_cut_off_goes_on_from_there(roles, played, bring, done):
    with connect(played) as session:
        for call in roles.plan(roles.look()).calls[:done]:
            session.execute(call.parameters["Statement"])

    assert bring(roles) == [roles.name]

    assert roles.plan(roles.look()).calls == ()
    with login(played, "est", "est_device") as session:
        assert session.execute("SELECT 1").fetchone() == (1,)


def test_T75_a_login_that_somebody_else_was_given_is_taken_back(roles, played, bring):
    bring(roles)
    with connect(played) as session:
        session.execute(f"AWS IAM GRANT est_admin TO '{INTRUDER}'")

    [row] = [row for row in status(roles.deployment, [roles]) if row.name == roles.name]
    assert row.level == "FAIL"
    assert f"{INTRUDER} may log in as est_admin" in row.finding

    assert bring(roles) == [roles.name]
    assert ("est_admin", INTRUDER) not in roles.look().logins


def test_a_cluster_that_refuses_the_login_is_told_with_the_right_that_is_missing(
    roles, played, performer
):
    played.state.principals["testing"] = Principal(
        "arn:aws:iam::123456789012:user/testing", "testing", actions=frozenset()
    )

    with pytest.raises(StepFailed, match="did not let the role admin in") as caught:
        carry_out([roles], performer)

    assert "Allow dsql:DbConnectAdmin on arn:aws:dsql:eu-central-1:" in str(caught.value)


def test_before_there_is_a_cluster_its_roles_are_not_known(account):
    [planned] = intentions([DatabaseRoles(account)])

    assert planned.reason.startswith("not known yet: There is no cluster yet.")


def test_preparing_makes_the_cluster_first_and_lets_the_functions_in_last(
    account, played, performer
):
    steps = preparation(account)
    names = [step.name for step in steps]

    assert names[:2] == ["names in the account", "database cluster"]  # the first makes nothing
    functions = [f"role est-server-{stage}-eu-central-1" for stage in ("est", "admin")]
    assert max(map(names.index, functions)) < names.index("database roles")
    assert carry_out(steps, performer).changed
    assert carry_out(preparation(account), performer).changed == ()
    assert moto_database.the_plan() is not None
