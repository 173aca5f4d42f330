"""Documents, their differences and their problems in HTML."""

import difflib
from collections.abc import Callable, Iterable

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_noop

from iotprov.json_text.layout import is_one_line, readable
from iotprov.json_text.located import Place, Problem
from pki.admin.display import chip, table, visible

_MAX_EXCERPT = 100  # characters

_COLUMNS = (
    "",
    gettext_noop("Line:column"),
    gettext_noop("What is wrong"),
    gettext_noop("The line"),
)

_DIFF_LINES = {"+": "added", "-": "removed", "@": "place"}


def numbered(text: str) -> SafeString:
    """Return a document with numbered lines, each of which a link can lead to."""
    lines = ((number, visible(line)) for number, line in enumerate(_lines(text), start=1))
    return format_html(
        '<pre class="numbered">{}</pre>',
        format_html_join("\n", '<span id="line-{}">{}</span>', lines),
    )


def place_in_text(place: Place) -> SafeString:
    """Return a place as a link to its line in what ``numbered`` shows on the same page."""
    return format_html('<a href="#line-{}">{}:{}</a>', place.line, place.line, place.column)


def place_in_editor(place: Place) -> SafeString:
    """Return a place as a link to the editor, whose script puts the cursor there."""
    text = f"{place.line}:{place.column}"
    return format_html('<a href="#id_body" data-place="{}">{}</a>', text, text)


def _lines(text: str) -> list[str]:
    """Return the lines as places count them. Other separators may stand inside of strings."""
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    return lines[:-1] if lines[-1] == "" else lines


def diff_block(diff: str) -> SafeString:
    """Return a unified diff in HTML. Its signs say the same as its colours."""
    lines = ((_DIFF_LINES.get(line[:1], "same"), visible(line)) for line in diff.splitlines())
    return format_html(
        '<pre class="diff">{}</pre>',
        format_html_join("\n", '<span class="diff-{}">{}</span>', lines),
    )


def difference(old: str, new: str, old_name: str, new_name: str) -> str:
    """Return a unified diff of two texts; "" if they are equal.

    If one of them stands on one line, both are laid out first, or the diff would be the two texts.
    """
    if is_one_line(old) or is_one_line(new):
        old, new = readable(old), readable(new)
    lines = difflib.unified_diff(
        old.splitlines(), new.splitlines(), old_name, new_name, lineterm=""
    )
    return "\n".join(lines)


def problem_table(
    problems: Iterable[Problem], text: str, *, place: Callable[[Place], SafeString] | None = None
) -> SafeString | str:
    """Return a table of problems with their places and lines; "" if there are none.

    ``place`` makes a link of a place, where the page has the text.
    """
    lines = _lines(text)
    rows = [
        (
            chip("Error", "bad") if problem.is_error else chip("Warning", "soon"),
            place(problem.place) if place else f"{problem.place.line}:{problem.place.column}",
            visible(problem.message),
            _excerpt(lines, problem.place.line),
        )
        for problem in problems
    ]
    return table(_COLUMNS, rows) if rows else ""


def _excerpt(lines: list[str], number: int) -> SafeString:
    line = lines[number - 1].strip() if number <= len(lines) else ""
    shown = line[:_MAX_EXCERPT] + ("…" if len(line) > _MAX_EXCERPT else "")
    return format_html("<code>{}</code>", visible(shown))
