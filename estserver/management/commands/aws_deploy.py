"""Set up in AWS what Zappa does not."""

import json
from typing import Any

from django.core.management.base import CommandParser

from estserver.deploy import deploy
from estserver.deploy.command import DeployCommand
from estserver.deploy.deployment import STAGES, current_deployment
from estserver.deploy.recipe import deployer_policies


class Command(DeployCommand):
    """See ``help``."""

    help = (
        "Set up in AWS what Zappa does not: buckets, roles, key, logs (--prepare), domains, "
        "truststore, lockdown, WAF, DNS, alarms (--finish), CAs' keys in KMS (--prepare, "
        "--successor-key). Zappa's callbacks run it. Alone, it prepares, and finishes each stage "
        "that is deployed. What is as it should be stays as it is, so it can be run at any time, "
        "and again after a failure."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the part to carry out, and whether to print the calls only."""
        part = parser.add_mutually_exclusive_group()
        part.add_argument("--prepare", action="store_true", help="what zappa deploy needs, only")
        part.add_argument("--finish", choices=STAGES, help="what comes after zappa deploy, only")
        part.add_argument(
            "--successor-key",
            metavar="CA",
            help="make the key in KMS for the successor of a CA, and let the functions sign with "
            "it, only; ca_successor then makes the successor",
        )
        part.add_argument(
            "--permissions",
            action="store_true",
            help="print the policies of the person who deploys, by name, and do nothing",
        )
        parser.add_argument(
            "--restore",
            action="store_true",
            help="first take back what aws_destroy did to secrets and to keys in KMS, which can be "
            "restored for 30 days, so that the same CAs sign again",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="print each call with its parameters, make none"
        )
        parser.add_argument(
            "--adopt",
            action="store_true",
            help="take over domains and DNS records that are there already, as when moving from "
            "the CDK sample; aws_destroy leaves them",
        )

    def handle(
        self,
        *args: Any,
        prepare: bool,
        finish: str | None,
        dry_run: bool,
        adopt: bool,
        **options: Any,
    ) -> None:
        """Print a line for each step, and one at the end."""
        if options["permissions"]:
            self.say(json.dumps(deployer_policies(current_deployment()), indent=2))
            return
        changed: tuple[str, ...] = ()
        if options["restore"]:
            changed += deploy.restore(say=self.say, is_dry_run=dry_run).changed
        if ca := options["successor_key"]:
            changed += deploy.make_successor_key(ca, say=self.say, is_dry_run=dry_run).changed
        elif finish is None:
            changed += deploy.prepare(say=self.say, is_dry_run=dry_run).changed
        stages = [] if prepare or ca else [finish] if finish else self._deployed()
        for stage in stages:
            outcome = deploy.finish(
                deploy.stage_named(stage),
                say=self.say,
                is_dry_run=dry_run,
                adopts=adopt,
            )
            changed += outcome.changed
        if not dry_run:
            self.say(f"changed: {', '.join(changed)}" if changed else "nothing had to be changed")

    def _deployed(self) -> list[Any]:
        stages = deploy.deployed_stages(current_deployment())
        for stage in STAGES:
            if stage not in stages:
                self.say(f"The stage {stage} is not deployed yet. Run zappa deploy {stage}.")
        return stages[::-1]  # admin makes the CAs that est needs
