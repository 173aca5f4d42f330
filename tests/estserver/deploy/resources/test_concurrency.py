"""Reserved concurrency, which a new account's quota may refuse."""

import pytest
from botocore.stub import Stubber

from estserver.deploy.engine.runs import StepFailed, carry_out, intentions
from estserver.deploy.engine.steps import Blocked
from estserver.deploy.front_door.lockdown import Throttling
from estserver.deploy.resources.concurrency import ReservedConcurrency, reservations
from pki.aws.clients import aws_client
from tests.estserver.deploy.account import CONFIG, WITHOUT_DATABASE
from tests.estserver.deploy.database_stacks import WITH_STACK, make_stack

REFUSED = (
    "Specified ReservedConcurrentExecutions for function decreases account's "
    "UnreservedConcurrentExecution below its minimum value of [10]."
)


def reserved(deployment):
    answer = aws_client("lambda").get_function_concurrency(FunctionName=deployment.function("est"))
    return answer.get("ReservedConcurrentExecutions")


@pytest.fixture
def reserving(aws_cloud, configured, live):
    """A deployment that reserves so many, with its function."""

    def make(count):
        deployment = configured(f"{CONFIG}  reservedConcurrency: {count}\n")
        live(deployment, "est")
        return deployment

    return make


def test_none_is_reserved_unless_the_configuration_says_so(deployment, live):
    live(deployment, "est")

    assert intentions([ReservedConcurrency(deployment)]) == []
    assert reserved(deployment) is None
    assert reservations(deployment, "admin") == []


def test_as_many_are_reserved_as_the_configuration_says_and_again_after_zappa(reserving, bring):
    deployment = reserving(20)
    step = ReservedConcurrency(deployment)

    assert bring(step) == ["est: reserved concurrency"]
    assert reserved(deployment) == 20
    assert bring(step) == []
    name = deployment.function("est")
    aws_client("lambda").delete_function_concurrency(FunctionName=name)  # as zappa update does
    bring(step)
    assert reserved(deployment) == 20


def test_a_reservation_by_hand_is_noted_and_left(deployment, live, performer):
    live(deployment, "est")
    aws_client("lambda").put_function_concurrency(
        FunctionName=deployment.function("est"), ReservedConcurrentExecutions=7
    )

    outcome = carry_out([ReservedConcurrency(deployment)], performer)

    assert outcome.changed == ()
    assert "est-server-est has 7 reserved concurrent executions" in outcome.notes[0]
    assert reserved(deployment) == 7


def test_a_quota_that_refuses_is_named(reserving, performer, monkeypatch):
    deployment = reserving(20)
    step = ReservedConcurrency(deployment)
    monkeypatch.setattr(ReservedConcurrency, "look", lambda self: 0)

    with Stubber(aws_client("lambda", read_timeout=60)) as stub:
        stub.add_client_error("put_function_concurrency", "InvalidParameterValueException", REFUSED)
        with pytest.raises(StepFailed) as refused:
            carry_out([step], performer)

    assert REFUSED.rstrip(".") in str(refused.value)
    assert "ask Service Quotas for more of Lambda's quota Concurrent executions" in str(
        refused.value
    )


def test_before_zappa_the_step_waits_for_it(deployment):
    with pytest.raises(Blocked, match="not deployed"):
        ReservedConcurrency(deployment).look()


@pytest.mark.parametrize(
    ("text", "burst", "is_noted"),
    [
        (WITHOUT_DATABASE, 100, False),
        (WITHOUT_DATABASE, 501, True),
        (CONFIG, 501, False),  # how many a PostgreSQL takes, only it can tell
        (WITH_STACK, 501, False),
    ],
    ids=["fits", "too large", "a database of its own", "a stack"],
)
def test_a_burst_that_aurora_dsql_does_not_take_is_noted(
    aws_cloud, configured, live, performer, text, burst, is_noted
):
    make_stack()
    deployment = configured(f"{text}  throttlingBurstLimit: {burst}\n")
    live(deployment, "est")

    notes = carry_out([Throttling(deployment, "est")], performer).notes

    assert bool(notes) == is_noted
