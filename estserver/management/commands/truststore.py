"""The CAs that API Gateway trusts: compare, push, go back, and the record of pushes."""

from typing import Any, ClassVar

from django.core.management.base import CommandParser

from estserver.management.commands.aws_truststore import Command as TruststoreCommand
from pki.operators.effects import Effect
from pki.operators.subcommands import CommandGroup

_EVERY = {
    "push": False,
    "to": None,
    "record_first_activation": False,
    "record_activation": None,
    "pushes": False,
    "no_activate": False,
    "reason": "",
    "yes": False,
    "dry_run": False,
    "here": False,
}


class _Part(TruststoreCommand):
    """One thing that `aws_truststore` does."""

    preset: ClassVar[dict[str, Any]] = {}
    effect = Effect.READS
    is_dangerous = False

    def add_arguments(self, parser: CommandParser) -> None:
        """Add where the record is."""
        parser.add_argument(
            "--here",
            action="store_true",
            help="CAs and record are in this machine's database, not in the admin's function",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it, as `aws_truststore` does with the option for it."""
        given = {name: options.get(name, default) for name, default in _EVERY.items()}
        super().handle(**{**given, **self.preset})


class Diff(_Part):
    """See ``help``."""

    help = "Compare the CAs that API Gateway trusts with those on record, and list the versions."


class Pushes(_Part):
    """See ``help``."""

    help = "Print the record of pushes, as JSON."
    preset = {"pushes": True}


class _Change(_Part):
    effect = Effect.MORE
    is_dangerous = True

    def add_arguments(self, parser: CommandParser) -> None:
        """Add whether the domain trusts it at once, and why."""
        super().add_arguments(parser)
        parser.add_argument("--no-activate", action="store_true", help="let no domain trust it yet")
        parser.add_argument("--reason", default="", help="for the audit trail")


class Push(_Change):
    """See ``help``."""

    help = "Push the CAs on record as a new version, and let the domain trust it."
    preset = {"push": True}


class Activate(_Change):
    """See ``help``."""

    help = "Go back, or on, to a version that was pushed."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the version."""
        super().add_arguments(parser)
        parser.add_argument("to", metavar="VERSION", help="as `truststore diff` lists them")


class Command(CommandGroup):
    """See ``help``."""

    help = "Compare and push the CAs that API Gateway trusts, and go back to a version."
    subcommands = {"diff": Diff, "list": Pushes, "push": Push, "activate": Activate}
