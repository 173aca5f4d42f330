"""Show what is on record of one device, or list devices by their state."""

import json
from collections.abc import Iterator
from typing import Any

from django.core.management.base import CommandParser

from iotprov.conf import targets_named
from iotprov.provisioning.device_record import DeviceInAWSIoT, device_in_aws_iot
from iotprov.provisioning.remote_device import ask_aws_iot
from pki.admin.display import visible
from pki.devices.listing import count_devices, list_devices
from pki.devices.record import DeviceRecord, device_record
from pki.devices.states import DeviceState
from pki.operators.command import OperatorCommand
from pki.operators.errors import OperatorError
from pki.record.bounded_counts import count_in_words

_BY_SLUG = {state.slug: state for state in DeviceState}


class Command(OperatorCommand):
    """See ``help``."""

    help = (
        "Show what is on record of one device: its state, certificates, the holder of its name, "
        "the denylist, its last request and AWS IoT. Without a name, list devices, 50 at a time."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the name, or what a list is narrowed by."""
        parser.add_argument("name", nargs="?", default="", metavar="NAME", help="the thing name")
        parser.add_argument("--state", choices=list(_BY_SLUG), help="list devices in this state")
        parser.add_argument(
            "--beginning", default="", metavar="TEXT", help="list names that begin so"
        )
        parser.add_argument(
            "--after", default="", metavar="NAME", help="list what follows this name"
        )
        parser.add_argument(
            "--ask-aws", metavar="TARGET", help="with NAME: ask AWS IoT at this target as well"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(
        self,
        *args: Any,
        name: str,
        state: str | None,
        beginning: str,
        after: str,
        ask_aws: str | None,
        json: bool,
        **options: Any,
    ) -> None:
        """Print the device, or a page of the list."""
        if name:
            said = _device(name, ask_aws)
            self.stdout.write(_as_json(said) if json else "\n".join(_lines(said)))
            return
        page = list_devices(_BY_SLUG.get(state or ""), beginning=beginning, after=after)
        rows = [
            {
                "name": one.common_name,
                "state": one.state.slug,
                "serial_number": one.current.serial_number if one.current else "",
                "not_after": one.current.not_after.isoformat() if one.current else "",
            }
            for one in page.devices
        ]
        if json:
            self.stdout.write(_as_json({"devices": rows, "has_more": page.has_more}))
            return
        for row in rows:
            self.stdout.write(f"{row['state']:<12} {visible(row['name'])}  {row['not_after'][:10]}")
        if page.has_more:
            self.stdout.write(f"more follow: --after {visible(page.devices[-1].common_name)}")
        if not beginning and not after:
            count = count_devices(_BY_SLUG.get(state or ""))
            self.stdout.write(f"devices: {count_in_words(count)}")


def _device(name: str, ask_aws: str | None) -> dict[str, Any]:
    device = device_record(name)
    if device is None:
        raise OperatorError(f"Nothing is on record of the thing name {name!a}. Look with find.")
    in_aws = device_in_aws_iot(device.certificates, device.current)
    said = _on_record(device) | {"aws_iot": _in_aws(in_aws)}
    if ask_aws is not None:
        target, *_ = targets_named(ask_aws)
        thing = in_aws.thing_at(target.name, device.common_name)
        found = ask_aws_iot(target, thing, device.certificate_id)
        said["aws_iot_now"] = found.as_json()
    return said


def _on_record(device: DeviceRecord) -> dict[str, Any]:
    last, holder = device.last_request, device.holder
    return {
        "name": device.common_name,
        "state": device.state.slug,
        "meaning": device.state.meaning,
        "renewal_due_at": device.renewal_due_at and device.renewal_due_at.isoformat(),
        "device_serials": list(device.device_serials),
        "certificates": [
            {
                "serial_number": row.serial_number,
                "state": row.state,
                "sha256": row.fingerprint_sha256,
                "not_after": row.not_after.isoformat(),
                "is_current": row == device.current,
            }
            for row in device.certificates
        ],
        "holder": holder
        and {
            "sha256": holder.fingerprint,
            "subject": holder.subject,
            "is_reserved": holder.is_reserved,
            "new_names_within_hour": holder.names_within_hour,
            "new_names_ever": holder.names_ever,
        },
        "denied_by": [
            {"kind": entry.kind, "value": entry.value, "reason": entry.reason}
            for entry in device.denied_by
        ],
        "last_request": last
        and {
            "at": last.at.isoformat(),
            "is_refused": last.is_refused,
            "said": last.sentence,
            "reason": last.reason.code if last.reason else "",
            "what_to_do": last.reason.advice if last.reason else "",
            "request_id": last.event.request_id,
        },
    }


def _in_aws(found: DeviceInAWSIoT) -> dict[str, Any]:
    return {
        "targets": [
            {
                "target": row.target,
                "state": row.state,
                "thing": row.thing_name,
                "status": row.aws_status,
                "error": row.error,
            }
            for row in found.rows
        ],
        "plan": found.plan.as_json() if found.plan is not None else None,
        "problem": found.problem,
    }


def _as_json(said: dict[str, Any]) -> str:
    return json.dumps(said, indent=2)


def _lines(said: Any, depth: int = 0) -> Iterator[str]:
    """Yield JSON values as indented lines, without what is empty."""
    indent = "  " * depth
    for name, value in said.items():
        words = name.replace("_", " ")
        if value in (None, "", [], {}):
            continue
        if isinstance(value, dict):
            yield f"{indent}{words}:"
            yield from _lines(value, depth + 1)
        elif isinstance(value, list) and isinstance(value[0], dict):
            for each in value:
                yield f"{indent}{words}:"
                yield from _lines(each, depth + 1)
        else:
            text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            yield f"{indent}{words}: {visible(text)}"
