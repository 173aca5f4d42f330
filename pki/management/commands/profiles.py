"""List, compare, add and change certificate profiles, and go back to earlier versions."""

import json
from typing import Any

from django.core.management.base import CommandParser

from pki.management.certificate_facts import moment
from pki.management.commands.profile_set import add_confirmation
from pki.models import CertificateProfile
from pki.operators.command import OperatorCommand, command_actor, refuse
from pki.operators.effects import Effect
from pki.operators.subcommands import CommandGroup
from pki.record.profile_settings import parse_settings
from pki.record.profile_versions import (
    add_profile,
    find_version,
    return_to_version,
    settings_of,
)
from pki.record.transactions import in_write_transaction

_NAME = "the name of the profile"


class AddProfile(OperatorCommand):
    """See ``help``."""

    help = (
        "Put a profile of a new name in force. It needs a CA and a label: KEY=VALUE as `profiles "
        "show` prints them. What is not given has the default."
    )
    effect = Effect.DATABASE

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the name and the settings."""
        parser.add_argument("name", metavar="NAME", help=_NAME)
        parser.add_argument("assignments", nargs="+", metavar="KEY=VALUE", help="ca=CA label=LABEL")

    def handle(self, *args: Any, name: str, assignments: list[str], **options: Any) -> None:
        """Print what is in force."""
        settings = parse_settings(assignments)
        if "ca" not in settings:
            refuse("A profile needs a CA. Give ca=CA, with a name that manage.py cas list shows.")

        def add() -> CertificateProfile:
            profile = CertificateProfile(name=name, **settings)
            return add_profile(profile, actor=command_actor())

        made = in_write_transaction(add)
        self.say(f"{made} is in force", profile=made.name, version=made.version)


class ListVersions(OperatorCommand):
    """See ``help``."""

    help = "List the versions of a profile, the newest first."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the profile."""
        parser.add_argument("name", metavar="PROFILE", help=_NAME)

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        """Print a row for each version."""
        rows = (
            CertificateProfile.objects.filter(name=name).select_related("ca").order_by("-version")
        )
        if not rows:
            refuse(f"There is no profile {name!a}. manage.py profiles list shows those in force.")
        self.print_rows(
            ("version", "status", "label", "ca", "validity_days", "created_at"),
            (
                {
                    "version": row.version,
                    "status": "in force" if row.is_in_force else "replaced",
                    "created_at": moment(row.created_at),
                    **{
                        key: value
                        for key, value in settings_of(row).items()
                        if key not in ("version", "name")
                    },
                }
                for row in rows
            ),
        )


class DiffVersions(OperatorCommand):
    """See ``help``."""

    help = "Show what differs between two versions of a profile; by default the newest two."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the profile and the versions."""
        parser.add_argument("name", metavar="PROFILE", help=_NAME)
        parser.add_argument("old", nargs="?", type=int, metavar="VERSION", help="the earlier one")
        parser.add_argument("new", nargs="?", type=int, metavar="VERSION", help="the later one")

    def handle(
        self, *args: Any, name: str, old: int | None, new: int | None, **options: Any
    ) -> None:
        """Print a line for each setting that differs."""
        later = find_version(name, new)
        earlier = find_version(name, later.version - 1 if old is None else old)
        before, after = settings_of(earlier), settings_of(later)
        self.print_rows(
            ("setting", "before", "after"),
            (
                {"setting": key, "before": json.dumps(before[key]), "after": json.dumps(value)}
                if not self.is_json
                else {"setting": key, "before": before[key], "after": value}
                for key, value in after.items()
                if key != "version" and value != before[key]
            ),
            empty=f"{earlier} and {later} have the same settings.",
        )


class RollBack(OperatorCommand):
    """See ``help``."""

    help = "Put the settings of an earlier version in force again, as a new version."
    effect = Effect.DATABASE

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the profile, the version and the reason."""
        parser.add_argument("name", metavar="PROFILE", help=_NAME)
        parser.add_argument("version", type=int, metavar="VERSION", help="the version to return to")
        parser.add_argument("--reason", required=True, help="kept on the audit trail")
        add_confirmation(parser)

    def handle(
        self,
        *args: Any,
        name: str,
        version: int,
        reason: str,
        confirmed: list[str],
        **options: Any,
    ) -> None:
        """Print what is in force."""
        made = in_write_transaction(
            lambda: return_to_version(
                name, version, actor=command_actor(), reason=reason, confirmed=confirmed
            )
        )
        self.say(
            f"{made} is in force, with the settings of version {version}",
            profile=made.name,
            version=made.version,
        )


class Command(CommandGroup):
    """See ``help``."""

    help = "List, show, compare, add and change certificate profiles, and go back to a version."
    subcommands = {
        "list": "pki.management.commands.profile_show.Command",
        "show": "pki.management.commands.profile_show.Command",
        "versions": ListVersions,
        "diff": DiffVersions,
        "add": AddProfile,
        "set": "pki.management.commands.profile_set.Command",
        "roll-back": RollBack,
    }
