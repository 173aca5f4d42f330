"""Tags of the console's templates: values as ``pki.admin.display`` shows them."""

import datetime
from typing import Any

from django import template
from django.contrib.admin.views.main import ChangeList
from django.db.models import Field, Model
from django.utils.html import format_html
from django.utils.safestring import SafeString

from estserver.console.overview.figures import Figure
from iotprov.admin.registration_operations import status_of
from iotprov.models import CARegistration
from pki.admin import display

register = template.Library()

_LOOKUPS = {
    "exact": "=",
    "in": "one of",
    "gt": "after",
    "gte": "from",
    "lt": "before",
    "lte": "until",
    "startswith": "beginning with",
}
"""What the look-ups of a list's address mean in words."""

register.filter("visible", display.visible)
register.filter("with_code", display.with_code)
register.simple_tag(display.chip, name="chip")
register.simple_tag(display.page_of, name="page_of")


@register.simple_tag
def moment(at: datetime.datetime | None) -> str:
    """Show a time to the minute in UTC."""
    return display.utc(at, "%Y-%m-%d %H:%M UTC")


@register.simple_tag
def second(at: datetime.datetime) -> str:
    """Show a time to the second in UTC."""
    return display.utc(at)


@register.simple_tag
def day(at: datetime.datetime) -> str:
    """Show a date in UTC."""
    return display.utc(at, "%Y-%m-%d")


@register.simple_tag
def figure(figure: Figure) -> SafeString:
    """Show a number that leads to its rows."""
    return format_html('<a class="figure" href="{}">{}</a>', figure.url, str(figure))


def _columns(model: type[Model]) -> dict[str, "Field[Any, Any]"]:
    return {field.name: field for field in model._meta.concrete_fields}


@register.simple_tag
def filtered_by(changes: ChangeList) -> list[str]:
    """Return in words what a list is filtered by, if its own filters do not show it.

    The overview's numbers lead to such lists.
    """
    shown = {name for spec in changes.filter_specs for name in spec.expected_parameters()}
    conditions = []
    for name, values in changes.filter_params.items():
        field, _, lookup = name.rpartition("__")
        if name not in shown and lookup in _LOOKUPS:
            column = _columns(changes.model).get(field)
            words = str(column.verbose_name) if column else field
            text = ", ".join(display.visible(str(value)) for value in values)
            conditions.append(f"{words} {_LOOKUPS[lookup]} {text}")
    return conditions


@register.simple_tag
def registration(row: CARegistration | None) -> SafeString | str:
    """Show whether AWS IoT knows a CA at one target."""
    if row is None:
        return display.chip("Not registered", "over")
    return format_html('<a href="{}">{}</a>', display.page_of(row), display.chip(*status_of(row)))
