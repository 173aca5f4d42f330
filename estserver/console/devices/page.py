"""The page of one device: everything that is known of a thing name, and what can be done."""

import json
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import gettext, gettext_noop

from estserver.console.devices.actions import actions
from estserver.console.devices.timeline import timeline
from estserver.console.registry import Section, console_page
from estserver.console.rendering import render_page
from estserver.console.things import thing_table
from estserver.operations.device_commands import (
    JAVA_CLIENT,
    ClientFiles,
    DeviceCommands,
    commands_for,
)
from estserver.operations.est_address import est_address
from iotprov.admin.provisioning import status_of as provisioning_status
from iotprov.conf import find_target, iot_settings
from iotprov.provisioning.device_record import DeviceInAWSIoT, device_in_aws_iot, targets
from iotprov.provisioning.remote_device import RemoteDevice, ask_aws_iot
from pki.admin.certificate_states import status_of
from pki.admin.display import EMPTY, chip, link, list_of, shortened, table, utc, visible
from pki.authorities.test_client import TEST_CLIENT
from pki.devices.record import MOST_COUNTED, DeviceRecord, Holder, device_record
from pki.models import AuditEvent, IssuedCertificate

_OF_AWS_IOT = "iotprov.view_provisioning"


@console_page(
    section=Section.DEVICES,
    title=gettext_noop("Device"),
    name="console_device",
    route="devices/<path:name>/",
    permission="pki.view_issuedcertificate",
    methods=("GET", "POST"),
    is_in_navigation=False,
)
def device_page(request: HttpRequest, name: str) -> HttpResponseBase:
    """Show the device. A POST asks AWS IoT about it, and changes nothing."""
    device = device_record(name)
    if device is None:
        raise Http404(f"Nothing is on record of the thing name {name!a}.")
    in_aws = device_in_aws_iot(device.certificates, device.current)
    sees_aws = _may(request, _OF_AWS_IOT)
    sees_trail = _may(request, "pki.view_auditevent")
    sees_denylist = _may(request, "pki.view_denylistentry")
    context = {
        "title": visible(device.common_name),
        "trail": [(gettext("Devices"), _list_url())],
        "state": chip(device.state.word, device.state.chip),
        "meaning": device.state.meaning,
        "facts": _facts(device, sees_denylist),
        "actions": actions(request, device, in_aws.rows),
        "last": _last(device) if sees_trail else (),
        "last_advice": _advice(device) if sees_trail else "",
        "lines": timeline(
            device,
            in_aws.rows if sees_aws else (),
            with_trail=sees_trail,
            with_denylist=sees_denylist,
        ),
        "certificates": _certificates(device.certificates),
        "audit_url": list_of(AuditEvent, q=device.common_name) if sees_trail else "",
        "aws": _aws(in_aws) if sees_aws else None,
        "targets": targets() if sees_aws else (),
        "answers": _answers(request, device, in_aws) if sees_aws else (),
        "commands": _commands(device, in_aws),
        "java_url": static(f"estserver/{JAVA_CLIENT}"),
        "java_client": JAVA_CLIENT,
    }
    return render_page(request, "admin/console/device.html", context)


def _list_url() -> str:
    return reverse("admin:console_devices")


def _may(request: HttpRequest, permission: str) -> bool:
    return bool(request.user.has_perm(permission))


# Facts


def _facts(device: DeviceRecord, sees_denylist: bool) -> list[tuple[str, Any]]:
    current = device.current
    facts: list[tuple[str, Any]] = [("Current certificate", link(current))]
    if current is not None:
        facts += [
            ("Valid from", utc(current.not_before)),
            ("Valid until", utc(current.not_after)),
            ("Renewal due", utc(device.renewal_due_at)),
            ("Profile", link(current.profile)),
            ("CA", link(current.ca)),
            ("Subject", visible(current.subject)),
            ("SAN", visible(current.san) or EMPTY),
            ("Key", f"{current.key_algorithm}"),
        ]
    serials = ", ".join(visible(serial) for serial in device.device_serials)
    facts.append(("Device serial number", serials or EMPTY))
    facts += _of_holder(device.holder)
    if sees_denylist:
        entries = [link(entry) for entry in device.denied_by]
        facts.append(
            ("Denylist", table((), ([one] for one in entries)) if entries else "not on it")
        )
    return facts


def _of_holder(holder: Holder | None) -> list[tuple[str, Any]]:
    if holder is None:
        return [("Holder of the name", "nobody: the next client that enrolls it holds it")]
    if holder.record is not None:
        who = link(holder.record)
    else:
        who = shortened(holder.fingerprint, 64) if holder.fingerprint else EMPTY
    said = [("Holder of the name", who)]
    if holder.subject:
        said.append(("Holder's subject", visible(holder.subject)))
    if holder.is_reserved:
        said.append(("Reserved", "An operator gave the name to this client."))
    if holder.profile is not None:
        per_hour, ever = holder.profile.new_names_per_hour, holder.profile.new_names_ever
        said.append(
            (
                "Holder's new names",
                f"{holder.names_within_hour} within an hour ({_of(per_hour)}), "
                f"{_count(holder.names_ever)} ever ({_of(ever)})",
            )
        )
    return said


def _of(quota: int | None) -> str:
    return "no quota" if quota is None else f"of {quota:,}"


