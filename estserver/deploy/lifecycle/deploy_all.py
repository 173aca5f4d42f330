"""The one command: prepare, have Zappa deploy both stages, and finish each."""

from django.conf import settings

from estserver.deploy.deployment import Deployment, StageName, current_deployment
from estserver.deploy.engine.performer import Clock
from estserver.deploy.engine.runs import Outcome, as_a_step
from estserver.deploy.lifecycle.deploy import Say, finish, prepare
from estserver.deploy.lifecycle.uploaded import reasons_to_deploy
from estserver.deploy.package.build import make_package
from estserver.deploy.zappa.live_version import WHOLLY, Service
from estserver.deploy.zappa.run_zappa import deploy_stage
from estserver.deploy.zappa.stage import look_at_stage

IN_ORDER: tuple[StageName, ...] = ("admin", "est")
"""The stages in the order of deploying: admin makes the schema and the CAs that est needs."""


def deploy_all(
    *,
    say: Say,
    is_dry_run: bool = False,
    adopts: bool = False,
    clock: Clock | None = None,
    service: Service = WHOLLY,
) -> Outcome:
    """Prepare, have Zappa deploy both stages, and finish each. Raises ``OperatorError``.

    Another run goes on where this one stopped, and changes nothing once all is as it should be.
    """
    outcome = prepare(say=say, is_dry_run=is_dry_run, clock=clock)
    changed, notes = outcome.changed, outcome.notes
    deployment = current_deployment()
    for stage in IN_ORDER:
        # Step 1: the package, the function and the API.
        changed += _upload(deployment, stage, say, is_dry_run=is_dry_run)
        # Step 2: what Zappa does not make. Before a first deployment there is nothing to look at.
        if is_dry_run and not look_at_stage(deployment, stage).is_deployed:
            say(f"{stage}: then what manage.py aws_deploy --finish {stage} does")
            continue
        outcome = finish(
            stage,
            say=say,
            is_dry_run=is_dry_run,
            adopts=adopts,
            clock=clock,
            service=service,
            is_part=True,
        )
        changed, notes = changed + outcome.changed, notes + outcome.notes
    return Outcome(changed, notes)


def _upload(
    deployment: Deployment, stage: StageName, say: Say, *, is_dry_run: bool
) -> tuple[str, ...]:
    """Make the package of a stage, and have Zappa deploy it if it differs from what AWS has."""
    name = f"{stage}: package, function and API"
    if is_dry_run:
        reasons = list(reasons_to_deploy(deployment, stage, None))
        say(name)
        for reason in reasons or ["if the package has other code than the function"]:
            say(f"  {reason}")
        say(f"    zappa deploy {stage}")
        return ()
    say(f"{name}: the package is made")
    path = settings.CONFIG.data_dir / "package" / f"{deployment.function(stage)}.zip"
    with as_a_step(name, done=["prepare"]):
        package = make_package(stage, path)
        reasons = list(reasons_to_deploy(deployment, stage, package.path))
        if not reasons:
            say(f"{name}: as it should be")
            return ()
        for reason in reasons:
            say(f"  {reason}")
        deploy_stage(stage, package=package.path, say=say)
        # Zappa takes a function that an earlier run made as it is, so it may need an update.
        if reasons := list(reasons_to_deploy(deployment, stage, package.path)):
            deploy_stage(stage, package=package.path, say=say)
    return (name,)
