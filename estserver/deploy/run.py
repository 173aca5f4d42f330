"""Deploying as one reads it: prepare, Zappa, finish."""

from collections.abc import Callable, Iterable, Sequence

from django.db import DatabaseError, InterfaceError

from estserver.deploy.calls import Clock, Performer
from estserver.deploy.deployment import (
    STAGES,
    Deployment,
    StageName,
    check_deployment,
    current_deployment,
)
from estserver.deploy.recipe import finishing, preparation
from estserver.deploy.steps import AnyStep, Intended, Outcome, carry_out, intentions
from estserver.deploy.truststore_pushes import record_first_activation
from estserver.deploy.zappa_stage import look_at_stage
from pki.audit import Actor
from pki.exceptions import OperatorError, PKIError

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
        say(f"{each.step}: {each.because}" if each.because else each.step)
        for call in each.calls:
            say(f"  {call.because}")
            say(f"    {call}")


def prepare(*, say: Say, is_dry_run: bool = False, clock: Clock | None = None) -> Outcome:
    """What `zappa deploy` needs: buckets, roles, key, logs. Raises ``OperatorError``."""
    deployment = current_deployment()
    check_deployment(deployment)
    return deploy(preparation(deployment), say=say, is_dry_run=is_dry_run, clock=clock)


def finish(
    stage: StageName,
    *,
    actor: Actor,
    say: Say,
    is_dry_run: bool = False,
    adopts: bool = False,
    clock: Clock | None = None,
) -> Outcome:
    """What comes after `zappa deploy` or `zappa update`. Raises ``OperatorError``."""
    deployment = current_deployment()
    check_deployment(deployment)
    steps = finishing(deployment, stage, actor=actor, adopts=adopts)
    outcome = deploy(steps, say=say, is_dry_run=is_dry_run, clock=clock)
    if stage == "est" and not is_dry_run:
        try:
            record_first_activation(deployment, actor=actor)
        except (DatabaseError, InterfaceError, PKIError) as error:
            say(
                "note: the database can't be reached from here, so that the truststore's "
                f"activation isn't on record ({str(error).strip()})"
            )
    return outcome


def deployed_stages(deployment: Deployment) -> list[StageName]:
    """The stages that Zappa has deployed. Raises ``RemoteFailure``."""
    return [stage for stage in STAGES if look_at_stage(deployment, stage).is_deployed]


def stage_named(name: str) -> StageName:
    """``est`` or ``admin``. Raises ``OperatorError``."""
    for stage in STAGES:
        if stage == name:
            return stage
    raise OperatorError(f"found the stage {name!r}, wanted one of {', '.join(STAGES)}")
