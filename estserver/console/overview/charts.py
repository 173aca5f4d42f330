"""Bar charts as SVG, drawn here: no script, and a table beside each for those who see none."""

from collections.abc import Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

WIDTH = 720
HEIGHT = 180
_LEFT, _RIGHT, _TOP, _BOTTOM = 8, 8, 22, 24
_GAP = 0.25
"""The part of a bar's place that stays empty."""


def bar_chart(title: str, bars: Sequence[tuple[str, int]]) -> SafeString:
    """Return a chart of named numbers. Its text says the highest; a table has to say them all."""
    highest = max((count for _, count in bars), default=0)
    if not highest:
        return SafeString("")
    place = (WIDTH - _LEFT - _RIGHT) / len(bars)
    room = HEIGHT - _TOP - _BOTTOM
    drawn = []
    for number, (name, count) in enumerate(bars):
        height = room * count / highest
        left = _LEFT + number * place
        drawn.append(
            (
                f"{left + place * _GAP / 2:.1f}",
                f"{_TOP + room - height:.1f}",
                f"{place * (1 - _GAP):.1f}",
                f"{height:.1f}",
                f"{left + place / 2:.1f}",
                f"{_TOP + room - height - 6:.1f}",
                f"{count:,}" if count else "",
                f"{left + place / 2:.1f}",
                HEIGHT - 7,
                name,
            )
        )
    bars_drawn = format_html_join(
        "",
        '<rect x="{}" y="{}" width="{}" height="{}"/>'
        '<text x="{}" y="{}" class="number">{}</text><text x="{}" y="{}">{}</text>',
        drawn,
    )
    most = next(name for name, count in bars if count == highest)
    return format_html(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">'
        '<line x1="{}" x2="{}" y1="{}" y2="{}"/>{}</svg>',
        *(WIDTH, HEIGHT, f"{title}. The most are {highest:,} in {most}. The table says all."),
        *(_LEFT, WIDTH - _RIGHT, _TOP + room, _TOP + room),
        bars_drawn,
    )
