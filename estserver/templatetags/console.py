"""Tags of the console's templates: values as ``pki.admin.display`` shows them."""

import datetime

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from estserver.console.overview.figures import Figure
from iotprov.admin.registration_operations import status_of
from iotprov.models import CARegistration
from pki.admin import display

register = template.Library()

register.filter("visible", display.visible)
register.simple_tag(display.chip, name="chip")
register.simple_tag(display.page_of, name="page_of")


@register.simple_tag
def moment(at: datetime.datetime | None) -> str:
    """Show a time to the minute in UTC."""
    return display.utc(at, "%Y-%m-%d %H:%M UTC")


@register.simple_tag
def day(at: datetime.datetime) -> str:
    """Show a date in UTC."""
    return display.utc(at, "%Y-%m-%d")


@register.simple_tag
def figure(figure: Figure) -> SafeString:
    """Show a number that leads to its rows."""
    return format_html('<a class="figure" href="{}">{}</a>', figure.url, str(figure))


@register.simple_tag
def registration(row: CARegistration | None) -> SafeString | str:
    """Show whether AWS IoT knows a CA at one target."""
    if row is None:
        return display.chip("Not registered", "over")
    return format_html('<a href="{}">{}</a>', display.page_of(row), display.chip(*status_of(row)))
