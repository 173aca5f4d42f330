"""What the pages of the tools share: findings as HTML, and fields for what is pasted."""

from collections.abc import Iterable
from typing import Any, Final

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from estserver.operations.report_rows import Level
from estserver.tools.inspected import Group
from estserver.tools.verdicts import Outcome, Verdict
from pki.admin.display import chip, table, visible
from pki.record.snapshot import current_snapshot

LEVEL_CHIPS: Final[dict[Level, tuple[str, str]]] = {
    "OK": ("OK", "good"),
    "WARN": ("Warning", "soon"),
    "FAIL": ("Failed", "bad"),
}

OUTCOME_CHIPS = {
    Outcome.OK: ("OK", "good"),
    Outcome.REFUSED: ("Refused", "bad"),
    Outcome.WARNING: ("Warning", "soon"),
    Outcome.NOT_ASKED: ("Not asked", "open"),
    Outcome.NOT_REACHED: ("Not reached", "past"),
}


def level_chip(level: Level) -> SafeString:
    """Return the chip of a finding's level."""
    return chip(*LEVEL_CHIPS[level])


def two_sentences(finding: str, advice: str) -> SafeString:
    """Return a finding, with what to do below it."""
    if not advice:
        return format_html("{}", visible(finding))
    return format_html('{}<br><span class="quiet">{}</span>', visible(finding), visible(advice))


def verdict_table(verdicts: Iterable[Verdict]) -> SafeString:
    """Return the steps of a dry run, with what came of each."""
    return table(
        ("Step", "State", "Finding"),
        ((one.step, chip(*OUTCOME_CHIPS[one.outcome]), verdict_words(one)) for one in verdicts),
    )


def verdict_words(one: Verdict) -> SafeString:
    """Return what a step found, with its code and what to do."""
    said = two_sentences(one.finding, one.advice)
    return format_html("<code>{}</code> {}", one.code, said) if one.code else said


def facts(groups: Iterable[Group]) -> SafeString:
    """Return facts as tables, each under the title of its group."""
    return format_html_join(
        "",
        "<h3>{}</h3><table><tbody>{}</tbody></table>",
        (
            (
                group.title,
                format_html_join(
                    "",
                    '<tr><th scope="row">{}</th><td>{}</td></tr>',
                    ((name, visible(value)) for name, value in group.facts),
                ),
            )
            for group in groups
        ),
    )


def pasted_text(**more: Any) -> forms.CharField:
    """Return a field for PEM or base64."""
    widget = forms.Textarea(
        attrs={"rows": 10, "cols": 70, "class": "document", "spellcheck": "false"}
    )
    return forms.CharField(required=False, widget=widget, strip=False, **more)


def given(text: str, file: "UploadedFile[Any] | None", *, most: int) -> bytes:
    """Return what was pasted, or else the file, up to one byte more than ``most``."""
    if file is not None:
        return bytes(file.read(most + 1))
    return text.encode()


def label_field() -> forms.ChoiceField:
    """Return a field for an EST label that is in force."""

    def labels() -> list[tuple[str, str]]:
        profiles = current_snapshot().profiles
        return [
            (label, f"{label or '(none)'}: {profiles[label].row.name}")
            for label in sorted(profiles)
        ]

    return forms.ChoiceField(
        choices=labels, required=False, label="EST label", help_text="It decides the profile."
    )
