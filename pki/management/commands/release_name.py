"""Release a thing name from the client that holds it."""

from typing import Any

from django.core.management.base import CommandParser

from pki.denylist.values import pem_in_file
from pki.issuance.release import planned_release, release_name
from pki.operators.command import OperatorCommand, command_actor
from pki.operators.effects import Effect


class Command(OperatorCommand):
    """See ``help``."""

    help = (
        "Release a thing name from the client that holds it, so that another client may enroll "
        "it. A name with live certificates is not released, unless --revoke is given."
    )
    effect = Effect.MORE

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the name, the client that gets it, and the reason."""
        parser.add_argument("name", metavar="NAME", help="the thing name")
        parser.add_argument(
            "--to",
            default="",
            metavar="CLIENT",
            help="reserve the name for this client: the SHA-256 of its certificate, or a PEM file",
        )
        parser.add_argument(
            "--revoke",
            action="store_true",
            help="revoke the live certificates of the name first, and detach them from their thing",
        )
        parser.add_argument("--reason", required=True, help="kept on the audit trail")
        parser.add_argument("--dry-run", action="store_true", help="only say what would happen")

    def handle(
        self,
        *args: Any,
        name: str,
        to: str,
        revoke: bool,
        reason: str,
        dry_run: bool,
        **options: Any,
    ) -> None:
        """Print what the release does, then that it is done."""
        to = pem_in_file(to) if to else ""
        for sentence in planned_release(name, to=to, is_revoking=revoke).effects():
            self.say(sentence)
        if dry_run:
            self.say("nothing was changed (--dry-run)")
            return
        released = release_name(
            name, reason=reason, actor=command_actor(), to=to, is_revoking=revoke
        )
        self.say(f"released: thing name {released.common_name}", name=released.common_name)
