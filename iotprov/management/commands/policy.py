"""Versions of the IoT policy: list, compare, check, change and push."""

from iotprov.documents.versions_command import subcommands_of
from iotprov.models import DocumentVersion
from pki.operators.subcommands import CommandGroup


class Command(CommandGroup):
    """See ``help``."""

    help = "List, compare, check, change and push versions of the IoT policy."
    subcommands = subcommands_of(
        DocumentVersion.Kind.POLICY, "iotprov.management.commands.sync_policy.Command"
    )
