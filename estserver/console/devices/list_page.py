"""The list of devices, by state, page by page in the order of their names."""

from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext, gettext_noop

from estserver.console.devices.links import device_link
from estserver.console.registry import Section, console_page
from estserver.console.rendering import render_page
from pki.admin.display import EMPTY, chip, link, table, utc, visible
from pki.devices.listing import DevicePage, ListedDevice, count_devices, list_devices
from pki.devices.states import DeviceState, renewal_due_at
from pki.record.bounded_counts import count_in_words


@console_page(
    section=Section.DEVICES,
    title=gettext_noop("Devices"),
    name="console_devices",
    route="devices/",
    permission="pki.view_issuedcertificate",
)
def device_list(request: HttpRequest) -> HttpResponseBase:
    """Show a page of devices. The address has the state, the names' beginning and the place."""
    state = next((each for each in DeviceState if each.slug == request.GET.get("state")), None)
    beginning = request.GET.get("q", "").strip()
    after = request.GET.get("after", "")
    page = list_devices(state, beginning=beginning, after=after)
    query = {"state": state.slug if state else "", "q": beginning}
    last = page.devices[-1].common_name if page.devices else ""
    context = {
        "title": gettext("Devices"),
        "filters": _filters(state, beginning),
        "beginning": beginning,
        "state": state,
        "meaning": state.meaning.replace(" below", "") if state else "",
        "devices": _table(page.devices) if page.devices else "",
        "count": _counted(page, state, beginning) if not after else "",
        "first_url": _address(**query) if after else "",
        "next_url": _address(**query, after=last) if page.has_more else "",
        "is_filtered": bool(state or beginning),
    }
    return render_page(request, "admin/console/devices.html", context)


def _filters(chosen: DeviceState | None, beginning: str) -> list[tuple[str, str, bool]]:
    """Return words and address of each filter, and whether it is the chosen one."""
    every = [("All", _address(q=beginning), chosen is None)]
    return every + [
        (state.word, _address(state=state.slug, q=beginning), state is chosen)
        for state in DeviceState
    ]


def _address(**query: str) -> str:
    asked = {name: value for name, value in query.items() if value}
    path = reverse("admin:console_devices")
    return f"{path}?{urlencode(asked)}" if asked else path


def _counted(page: DevicePage, state: DeviceState | None, beginning: str) -> str:
    """Return how many devices the list has. Counting a fleet takes longer than showing a page."""
    if page.has_more and beginning:
        return ""
    return count_in_words(count_devices(state) if page.has_more else len(page.devices))


def _table(devices: tuple[ListedDevice, ...]) -> Any:
    titles = ("State", "Name", "Certificate", "Renewal due", "Valid until", "Profile")
    return table(titles, (_cells(device) for device in devices))


def _cells(device: ListedDevice) -> tuple[str, ...]:
    current = device.current
    shown = chip(device.state.word, device.state.chip)
    name = device_link(device.common_name)
    if current is None:
        return shown, name, EMPTY, EMPTY, EMPTY, EMPTY
    return (
        shown,
        name,
        link(current, f"{current.serial_number[:10]}…"),
        utc(renewal_due_at(current), "%Y-%m-%d"),
        utc(current.not_after, "%Y-%m-%d"),
        visible(current.profile.name) if current.profile else EMPTY,
    )
