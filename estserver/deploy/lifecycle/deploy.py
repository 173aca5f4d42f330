"""Deploy: prepare before Zappa, and finish after it."""

import json
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from textwrap import indent

from django.conf import settings

from estserver.config.secret_key import ensure_secret_key
from estserver.deploy.account.problems import account_notes, account_problems
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
from estserver.deploy.front_door.api_settings import look_at_api
from estserver.deploy.front_door.truststore_object import latest_version
from estserver.deploy.lambda_signers import defaulted_signers
from estserver.deploy.lifecycle.first_setup import set_up
from estserver.deploy.recipe import (
    guarding,
    opening,
    preparation,
    restoration,
    successor_key,
)
from estserver.deploy.resources.secrets_kms_key import SecretsKey
from estserver.deploy.rights.key_lookup import find_keys
from estserver.deploy.truststore.record import FIRST_ACTIVATION
from estserver.deploy.zappa.admin_function import run_in_function
from estserver.deploy.zappa.live_version import AS_IT_IS, WHOLLY, LiveVersion, Service
from estserver.deploy.zappa.stage import look_at_stage
from pki.aws.clients import AWSLocation
from pki.operators.errors import OperatorError

Say = Callable[[str], None]


def deploy(
    steps: Sequence[AnyStep], *, say: Say, is_dry_run: bool = False, clock: Clock | None = None
) -> Outcome:
    """Carry the steps out, or print the calls that they would make.

    Raises ``StepFailed``. Another run goes on from there.
    """
    if not is_dry_run:
        return carry_out(steps, Performer(say, clock))
    intended = intentions(steps)
    print_calls(intended, say)
    if not intended:
        say("Nothing to do. AWS holds what the configuration asks for.")
    return Outcome((), ())


def print_calls(intended: Iterable[Intended], say: Say) -> None:
    """Print each step with its calls and their parameters, but for secret ones."""
    for each in intended:
        say(f"{each.step}: {each.reason}" if each.reason else each.step)
        for call in each.calls:
            say(f"  {call.reason}")
            say(indent(call.in_full, "    "))


def prepare(*, say: Say, is_dry_run: bool = False, clock: Clock | None = None) -> Outcome:
    """Make what `zappa deploy` needs: buckets, roles, key, logs. Raises ``OperatorError``."""
    deployment = current_deployment()
    check_deployment(deployment, also=account_problems(deployment))
    for note in account_notes(deployment):
        say(note)
    if keys := defaulted_signers(settings.CONFIG):
        are = "is" if len(keys) == 1 else "are"
        say(
            f"{' and '.join(keys)} {are} not set, so the CAs' keys are in Secrets Manager on "
            "Lambda (secretsmanager)."
        )
    steps = [*preparation(deployment), *_keeping_in_service(deployment)]
    outcome = deploy(steps, say=say, is_dry_run=is_dry_run, clock=clock)
    if not is_dry_run:
        done = [step.name for step in steps]
        patience = Performer(say, clock) if SecretsKey.name in outcome.changed else None
        _make_session_key(deployment, say, done=done, patience=patience)
    print_ca_keys(deployment, say)
    return outcome


def restore(*, say: Say, is_dry_run: bool = False, clock: Clock | None = None) -> Outcome:
    """Take back what `aws_destroy` did to keys and secrets, so that the same CAs sign again.

    What is gone for good stays gone, and is not missed here. Raises ``OperatorError``.
    """
    steps = restoration(current_deployment())
    return deploy(steps, say=say, is_dry_run=is_dry_run, clock=clock)


def _keeping_in_service(deployment: Deployment) -> list[AnyStep]:
    """Return the steps that name the version in service before Zappa leads the API to that name.

    They are for installations of before there was one. A stage that no run has guarded yet stays
    without, so that its default endpoint leads nowhere until it is closed.
    """
    return [
        LiveVersion(deployment, stage, AS_IT_IS)
        for stage in deployed_stages(deployment)
        if look_at_api(deployment, stage).deployed_lockdown
    ]