def _count(number: int) -> str:
    return f"{number:,}" if number < MOST_COUNTED else f"at least {number:,}"


def _certificates(rows: Iterable[IssuedCertificate]) -> Any:
    titles = ("State", "Serial number", "For", "Valid until", "Asked for", "Replaces")
    by_key = {row.pk: row for row in rows}
    cells = (
        (
            chip(*status_of(row)),
            link(row, f"{row.serial_number[:16]}…"),
            row.get_operation_display(),
            utc(row.not_after, "%Y-%m-%d"),
            utc(row.created_at, "%Y-%m-%d %H:%M"),
            _predecessor(row, by_key),
        )
        for row in by_key.values()
    )
    return table(titles, cells) if by_key else ""


def _predecessor(row: IssuedCertificate, by_key: dict[Any, IssuedCertificate]) -> str:
    before = by_key.get(row.predecessor_id)
    return link(before, f"{before.serial_number[:10]}…") if before is not None else EMPTY


# The last request


def _last(device: DeviceRecord) -> list[tuple[str, Any]]:
    last = device.last_request
    if last is None:
        return []
    outcome = chip("Refused", "bad") if last.is_refused else chip("Answered", "good")
    said: list[tuple[str, Any]] = [("Outcome", outcome), ("When", utc(last.at))]
    if last.is_refused:
        said.append(("Reason", last.event.reason.partition(":")[0]))
    said += [
        ("What the device was told" if last.is_refused else "Result", visible(last.sentence)),
        ("Request id", link(last.event, last.event.request_id or EMPTY)),
        ("From", last.event.source_ip or EMPTY),
    ]
    return said


def _advice(device: DeviceRecord) -> str:
    last = device.last_request
    if last is None or not last.is_refused or last.reason is None:
        return ""
    return str(last.reason.advice)


# AWS IoT


def _aws(in_aws: DeviceInAWSIoT) -> dict[str, Any]:
    titles = ("Target", "State", "Certificate in AWS IoT", "Thing", "What is wrong")
    cells = (
        (
            link(row, row.target),
            chip(*provisioning_status(row)),
            row.aws_status or EMPTY,
            visible(row.thing_name) or EMPTY,
            visible(row.error or row.note) or EMPTY,
        )
        for row in in_aws.rows
    )
    plan = in_aws.plan
    return {
        "rows": table(titles, cells) if in_aws.rows else "",
        "plan": thing_table(plan.thing) if plan is not None else "",
        "policy": _json(plan.policy) if plan is not None else "",
        "problem": visible(in_aws.problem),
    }


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=True)


def _answers(
    request: HttpRequest, device: DeviceRecord, in_aws: DeviceInAWSIoT
) -> list[dict[str, Any]]:
    """Ask the target that the button names, if it was pressed."""
    target = find_target(request.POST.get("ask", "")) if request.method == "POST" else None
    if target is None:
        return []
    thing = in_aws.thing_at(target.name, device.common_name)
    return [_answer(ask_aws_iot(target, thing, device.certificate_id))]


def _answer(found: RemoteDevice) -> dict[str, Any]:
    pairs: list[tuple[str, Any]] = [
        ("Thing", visible(found.thing_name) if found.has_thing else "there is no such thing"),
        *((f"Attribute {visible(key)}", visible(value)) for key, value in found.attributes.items()),
        ("Thing type", visible(found.thing_type)),
        ("Groups", visible(", ".join(found.groups))),
        *((f"Certificate {one[:12]}…", visible(status)) for one, status in found.certificates),
    ]
    if found.connection is not None:
        pairs += _connection(found)
    return {
        "target": found.target,
        "facts": table((), ((name, value) for name, value in pairs if value)),
        "policies": [(visible(name), visible_json(body)) for name, body in found.policies],
        "failures": [visible(failure) for failure in found.failures],
    }


def _connection(found: RemoteDevice) -> list[tuple[str, Any]]:
    connection = found.connection
    assert connection is not None  # noqa: S101  # the caller looked
    if connection.is_connected:
        word = chip("Connected", "good")
    else:
        word = (
            chip("Not connected", "over") if connection.since else chip("Never connected", "open")
        )
    said: list[tuple[str, Any]] = [("Connection", word)]
    if connection.since is not None:
        said.append(("Since", utc(connection.since)))
    if connection.reason:
        said.append(("Disconnected because of", visible(connection.reason)))
    return said


def visible_json(text: str) -> str:
    """Return JSON text in its lines, in each of which what cannot be seen is escaped."""
    return "\n".join(visible(line) for line in text.splitlines())


# Commands


def _commands(device: DeviceRecord, in_aws: DeviceInAWSIoT) -> list[DeviceCommands]:
    holder, profile = device.holder, device.current.profile if device.current else None
    test_client = ClientFiles.of_test_client(settings.EST_DATA_DIR, TEST_CLIENT)
    record = holder.record if holder is not None else None
    is_ours = holder is None or (record is not None and record.name_folded == TEST_CLIENT)
    client = test_client if is_ours and test_client.certificate.exists() else ClientFiles()
    return list(
        commands_for(
            device.common_name,
            est_address(),
            client,
            label=profile.label if profile is not None else "",
            subject=device.current.to_x509().subject if device.current else None,
            thing_name=in_aws.plan.thing.thing_name if in_aws.plan is not None else "",
            region=iot_settings().targets[0].region,
        )
    )
