"""Change a certificate profile."""

from typing import Any

from django.core.management.base import CommandParser

from pki.operators.command import OperatorCommand, command_actor
from pki.operators.effects import Effect
from pki.record.find import find_profile
from pki.record.profile_lockouts import EVERY_SETTING
from pki.record.profile_settings import parse_settings
from pki.record.profile_versions import change_profile, settings_of
from pki.record.transactions import in_write_transaction


def add_confirmation(parser: CommandParser) -> None:
    """Add the option for the settings whose change refuses devices, which their refusal names."""
    parser.add_argument(
        "--confirm",
        dest="confirmed",
        action="append",
        default=[],
        metavar="SETTING",
        choices=sorted(EVERY_SETTING),
        help="change it although devices are refused then; once for each setting that is named",
    )


class Command(OperatorCommand):
    """See ``help``."""

    help = (
        "Put a new version of a certificate profile in force. Certificates keep the version under "
        "which they were issued."
    )
    effect = Effect.DATABASE

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the profile, its changes, and the reason."""
        parser.add_argument("profile", metavar="PROFILE", help="its name or label")
        parser.add_argument(
            "assignments",
            nargs="+",
            metavar="KEY=VALUE",
            help="as profile_show prints them; a list is JSON, or words separated by commas",
        )
        parser.add_argument("--reason", required=True, help="kept on the audit trail")
        add_confirmation(parser)

    def handle(
        self,
        *args: Any,
        profile: str,
        assignments: list[str],
        reason: str,
        confirmed: list[str],
        **options: Any,
    ) -> None:
        """Print a line for each setting that changed."""
        old = find_profile(profile)
        before, changes = settings_of(old), parse_settings(assignments)
        new = in_write_transaction(
            lambda: change_profile(
                find_profile(profile),
                changes,
                actor=command_actor(),
                reason=reason,
                confirmed=confirmed,
            )
        )
        after = settings_of(new)
        self.say(f"{new} is in force", profile=new.name, version=new.version)
        for key, value in after.items():
            if key != "version" and value != before[key]:
                self.say(
                    f"  {key}: {before[key]!r} -> {value!r}",
                    setting=key,
                    before=before[key],
                    after=value,
                )
