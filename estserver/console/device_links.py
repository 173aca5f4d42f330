"""The addresses of devices' pages, which other pages link to."""

from django.urls import reverse
from django.utils.html import format_html

from pki.admin.display import visible


def device_url(common_name: str) -> str:
    """Return the address of the page of a thing name."""
    return reverse("admin:console_device", args=[common_name])


def device_link(common_name: str) -> str:
    """Return a link to the page of a thing name."""
    return format_html('<a href="{}">{}</a>', device_url(common_name), visible(common_name))
