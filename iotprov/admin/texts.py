"""Documents, their differences and their problems in HTML."""

import difflib
from collections.abc import Iterable

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from iotprov.json_text.located import Problem
from pki.admin.display import chip, table, visible

_MAX_EXCERPT = 100  # characters

_DIFF_LINES = {"+": "added", "-": "removed", "@": "place"}


def numbered(text: str) -> SafeString:
    """Return a document with numbered lines, so that "line 12" can be found."""
    return format_html(
        '<pre class="numbered">{}</pre>',
        format_html_join("\n", "<span>{}</span>", ((visible(line),) for line in text.splitlines())),
    )


def diff_block(diff: str) -> SafeString:
    """Return a unified diff in HTML. Its signs say the same as its colours."""
    lines = ((_DIFF_LINES.get(line[:1], "same"), visible(line)) for line in diff.splitlines())
    return format_html(
        '<pre class="diff">{}</pre>',
        format_html_join("\n", '<span class="diff-{}">{}</span>', lines),
    )


def difference(old: str, new: str, old_name: str, new_name: str) -> str:
    """Return a unified diff of two texts; "" if they are equal."""
    lines = difflib.unified_diff(
        old.splitlines(), new.splitlines(), old_name, new_name, lineterm=""
    )
    return "\n".join(lines)


def problem_table(problems: Iterable[Problem], text: str) -> SafeString | str:
    """Return a table of problems with their places and lines; "" if there are none."""
    lines = text.splitlines()
    rows = [
        (
            chip("Error", "bad") if problem.is_error else chip("Warning", "soon"),
            f"{problem.place.line}:{problem.place.column}",
            visible(problem.message),
            _excerpt(lines, problem.place.line),
        )
        for problem in problems
    ]
    return table(("", "Line:column", "What is wrong", "The line"), rows) if rows else ""


def _excerpt(lines: list[str], number: int) -> SafeString:
    line = lines[number - 1].strip() if number <= len(lines) else ""
    shown = line[:_MAX_EXCERPT] + ("…" if len(line) > _MAX_EXCERPT else "")
    return format_html("<code>{}</code>", visible(shown))
