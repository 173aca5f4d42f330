"""Deploying as one reads it: prepare, Zappa, finish."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from django.conf import settings

from estserver.config.secret_key import ensure_secret_key
from estserver.deploy.deployment import (
    STAGES,
    Deployment,
    StageName,
    check_deployment,
    current_deployment,
)
from estserver.deploy.engine.performer import Clock, Performer
from estserver.deploy.engine.runs import Intended, Outcome, as_a_step, carry_out, intentions
from estserver.deploy.engine.steps import AnyStep
from estserver.deploy.first_setup import set_up
from estserver.deploy.front_door.truststore_object import latest_version
from estserver.deploy.lambda_signers import defaulted_signers
from estserver.deploy.recipe import finishing, guarding, preparation
from estserver.deploy.truststore.record import FIRST_ACTIVATION
from estserver.deploy.zappa.admin_function import run_in_function
from estserver.deploy.zappa.stage import look_at_stage
from pki.aws.clients import AWSLocation
from pki.operators.errors import OperatorError

Say = Callable[[str], None]


def deploy(
    steps: Sequence[AnyStep], *, say: Say, is_dry_run: bool = False, clock: Clock | None = None
) -> Outcome:
    """Carry the steps out, or say which calls they would make.

    Raises ``StepFailed``; run again, it goes on from there.
    """
    if not is_dry_run:
        return carry_out(steps, Performer(say, clock))
    intended = intentions(steps)
    print_calls(intended, say)
    if not intended:
        say("nothing to do: AWS holds what the configuration asks for")
    return Outcome((), ())


def print_calls(intended: Iterable[Intended], say: Say) -> None:
    """Each step with its calls, parameters included; secret ones aren't shown."""
    for each in intended:
        say(f"{each.step}: {each.reason}" if each.reason else each.step)
        for call in each.calls:
            say(f"  {call.reason}")
            say(f"    {call}")


def prepare(*, say: Say, is_dry_run: bool = False, clock: Clock | None = None) -> Outcome:
    """What `zappa deploy` needs: buckets, roles, key, logs. Raises ``OperatorError``."""
    deployment = current_deployment()
    check_deployment(deployment)
    if keys := defaulted_signers(settings.CONFIG):
        say(
            f"{' and '.join(keys)} not set: on Lambda the CAs' keys are kept in Secrets Manager "
            "(secretsmanager)"
        )
    steps = preparation(deployment)
    outcome = deploy(steps, say=say, is_dry_run=is_dry_run, clock=clock)
    if is_dry_run:
        return outcome
    name = deployment.config.properties.secret_key_secret_name
    with as_a_step(f"secret {name}", done=[step.name for step in steps]):
        is_new = ensure_secret_key(
            name, place=AWSLocation(deployment.region), kms_key_id=deployment.key_alias
        )
    if is_new:
        say(f"the secret {name} was made: it signs the admin's sessions")
    return outcome


def finish(
    stage: StageName,
    *,
    say: Say,
    is_dry_run: bool = False,
    adopts: bool = False,
    clock: Clock | None = None,
) -> Outcome:
    """What comes after `zappa deploy` or `zappa update`, whichever stage was first.

    The admin's function makes schema and CAs; est has to wait for them, and is finished with the
    admin's if it did. Raises ``OperatorError``; run again, it goes on from there.
    """
    deployment = current_deployment()
    check_deployment(deployment)
    go = partial(deploy, say=say, is_dry_run=is_dry_run, clock=clock)
    deployed = deployed_stages(deployment)
    is_waiting = not latest_version(deployment)
    if stage == "est" and is_waiting and "admin" not in deployed:
        outcome = go(guarding(deployment, "est"))
        say(
            "what is missing: est has no domain before there is a client CA; zappa deploy admin "
            "makes it, and then finishes est"
        )
        return outcome
    outcome = go(finishing(deployment, stage, adopts=adopts))
    changed, notes = outcome.changed, outcome.notes
    if stage == "admin":
        set_up(deployment, say=say, is_dry_run=is_dry_run)
        if is_waiting and "est" in deployed:
            outcome = go(finishing(deployment, "est", adopts=adopts))
            changed, notes = changed + outcome.changed, notes + outcome.notes
        elif "est" not in deployed:
            say("what is missing: the devices' side; zappa deploy est")
    if "est" in deployed and not is_dry_run:
        with as_a_step("record of the truststore", done=[f"everything else of {stage}"]):
            run_in_function(deployment.function("admin"), *FIRST_ACTIVATION)
    return Outcome(changed, notes)


def deployed_stages(deployment: Deployment) -> list[StageName]:
    """The stages that Zappa has deployed. Raises ``RemoteFailure``."""
    return [stage for stage in STAGES if look_at_stage(deployment, stage).is_deployed]


def stage_named(name: str) -> StageName:
    """``est`` or ``admin``. Raises ``OperatorError``."""
    for stage in STAGES:
        if stage == name:
            return stage
    raise OperatorError(f"found the stage {name!r}, wanted one of {', '.join(STAGES)}")
