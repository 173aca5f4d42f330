"""The setup inside the admin's function once it is deployed: the schema, the CAs, AWS IoT."""

from collections.abc import Callable
from functools import partial

from estserver.config import Config
from estserver.deploy.deployment import Deployment
from estserver.deploy.engine.performer import Clock, Performer
from estserver.deploy.engine.runs import as_a_step
from estserver.deploy.zappa.admin_function import run_aloud, running
from pki.choices import IoTProvisioning


def commands(config: Config) -> list[tuple[str, ...]]:
    """Return the commands in their order. Each changes nothing that exists already."""
    wanted: list[tuple[str, ...]] = [("migrate", "--no-input"), ("bootstrap_cas",)]
    if config.deployment.configure_jitp or config.iot_provisioning != IoTProvisioning.NONE:
        # Whoever deploys wrote the policy, however much it allows, and nobody can be asked there.
        wanted.append(("sync_policy", "--yes"))
        if config.deployment.configure_jitp:
            wanted.append(("sync_template",))
        wanted.append(("register_ca",))
    return wanted


def set_up(
    deployment: Deployment,
    *,
    say: Callable[[str], None],
    is_dry_run: bool,
    clock: Clock | None = None,
) -> None:
    """Run the commands, and print the output of each; for a dry run, print the commands only.

    A command that AWS refuses is run again for a while, because the function's role may have got
    its policy a moment ago. Raises ``StepFailed`` at the first that fails. In another run, those
    before it change nothing.
    """
    wanted = commands(deployment.config)
    done: list[str] = []
    performer = Performer(say, clock)
    for number, command in enumerate(wanted, start=1):
        if is_dry_run:
            say(running(command))
            continue
        with as_a_step(f"setup of the admin, {command[0]}", number, len(wanted), done=done):
            running_it = partial(run_aloud, deployment.function("admin"), *command, say=say)
            performer.patiently(running_it)
        done.append(command[0])
