"""Values as a page shows them: client text made visible, times in UTC, states as chips.

Django's autoescape or ``format_html`` escapes everything. No text is marked safe because of its
source.
"""

import datetime
from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_lazy

from pki.operators.visible_text import visible as visible

EMPTY = "-"

_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60))


def words(field: str, title: str = "", *, order: str = "") -> Callable[[Model], str]:
    """Return a column or field that shows text which a client or operator wrote.

    ``order`` is the column that a list is sorted by, if it is another one.
    """

    def show(row: Model) -> str:
        return visible(str(getattr(row, field) or "")) or EMPTY

    return _titled(show, field, title, order)


def code(field: str, title: str = "", *, characters: int = 0) -> Callable[[Model], str]:
    """Return a column or field that shows a serial number or digest, or its first characters."""

    def show(row: Model) -> str:
        text = visible(str(getattr(row, field) or ""))
        if not text:
            return EMPTY
        return shortened(text, characters or len(text))

    return _titled(show, field, title)


def with_code(text: str) -> SafeString:
    """Return a sentence as HTML, with the commands between backticks as code."""
    parts = [
        format_html("<code>{}</code>" if number % 2 else "{}", part)
        for number, part in enumerate(text.split("`"))
    ]
    return format_html_join("", "{}", ((part,) for part in parts))


def shortened(text: str, characters: int) -> str:
    """Return the beginning of a serial number or digest, with all of it as a tooltip."""
    if len(text) <= characters:
        return format_html("<code>{}</code>", text)
    return format_html('<code title="{}">{}…</code>', text, text[:characters])


def moment(field: str, title: str = "") -> Callable[[Model], str]:
    """Return a column or field that shows a time in UTC."""

    def show(row: Model) -> str:
        return utc(getattr(row, field))

    return _titled(show, field, title)


def minute(field: str, title: str, *, order: str = "") -> Callable[[Model], str]:
    """Return a column that shows a time to the minute, with UTC in its title.

    ``order`` is as in ``words``.
    """

    def show(row: Model) -> str:
        return utc(getattr(row, field), "%Y-%m-%d %H:%M")

    return _titled(show, field, f"{title} (UTC)", order)


def flag(field: str, title: str) -> Callable[[Model], str]:
    """Return a field that shows yes or no."""

    def show(row: Model) -> str:
        return "yes" if getattr(row, field) else "no"

    return _titled(show, field, title)


def utc(at: datetime.datetime | None, layout: str = "%Y-%m-%d %H:%M:%S UTC") -> str:
    """Return a time in HTML, in UTC; a dash for none."""
    if at is None:
        return EMPTY
    at = at.astimezone(datetime.UTC)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        at.isoformat(),
        relative(at, timezone.now()),
        at.strftime(layout),
    )


def relative(at: datetime.datetime, now: datetime.datetime) -> str:
    """Return a time in words as seen from ``now``: ``in 3 days``, ``2 hours ago``."""
    seconds = abs(int((at - now).total_seconds()))
    unit, length = next((one for one in _UNITS if seconds >= one[1]), ("second", 1))
    count = seconds // length
    words = f"{count} {unit}" if count == 1 else f"{count} {unit}s"
    return f"in {words}" if at > now else f"{words} ago"


def _titled(
    show: Callable[[Any], str], field: str, title: str, order: str = ""
) -> Callable[[Model], str]:
    show.__name__ = f"{field}_shown"
    title = title or field.replace("_", " ")
    return admin.display(description=gettext_lazy(title), ordering=order or field)(show)


_GLYPHS = {"good": "✓", "soon": "!", "over": "✕", "bad": "⊘", "past": "»", "open": "…"}


def chip(word: str, kind: str) -> SafeString:
    """Return a state in HTML: a word, a glyph and a colour, because some people see no colours.

    ``kind`` is good, soon, over, bad, past or open.
    """
    return format_html(
        '<span class="chip chip-{}"><span aria-hidden="true">{}</span> {}</span>',
        kind,
        _GLYPHS[kind],
        gettext(word),
    )


def table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> SafeString:
    """Return a table in HTML. Cells are escaped, unless ``format_html`` made them."""
    heads = format_html_join(
        "", '<th scope="col">{}</th>', ((title and gettext(title),) for title in titles)
    )
    head = format_html("<thead><tr>{}</tr></thead>", heads) if heads else ""
    body = ((format_html_join("", "<td>{}</td>", ((cell,) for cell in cells)),) for cells in rows)
    return format_html(
        "<table>{}<tbody>{}</tbody></table>",
        head,
        format_html_join("", "<tr>{}</tr>", body),
    )


def link(row: Model | None, text: str = "") -> str:
    """Return a link to a row's page; a dash for no row."""
    if row is None:
        return EMPTY
    return format_html('<a href="{}">{}</a>', page_of(row), visible(text or str(row)))


def page_of(row: Model) -> str:
    """Return the URL of a row's page."""
    options = row._meta
    return reverse(f"admin:{options.app_label}_{options.model_name}_change", args=[row.pk])


def list_of(model: type[Model], **query: str) -> str:
    """Return the URL of a model's list, with filters or a search (``q``)."""
    options = model._meta
    url = reverse(f"admin:{options.app_label}_{options.model_name}_changelist")
    return f"{url}?{urlencode(query)}" if query else url
