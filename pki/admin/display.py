"""How values look on a page: client text made visible, times in UTC, states as chips.

Everything goes through Django's autoescape or ``format_html``; nothing is ever marked safe
because of where it came from.
"""

import datetime
from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString

EMPTY = "-"


def visible(text: str) -> str:
    r"""``text`` with every character that can't be seen written as its escape.

    A right-to-left override or a NUL in a client's text then shows as ``\u202e`` or ``\x00``,
    and can't turn the words around it into others. Letters of any script stay as they are.
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def words(field: str, title: str = "") -> Callable[[Model], str]:
    """A column or field that shows text which a client or operator wrote."""

    def show(row: Model) -> str:
        return visible(str(getattr(row, field) or "")) or EMPTY

    return _titled(show, field, title)


def code(field: str, title: str = "", *, characters: int = 0) -> Callable[[Model], str]:
    """A column or field that shows a serial number or digest; 0 ``characters`` for all of it."""

    def show(row: Model) -> str:
        text = visible(str(getattr(row, field) or ""))
        if not text:
            return EMPTY
        return shortened(text, characters or len(text))

    return _titled(show, field, title)


def shortened(text: str, characters: int) -> str:
    """The beginning of a serial number or digest, and all of it for the pointer."""
    if len(text) <= characters:
        return format_html("<code>{}</code>", text)
    return format_html('<code title="{}">{}…</code>', text, text[:characters])


def moment(field: str, title: str = "") -> Callable[[Model], str]:
    """A column or field that shows a time, absolute and in UTC."""

    def show(row: Model) -> str:
        return utc(getattr(row, field))

    return _titled(show, field, title)


def minute(field: str, title: str) -> Callable[[Model], str]:
    """A column that shows a time to the minute; the title says that it is UTC."""

    def show(row: Model) -> str:
        return utc(getattr(row, field), "%Y-%m-%d %H:%M")

    return _titled(show, field, f"{title} (UTC)")


def flag(field: str, title: str) -> Callable[[Model], str]:
    """A field that shows yes or no."""

    def show(row: Model) -> str:
        return "yes" if getattr(row, field) else "no"

    return _titled(show, field, title)


def utc(at: datetime.datetime | None, layout: str = "%Y-%m-%d %H:%M:%S UTC") -> str:
    """A time as people and logs write it; a dash for none."""
    if at is None:
        return EMPTY
    at = at.astimezone(datetime.UTC)
    return format_html('<time datetime="{}">{}</time>', at.isoformat(), at.strftime(layout))


def _titled(show: Callable[[Any], str], field: str, title: str) -> Callable[[Model], str]:
    show.__name__ = f"{field}_shown"
    return admin.display(description=title or field.replace("_", " "), ordering=field)(show)


_GLYPHS = {"good": "✓", "soon": "!", "over": "✕", "bad": "⊘", "past": "»", "open": "…"}


def chip(word: str, kind: str) -> SafeString:
    """A state: its word, a glyph and a colour, so that no one has to tell colours apart.

    ``kind`` is good, soon, over, bad, past or open.
    """
    return format_html(
        '<span class="chip chip-{}"><span aria-hidden="true">{}</span> {}</span>',
        kind,
        _GLYPHS[kind],
        word,
    )


def table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> SafeString:
    """A table, of pairs when it has no ``titles``; cells are escaped unless ``format_html`` did."""
    heads = format_html_join("", '<th scope="col">{}</th>', ((title,) for title in titles))
    head = format_html("<thead><tr>{}</tr></thead>", heads) if heads else ""
    body = ((format_html_join("", "<td>{}</td>", ((cell,) for cell in cells)),) for cells in rows)
    return format_html(
        "<table>{}<tbody>{}</tbody></table>",
        head,
        format_html_join("", "<tr>{}</tr>", body),
    )


def link(row: Model | None, text: str = "") -> str:
    """A link to a row's page; a dash for none."""
    if row is None:
        return EMPTY
    return format_html('<a href="{}">{}</a>', page_of(row), visible(text or str(row)))


def page_of(row: Model) -> str:
    """The URL of a row's page."""
    options = row._meta
    return reverse(f"admin:{options.app_label}_{options.model_name}_change", args=[row.pk])


def list_of(model: type[Model], **query: str) -> str:
    """The URL of a model's list, with filters or a search (``q``)."""
    options = model._meta
    url = reverse(f"admin:{options.app_label}_{options.model_name}_changelist")
    return f"{url}?{urlencode(query)}" if query else url
