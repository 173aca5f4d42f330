"""Let a new CA issue in place of an old one."""

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from pki.authorities.succeed import make_successor, step_before_successor, successor_key
from pki.operators.command import OperatorCommand, command_actor
from pki.operators.effects import Effect
from pki.record.find import find_authority


class Command(OperatorCommand):
    """See ``help``."""

    help = (
        "Make a CA of the same subject with a new key, which issues from now on. The old one "
        "stays trusted and published until it expires. In a Lambda function, a key in KMS is made "
        "beforehand, by aws_deploy --successor-key."
    )
    effect = Effect.MORE

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the CA to be succeeded, and the reason."""
        parser.add_argument("ca", metavar="CA", help="the CA's name")
        parser.add_argument("--reason", default="", help="kept on the audit trail")
        parser.add_argument(
            "--key",
            action="store_true",
            help="print as JSON which key the successor will have, and do nothing; "
            "aws_deploy --successor-key asks this",
        )

    def handle(
        self, *args: Any, ca: str, reason: str, key: bool, dry_run: bool, **options: Any
    ) -> None:
        """Print which CA issues now."""
        authority = find_authority(ca)
        if key:
            self.stdout.write(json.dumps(asdict(successor_key(authority))))
            return
        if dry_run:
            coming = successor_key(authority)
            self.say(
                step_before_successor(authority)
                or f"{coming.successor} would issue in place of {authority.name}, with a new key "
                f"({coming.key_algorithm}) that the signer {coming.signer} would make. Nothing was "
                "changed.",
                **asdict(coming),
            )
            return
        successor = make_successor(authority, actor=command_actor(), reason=reason)
        self.say(
            f"{successor} issues from now on, until {successor.not_after:%Y-%m-%d}; "
            f"{ca} stays trusted and published",
            successor=successor.name,
            not_after=successor.not_after.isoformat(),
        )
