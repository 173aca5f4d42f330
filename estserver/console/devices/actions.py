"""The operations that a device's page offers: each is the page of a row, and leads back here."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext

from estserver.console.devices.links import device_url
from iotprov.models import Provisioning
from pki.admin.operations import BACK
from pki.devices.record import DeviceRecord
from pki.models import DenylistEntry

_IS_LIVE = ("issued", "superseded")


@dataclass(frozen=True, slots=True)
class Action:
    """A link to an operation."""

    label: str
    url: str
    is_dangerous: bool = False


def actions(
    request: HttpRequest, device: DeviceRecord, rows: Sequence[Provisioning]
) -> list[Action]:
    """Return the operations that the person may carry out on the device now."""
    return [action for permission, action in _all(device, rows) if _may(request, permission)]


def _all(device: DeviceRecord, rows: Sequence[Provisioning]) -> Iterator[tuple[str, Action]]:
    back = {BACK: device_url(device.common_name)}
    if not any(entry.kind == DenylistEntry.Kind.COMMON_NAME for entry in device.denied_by):
        value = {"kind": DenylistEntry.Kind.COMMON_NAME.value, "value": device.common_name}
        url = _url("pki_denylistentry_add", **value, **back)
        yield "pki.add_denylistentry", Action(gettext("Deny"), url, is_dangerous=True)
    for entry in device.denied_by:
        url = _url("pki_denylistentry_allow", entry.pk, **back)
        label = gettext("Allow again (%(kind)s)") % {"kind": entry.get_kind_display()}
        yield "pki.delete_denylistentry", Action(label, url)
    if device.current is not None and device.current.state in _IS_LIVE:
        url = _url("pki_issuedcertificate_revoke", device.current.pk, **back)
        yield "pki.change_issuedcertificate", Action(gettext("Revoke"), url, is_dangerous=True)
    row = device.owner or device.newest
    if row is not None:
        url = _url("pki_issuedcertificate_release", row.pk, **back)
        label = gettext("Release the name")
        yield "pki.change_issuedcertificate", Action(label, url, is_dangerous=True)
    for provisioning in rows:
        if device.current is not None and provisioning.certificate_id == device.current.pk:
            label = gettext("Provision again at %(target)s") % {"target": provisioning.target}
            url = _url("iotprov_provisioning_retry", provisioning.pk, **back)
            yield "iotprov.change_provisioning", Action(label, url)


def _url(name: str, *args: object, **query: str) -> str:
    return f"{reverse(f'admin:{name}', args=args)}?{urlencode(query)}"


def _may(request: HttpRequest, permission: str) -> bool:
    return bool(request.user.has_perm(permission))
