"""The addresses of devices' pages, which other pages link to."""

from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.http import urlencode

from pki.admin.display import visible
from pki.devices.states import DeviceState

_DOTS = frozenset({".", ".."})
"""Parts of a path that a browser resolves by itself (https://url.spec.whatwg.org/#path-state)."""


def device_url(common_name: str) -> str:
    """Return the address of the page of a thing name; "" for a name that no address can have.

    AWS IoT takes no such name, but a PKI outside, or an earlier record, may have one.
    """
    if _DOTS & set(common_name.split("/")):
        return ""
    try:
        return reverse("admin:console_device", args=[common_name])
    except NoReverseMatch:  # a line break
        return ""


def state_url(state: DeviceState) -> str:
    """Return the address of the list of the devices in a state."""
    return f"{reverse('admin:console_devices')}?{urlencode({'state': state.slug})}"


def device_link(common_name: str) -> str:
    """Return a link to the page of a thing name, or the name if its page has no address."""
    url, shown = device_url(common_name), visible(common_name)
    return format_html('<a href="{}">{}</a>', url, shown) if url else shown