def make_successor_key(
    ca: str, *, say: Say, is_dry_run: bool = False, clock: Clock | None = None
) -> Outcome:
    """Make the key of the successor of ``ca``, and let the functions sign with it (threat T55).

    Which key that is says the admin's function, where the CAs are on record. Raises
    ``OperatorError`` when the CA cannot have a successor. Another run goes on from there.
    """
    deployment = current_deployment()
    check_deployment(deployment)
    if not look_at_stage(deployment, "admin").is_deployed:
        raise OperatorError(
            "The CAs are in the database of the admin's function, which is not deployed. Run zappa "
            "deploy admin. A machine that is no function makes the key itself: run ca_successor."
        )
    answer = run_in_function(deployment.live_function("admin"), "ca_successor", ca, "--key")
    try:
        coming = json.loads(answer)
        successor, signer = coming["successor"], coming["signer"]
        key, key_algorithm = coming["name"], coming["key_algorithm"]
    except (ValueError, KeyError, TypeError) as error:
        raise OperatorError(
            "The admin's function answers in the format of another version. Run zappa update admin."
        ) from error
    steps = successor_key(deployment, signer, key, key_algorithm)
    outcome = deploy(steps, say=say, is_dry_run=is_dry_run, clock=clock)
    print_ca_keys(deployment, say)
    if not is_dry_run:
        say(
            f"{successor} can be made now: manage.py aws_run ca_successor {ca} --reason TEXT, or "
            "the page of the CA."
        )
    return outcome


def print_ca_keys(deployment: Deployment, say: Say) -> None:
    """Print the CAs' keys in KMS that the roles of the functions name, for a person to compare."""
    keys = find_keys(deployment)
    for key in keys.ca_keys:
        say(f"The functions may sign with {key.alias} ({key.arn}).")
    for signer, arn in keys.named.items():
        say(f"The functions may sign with the key of the signer {signer} ({arn}).")


def _make_session_key(
    deployment: Deployment, say: Say, *, done: Sequence[str], patience: Performer | None
) -> None:
    """Make the secret that signs the admin's sessions, if there is none.

    With ``patience`` it waits until the rights to a new key of KMS are in force.
    """
    name = deployment.config.properties.secret_key_secret_name
    make = partial(
        ensure_secret_key,
        name,
        place=AWSLocation(deployment.region),
        kms_key_id=deployment.key_alias,
    )
    with as_a_step(f"secret {name}", done=done):
        is_new = patience.patiently(make) if patience else make()
    if is_new:
        say(f"The secret {name} was made. It signs the admin's sessions.")


def finish(
    stage: StageName,
    *,
    say: Say,
    is_dry_run: bool = False,
    adopts: bool = False,
    clock: Clock | None = None,
    service: Service = WHOLLY,
    is_part: bool = False,
) -> Outcome:
    """Do what comes after `zappa deploy` or `zappa update`, whichever stage was first.

    The setup in the admin's function makes schema and CAs. est waits for them: deployed first, it
    is finished together with admin. ``is_part`` says that the other stage comes next. Raises
    ``OperatorError``. Another run goes on from there.
    """
    deployment = current_deployment()
    check_deployment(deployment)
    run = partial(deploy, say=say, is_dry_run=is_dry_run, clock=clock)
    deployed = deployed_stages(deployment)
    has_truststore = bool(latest_version(deployment))
    # Step 1: the stage is guarded before it serves anybody.
    outcome = run(guarding(deployment, stage))
    changed, notes = outcome.changed, outcome.notes
    # Step 2: without a client CA there is no truststore, and without that no domain of est.
    if stage == "est" and not has_truststore and "admin" not in deployed:
        say(
            "What is missing: est has no domain before there is a client CA. zappa deploy admin "
            "makes it, and then finishes est."
        )
        return outcome
    # Step 3: the new code migrates, then it serves; after that est too, if it waited for the CA.
    if stage == "admin":
        set_up(deployment, say=say, is_dry_run=is_dry_run, clock=clock)
    outcome = run(opening(deployment, stage, service, adopts=adopts))
    changed, notes = changed + outcome.changed, notes + outcome.notes
    if stage == "admin" and "est" not in deployed and not is_part:
        say("What is missing: the stage for devices. Run zappa deploy est.")
    if stage == "admin" and "est" in deployed and not has_truststore:
        outcome = run([*guarding(deployment, "est"), *opening(deployment, "est", adopts=adopts)])
        changed, notes = changed + outcome.changed, notes + outcome.notes
    # Step 4: the domain trusts its first version now, which the record has to say.
    if "est" in deployed and not is_dry_run:
        with as_a_step("record of the truststore", done=[f"everything else of {stage}"]):
            run_in_function(deployment.live_function("admin"), *FIRST_ACTIVATION)
    return Outcome(changed, notes)


def deployed_stages(deployment: Deployment) -> list[StageName]:
    """Return the stages that Zappa has deployed. Raises ``RemoteFailure``."""
    return [stage for stage in STAGES if look_at_stage(deployment, stage).is_deployed]


def stage_named(name: str) -> StageName:
    """Return the stage of that name: ``est`` or ``admin``. Raises ``OperatorError``."""
    for stage in STAGES:
        if stage == name:
            return stage
    raise OperatorError(f"There is no stage {name!r}. The stages are {' and '.join(STAGES)}.")
