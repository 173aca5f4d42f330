"""Distrust a CA, at once and for good."""

from typing import Any

from django.core.management.base import CommandParser

from pki.authorities.distrust import distrust_authority
from pki.authorities.trust_effects import trust_effects
from pki.operators.command import OperatorCommand, command_actor, refuse
from pki.operators.effects import Effect
from pki.operators.errors import OperatorError
from pki.record import observers
from pki.record.find import find_authority

KEEP, INACTIVE = "keep", "inactive"


class Command(OperatorCommand):
    """See ``help``."""

    help = (
        "Distrust a CA that is compromised. From then on the server refuses whatever leads to it. "
        "Prints what stops, and asks for the name of the CA before it changes anything."
    )
    effect = Effect.MORE
    is_dangerous = True

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the CA, the reason, and what becomes of its certificates."""
        parser.add_argument("ca", metavar="CA", help="the CA's name")
        parser.add_argument("--reason", required=True, help="kept on the audit trail")
        parser.add_argument(
            "--certificates",
            choices=(KEEP, INACTIVE),
            default=INACTIVE,
            help="in AWS IoT: INACTIVE (the default), or kept as they are",
        )
        parser.add_argument("--yes", action="store_true", help="distrust it")
        parser.add_argument(
            "--here",
            action="store_true",
            help="the database that this machine is configured for is that of the deployment, as "
            "where the admin is a container: let its gateway follow, and wait",
        )

    def handle(
        self,
        *args: Any,
        ca: str,
        reason: str,
        certificates: str,
        yes: bool,
        dry_run: bool,
        here: bool,
        **options: Any,
    ) -> None:
        """Print what stops, then what was done and what remains to do."""
        row, actor = find_authority(ca), command_actor()
        for sentence in trust_effects(row).sentences():
            self.say(sentence)
        if dry_run:
            self.say("nothing was changed (--dry-run)")
            return
        self.confirm(row.name, is_confirmed=yes)
        newly = distrust_authority(
            row, reason=reason, actor=actor, are_certificates_stopped=certificates == INACTIVE
        )
        for one in newly:
            self.say(f"distrusted: {one}", ca=one.name)
        if not newly:
            self.say(f"distrusted before, on {row.untrusted_since:%Y-%m-%d}: {row}", ca=row.name)
        follow(self, row.name, reason=reason, is_here=here)


def follow(command: OperatorCommand, name: str, *, reason: str, is_here: bool) -> None:
    """Let every place outside the database follow, print what it does, and wait for it.

    A place that fails ends the command with an error, after the others. The CA is not trusted by
    then, so the command may be repeated.
    """
    failures = []
    for follower in observers.followers():
        try:
            follower.follow(
                reason=f"{name}: {reason}",
                actor=command_actor(),
                is_here=is_here,
                say=command.say,
            )
        except OperatorError as error:
            failures.append(error)
    if failures:
        said = " ".join(map(str, failures))
        refuse(
            f"The application does not trust {name} any more, but not everything follows yet. "
            f"{said} Remove the cause of each failure. Then run aws_truststore --push --yes.",
            failures[0],
        )
