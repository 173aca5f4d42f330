"""A world of certificates as an SVG: a tree of boxes, drawn here, with the names as links.

Nothing is styled inline, so the Content-Security-Policy holds. The colours are those of the page.
"""

import datetime
import unicodedata
from collections.abc import Callable, Iterator, Sequence

from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from estserver.console.authorities.worlds import Node, World
from pki.admin.display import visible

WIDTH = 360
MOST_DRAWN = 40
"""Boxes of one world. The table has them all."""

_BOX, _GAP, _INDENT, _EDGE = 40, 8, 22, 4
_LETTERS = 34
"""Columns of a name at the outermost level, as wide letters count two."""

Allowed = Callable[[Node], bool]


def draw_world(world: World, *, may_open: Allowed) -> SafeString:
    """Return the picture of a world that is not empty; a table has to say all of it."""
    placed = list(_places(world.nodes))
    drawn = placed[:MOST_DRAWN]
    height = len(drawn) * (_BOX + _GAP) + 2 * _EDGE
    return format_html(
        '<svg class="world" viewBox="0 0 {} {}" role="group" aria-label="{}">{}{}</svg>',
        *(WIDTH, height, f"{world.title}. The table says the same."),
        format_html_join("", '<path d="{}"/>', _edges(drawn)),
        format_html_join("", "{}", _boxes(drawn, may_open)),
    )


def left_out(world: World) -> int:
    """Return how many boxes the picture of a world does not have."""
    return max(0, sum(1 for _ in _places(world.nodes)) - MOST_DRAWN)


def state_in_words(node: Node, now: datetime.datetime) -> str:
    """Return a node's state with the days that are left: ``Active, 3,652 days left``."""
    if node.until is None or node.until <= now:
        return node.state
    days = (node.until - now) // datetime.timedelta(days=1)
    return f"{node.state}, {days:,} days left"


def _places(nodes: Sequence[Node], level: int = 0) -> Iterator[tuple[Node, int]]:
    """Yield each node with its level, as the picture has them from top to bottom."""
    for node in nodes:
        yield node, level
        yield from _places(node.leads_to, level + 1)


def _top(number: int) -> int:
    return _EDGE + number * (_BOX + _GAP)


def _edges(drawn: list[tuple[Node, int]]) -> Iterator[tuple[str]]:
    """Yield a line from each box to the one that leads to it, which is above and further left."""
    above: dict[int, int] = {}
    for number, (_, level) in enumerate(drawn):
        above[level] = number
        if level:
            x = _EDGE + (level - 1) * _INDENT + _INDENT // 2
            start, end = _top(above[level - 1]) + _BOX, _top(number) + _BOX // 2
            yield (f"M{x} {start}V{end}H{_EDGE + level * _INDENT}",)


def _boxes(drawn: list[tuple[Node, int]], may_open: Allowed) -> Iterator[tuple[SafeString]]:
    now = timezone.now()
    for number, (node, level) in enumerate(drawn):
        left, top = _EDGE + level * _INDENT, _top(number)
        said = ", ".join(filter(None, (node.what, state_in_words(node, now))))
        shown = visible(node.name)
        text = format_html(
            '<text x="{}" y="{}" class="name"><title>{}</title>{}</text>',
            *(left + 8, top + 17, shown, cut(shown, _LETTERS - 3 * level)),
        )
        if node.url and may_open(node):
            text = format_html('<a href="{}">{}</a>', node.url, text)
        box = format_html(
            '<rect x="{}" y="{}" width="{}" height="{}" rx="4" class="{}"/>{}'
            '<text x="{}" y="{}" class="said">{}</text>',
            *(left, top, WIDTH - _EDGE - left, _BOX, node.kind, text),
            *(left + 8, top + 32, cut(said, _LETTERS + 20 - 4 * level)),
        )
        yield (box,)


def cut(text: str, columns: int) -> str:
    """Return as much of ``text`` as fits, with an ellipsis. Wide letters take two columns."""
    used = 0
    for number, letter in enumerate(text):
        used += 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        if used > columns:
            return f"{text[: number - 1]}…"
    return text
