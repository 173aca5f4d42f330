"""Deny everything in a CSV file."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from pki.denylist.adding import Outcome, terms_in_words
from pki.denylist.csv_import import Line, compare, entries_of, read_lines
from pki.jobs.denying import start_import
from pki.jobs.terminal import JobCommand
from pki.models import Job
from pki.operators.command import command_actor, refuse
from pki.operators.effects import Effect


class Command(JobCommand):
    """See ``help``."""

    help = (
        "Deny everything in a CSV file (kind,value,reason,expires), as a job. Nothing is written "
        "if a line is wrong. All lines come in force at once."
    )
    effect = Effect.MORE

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the file, and a reason for lines without one."""
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument("file", type=Path, nargs="?", metavar="FILE.csv")
        source.add_argument(
            "--text",
            help="the file's text in its place, where there is no such file: manage.py aws_run "
            "deny_import --text @FILE.csv",
        )
        parser.add_argument("--dry-run", action="store_true", help="print what each line would do")
        parser.add_argument("--reason", default="", help="for the lines without a reason")
        parser.add_argument(
            "--replace",
            action="store_true",
            help="give entries that are there the reason and end of their lines",
        )
        super().add_arguments(parser)

    def handle(
        self,
        *args: Any,
        file: Path | None,
        text: str | None,
        dry_run: bool,
        reason: str,
        replace: bool,
        no_wait: bool,
        **options: Any,
    ) -> None:
        """Print what each line would do in a dry run, else the counts."""
        content = (text or "").encode() if file is None else _content_of(file)
        lines = read_lines(content, default_reason=reason)
        if dry_run:
            outcomes = compare(lines, is_replacing=replace)
            for line, outcome in zip(lines, outcomes, strict=True):
                self.say(
                    f"line {line.number}: {outcome}: {line.kind} {line.value}",
                    line=line.number,
                    outcome=outcome,
                    kind=line.kind,
                    value=line.value,
                )
            self._say_what_is_kept(lines, outcomes)
            self.stdout.write("nothing was written (--dry-run)")
            return
        job = start_import(lines, is_replacing=replace, actor=command_actor())
        self.follow(job, no_wait=no_wait)
        if job.state != Job.State.FINISHED:
            return
        results = job.lines.order_by("number").values_list("result", flat=True)
        outcomes = [Outcome(said) for said in results]
        counts = Counter(outcomes)
        said = ", ".join(f"{counts[outcome]} {outcome}" for outcome in Outcome)
        self.say(
            f"denylist entries: {said}",
            job=str(job.pk),
            **{str(each): counts[each] for each in Outcome},
        )
        self._say_what_is_kept(lines, outcomes)

    def _say_what_is_kept(self, lines: Sequence[Line], outcomes: Sequence[Outcome]) -> None:
        """Print the terms of the entries that an import leaves as they are."""
        kept = [
            line for line, outcome in zip(lines, outcomes, strict=True) if outcome is Outcome.KEPT
        ]
        on_record = entries_of(kept)
        for line in kept:
            if entry := on_record.get((line.kind, line.value)):
                self.stdout.write(
                    f"line {line.number}: {line.kind} {line.value} is on the denylist already, "
                    f"{terms_in_words(entry)}. The entry stays as it is without --replace."
                )


def _content_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        refuse(f"{file} cannot be read: {error.strerror}.", error)
