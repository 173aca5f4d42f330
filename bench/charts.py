"""Bar charts as SVG, light or dark as the reader's system is, with their figures as text."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, LABELS, VALUES, MARGIN = 860, 370, 130, 20
TOP, ROW, GROUP, BAR = 58, 26, 34, 16

STYLE = """
    :root { color-scheme: light dark; }
    text { font: 13px system-ui, sans-serif; fill: #1f2933; }
    .title { font-size: 16px; font-weight: 600; }
    .group { font-weight: 600; }
    .quiet { fill: #52606d; }
    .page { fill: #ffffff; }
    .bar { fill: #2a6fb0; }
    .range { stroke: #1f2933; stroke-width: 1.5; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e4e7eb; }
      .quiet { fill: #9aa5b1; }
      .page { fill: #14191f; }
      .bar { fill: #5aa2e0; }
      .range { stroke: #e4e7eb; }
    }
"""


@dataclass(frozen=True)
class Bar:
    """A figure: the median, with the least and the most of the rounds."""

    label: str
    value: float
    least: float
    most: float


@dataclass(frozen=True)
class Chart:
    """Bars in groups, which all have the same unit."""

    title: str
    unit: str
    groups: dict[str, list[Bar]]
    digits: int = 0

    def said(self, bar: Bar) -> str:
        """A figure as text."""
        return f"{bar.value:,.{self.digits}f} {self.unit}"


def svg(chart: Chart) -> str:
    """Return the chart as an SVG document."""
    bars = [bar for some in chart.groups.values() for bar in some]
    scale = (WIDTH - LABELS - VALUES - MARGIN) / max(*(bar.most for bar in bars), 1e-9)
    lines, y = [], TOP
    for group, some in chart.groups.items():
        lines.append(f'<text class="group" x="{MARGIN}" y="{y + 12}">{escape(group)}</text>')
        y += ROW
        for bar in some:
            lines += _bar(chart, bar, y, scale)
            y += ROW
        y += GROUP - ROW
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + MARGIN}" '
            'role="img" aria-labelledby="title desc">',
            f'<title id="title">{escape(chart.title)}</title>',
            f'<desc id="desc">{escape(_in_words(chart))}</desc>',
            f"<style>{STYLE}</style>",
            f'<rect class="page" width="{WIDTH}" height="{y + MARGIN}" rx="6"/>',
            f'<text class="title" x="{MARGIN}" y="34">{escape(chart.title)}</text>',
            *lines,
            "</svg>\n",
        ]
    )


def _bar(chart: Chart, bar: Bar, y: int, scale: float) -> Sequence[str]:
    middle, end = y + BAR // 2, LABELS + bar.most * scale
    return (
        f'<text x="{LABELS - 10}" y="{y + 13}" text-anchor="end">{escape(bar.label)}</text>',
        f'<rect class="bar" x="{LABELS}" y="{y}" width="{bar.value * scale:.1f}" height="{BAR}"/>',
        f'<line class="range" x1="{LABELS + bar.least * scale:.1f}" x2="{end:.1f}" '
        f'y1="{middle}" y2="{middle}"/>',
        f'<text class="quiet" x="{end + 8:.1f}" y="{y + 13}">{escape(chart.said(bar))}</text>',
    )


def _in_words(chart: Chart) -> str:
    """Return the figures as sentences, for those who hear them."""
    return " ".join(
        f"{group}: " + "; ".join(f"{bar.label}, {chart.said(bar)}" for bar in some) + "."
        for group, some in chart.groups.items()
    )
