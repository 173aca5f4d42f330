"""Deploy to AWS, or bring a deployment up to date."""

import argparse
import json
from typing import Any

from django.core.management.base import CommandParser

from estserver.deploy.command import DeployCommand
from estserver.deploy.deployment import STAGES, current_deployment
from estserver.deploy.lifecycle import deploy
from estserver.deploy.lifecycle.deploy_all import deploy_all
from estserver.deploy.recipe import deployer_policies
from estserver.deploy.zappa.live_version import WHOLE, Service
from pki.operators.effects import Effect


class Command(DeployCommand):
    """See ``help``."""

    help = (
        "Deploy everything to AWS, or bring it up to date: buckets, roles, key, logs (--prepare), "
        "both functions with their APIs (by Zappa), then domains, truststore, lockdown, WAF, DNS, "
        "alarms (--finish). What is as it should be stays as it is, so it can be run at any time, "
        "and after a failure it goes on. Exit code 1 is a refusal, 3 is AWS's failure."
    )
    effect = Effect.MORE

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
        share = parser.add_mutually_exclusive_group()
        share.add_argument(
            "--canary",
            type=_share,
            metavar="PERCENT",
            help="give newer code this share of the requests (1 to 99); --promote gives it all, "
            "aws_rollback none",
        )
        share.add_argument(
            "--promote",
            action="store_true",
            help="put a canary in service, or code that aws_rollback took out",
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
        run: dict[str, Any] = {"say": self.say, "is_dry_run": dry_run}
        service = Service(options["canary"] or WHOLE, promotes=options["promote"])
        restored = deploy.restore(**run).changed if options["restore"] else ()
        if ca := options["successor_key"]:
            outcome = deploy.make_successor_key(ca, **run)
        elif prepare:
            outcome = deploy.prepare(**run)
        elif finish:
            stage = deploy.stage_named(finish)
            outcome = deploy.finish(stage, adopts=adopt, service=service, **run)
        else:
            outcome = deploy_all(adopts=adopt, service=service, **run)
        changed = ", ".join((*restored, *outcome.changed))
        if not dry_run:
            self.say(f"changed: {changed}" if changed else "nothing had to be changed")


def _share(text: str) -> int:
    """Return a canary's share of the requests. argparse prints what this raises."""
    if not text.isdecimal() or not 1 <= int(text) < WHOLE:
        raise argparse.ArgumentTypeError(f"Found {text}, wanted a whole number from 1 to 99.")
    return int(text)
