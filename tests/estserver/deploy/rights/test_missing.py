"""A right that is missing at any step: which step, which right, what is done, and going on."""

import pytest

from estserver.deploy.engine.runs import StepFailed, carry_out
from estserver.deploy.lifecycle import deploy
from estserver.deploy.recipe import finishing, preparation
from pki.aws.clients import aws_client
from pki.operators.errors import remote_failure
from tests.estserver.deploy.account import DOMAIN, zappa_deploy
from tests.estserver.deploy.test_bad_inputs import AGAIN, QUIET, fails
from tests.support.aws_faults import Fault, failing

pytestmark = pytest.mark.django_db(transaction=True)


def deny_each(steps, performer):
    """Deny the first call of each step in turn, and let the next run get one step further.

    Returns the names of the steps that failed.
    """
    failed = []
    for number, step in enumerate(steps, start=1):
        plan = step.plan(step.look())
        if not plan.calls:
            continue
        call = plan.calls[0]
        with failing(call.service, call.operation, Fault.ACCESS_DENIED):
            text = fails(steps[:number], performer)
        assert text.startswith(f"Step {number} of {number}, {step.name}: {call.name}")
        assert " failed with AccessDenied" in text
        assert f"Allow the role or user of this process to call {call.name}" in text
        done = ", ".join(each.name for each in steps[: number - 1])
        assert (f"Done already: {done}." if done else "Nothing is done yet.") in text
        assert text.endswith(AGAIN)
        assert carry_out([step], performer).changed == (step.name,)
        failed.append(step.name)
    return failed


def test_a_right_that_is_missing_while_preparing_is_named_at_every_step(deployment, performer):
    steps = preparation(deployment)

    # The first step only looks.
    assert len(deny_each(steps, performer)) == len(steps) - 1 == 14
    assert carry_out(steps, performer).changed == ()


def test_a_right_that_is_missing_while_finishing_is_named_at_every_step(
    deployment, installation, live, performer
):
    live(deployment, "admin")
    live(deployment, "est")
    aws_client("route53").create_hosted_zone(Name="example.com", CallerReference="1")
    carry_out(preparation(deployment), performer)
    steps = finishing(deployment, "est")

    failed = deny_each(steps, performer)

    assert {"est: lockdown", "est: truststore", f"est: domain {DOMAIN}", "alarms"} <= {*failed}
    assert carry_out(steps, performer).changed == ()


def test_a_command_in_the_admins_function_fails_in_the_words_of_a_step(
    aws_cloud, configured, installation, said, clock
):
    deployment = configured(QUIET)
    deploy.prepare(say=said, clock=clock)
    zappa_deploy(deployment, "admin")

    with (
        failing("lambda", "Invoke", Fault.ACCESS_DENIED),
        pytest.raises(StepFailed) as caught,
    ):
        deploy.finish("admin", say=said, clock=clock)

    text = str(caught.value)
    assert remote_failure(caught.value)
    assert text.startswith("Step 1 of 2, setup of the admin, migrate: lambda:Invoke est-server-adm")
    assert "call lambda:Invoke. Nothing is done yet." in text
    assert text.endswith(AGAIN)
    deploy.finish("admin", say=said, clock=clock)
    assert "in the admin's function: bootstrap_cas" in said.lines


def test_a_secret_that_may_not_be_made_fails_in_the_words_of_a_step(deployment, said, clock):
    with (
        failing("secretsmanager", "CreateSecret", Fault.ACCESS_DENIED),
        pytest.raises(StepFailed) as caught,
    ):
        deploy.prepare(say=said, clock=clock)

    assert "secret est/secret-key: secretsmanager:CreateSecret failed" in str(caught.value)
    assert "Done already: names in the account, S3 log bucket, truststore bucket" in str(
        caught.value
    )
    assert deploy.prepare(say=said, clock=clock).changed == ()
    assert said.lines[-1].startswith("The secret est/secret-key was made")
