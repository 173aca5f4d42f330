"""List and show devices, and change what is on record of their names."""

from collections.abc import Iterator
from typing import Any

from django.core.management.base import CommandParser

from pki.devices.listing import ListedDevice, list_devices
from pki.devices.states import DeviceState
from pki.management.certificate_facts import moment
from pki.management.listing import add_limit
from pki.operators.command import OperatorCommand, misuse
from pki.operators.output import Row
from pki.operators.subcommands import CommandGroup

_BY_SLUG = {state.slug: state for state in DeviceState}


class ListDevices(OperatorCommand):
    """See ``help``."""

    help = "List devices by their names, all or those of one state."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add what the list is narrowed by."""
        parser.add_argument("--state", choices=list(_BY_SLUG), help="devices in this state")
        parser.add_argument("--beginning", default="", metavar="TEXT", help="names that begin so")
        parser.add_argument("--after", default="", metavar="NAME", help="what follows this name")
        add_limit(parser)

    def handle(
        self,
        *args: Any,
        state: str | None,
        beginning: str,
        after: str,
        limit: int,
        **options: Any,
    ) -> None:
        """Print a row for each device."""
        if limit < 0:
            misuse("--limit is a number of rows, or 0 for all of them.")
        self._last = ""
        found = _devices(_BY_SLUG.get(state or ""), beginning, after)
        self.print_rows(
            ("state", "name", "serial_number", "not_after"),
            self._facts(found, limit),
            empty="No device fits.",
        )
        if self._last and not self.is_json:
            self.say(f"More follow: --after {self._last}")

    def _facts(self, devices: Iterator[ListedDevice], limit: int) -> Iterator[Row]:
        last = ""
        for number, one in enumerate(devices, 1):
            if limit and number > limit:
                self._last = last
                return
            last = one.common_name
            yield {
                "name": one.common_name,
                "state": one.state.slug,
                "serial_number": one.current.serial_number if one.current else "",
                "not_after": moment(one.current.not_after) if one.current else None,
            }


def _devices(state: DeviceState | None, beginning: str, after: str) -> Iterator[ListedDevice]:
    """Yield the devices page by page, so that a fleet is not held in memory."""
    has_more = True
    while has_more:
        page = list_devices(state, beginning=beginning, after=after)
        yield from page.devices
        has_more = page.has_more
        after = page.devices[-1].common_name if page.devices else after


class Command(CommandGroup):
    """See ``help``."""

    help = "List and show devices, and release, move and provision their names."
    subcommands = {
        "list": ListDevices,
        "show": "estserver.management.commands.device.Command",
        "deny": "pki.management.commands.deny.Command",
        "allow": "pki.management.commands.allow.Command",
        "release": "pki.management.commands.release_name.Command",
        "rebind": "pki.management.commands.rebind_names.Command",
        "reprovision": "iotprov.management.commands.reprovision.Command",
    }
