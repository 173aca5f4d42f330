"""The subcommands that the commands ``template`` and ``policy`` share, for one kind each."""

import difflib
from pathlib import Path
from typing import Any, ClassVar

from django.core.management.base import CommandParser

from iotprov.conf import targets_named
from iotprov.documents.push import diff
from iotprov.documents.validation import problems_of
from iotprov.documents.versions import (
    Kind,
    add_version,
    body_in_force,
    current,
    find_version,
    name_of,
    roll_back,
)
from iotprov.models import DocumentVersion
from pki.operators.command import OperatorCommand, command_actor, refuse
from pki.operators.effects import Effect

_FILE = "a JSON file, or its text itself: manage.py aws_run policy add @FILE.json"
_VERSION = "the number of a version; default: what is in force"


class OfKind(OperatorCommand):
    """A subcommand for documents of one kind."""

    kind: ClassVar[Kind]

    def body(self, number: int | None) -> str:
        """Return the text of a version, or the text in force."""
        return body_in_force(self.kind) if number is None else find_version(self.kind, number).body


class ListVersions(OfKind):
    """See ``help``."""

    help = "List the versions on record, the newest first."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print a row for each version."""
        rows = DocumentVersion.objects.filter(kind=self.kind, name=name_of(self.kind))
        newest = current(self.kind)
        self.print_rows(
            ("version", "status", "created_at", "created_by", "reason"),
            (
                {
                    "version": row.number,
                    "name": row.name,
                    "status": "in force" if row == newest else "replaced",
                    "created_at": row.created_at.isoformat(timespec="seconds"),
                    "created_by": row.created_by,
                    "reason": row.reason,
                }
                for row in rows.order_by("-number")
            ),
            empty="No version is on record. The configured file is in force.",
        )


class ShowVersion(OfKind):
    """See ``help``."""

    help = "Print a text as it was written, with its placeholders."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the version."""
        parser.add_argument("version", nargs="?", type=int, metavar="VERSION", help=_VERSION)

    def handle(self, *args: Any, version: int | None, **options: Any) -> None:
        """Print the text."""
        body = self.body(version)
        self.print_text(body if body.endswith("\n") else f"{body}\n", version=version)


class DiffVersions(OfKind):
    """See ``help``."""

    help = "Show what differs between two versions, or between AWS and what is in force."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the versions, or the target."""
        parser.add_argument("old", nargs="?", type=int, metavar="VERSION", help="the earlier one")
        parser.add_argument("new", nargs="?", type=int, metavar="VERSION", help=_VERSION)
        parser.add_argument("--target", metavar="NAME", help="ask AWS at this target instead")

    def handle(
        self,
        *args: Any,
        old: int | None,
        new: int | None,
        target: str | None,
        **options: Any,
    ) -> None:
        """Print a unified diff. Without versions, from the version before to that in force."""
        if target:
            (place,) = targets_named(target)
            self._print(diff(self.kind, place))
            return
        newest = current(self.kind)
        if old is None and (newest is None or newest.number == 1):
            refuse("There is no version before the one in force. Name two, or --target NAME.")
        before = old if old is not None or newest is None else newest.number - 1
        earlier, later = self.body(before), self.body(new)
        lines = difflib.unified_diff(
            earlier.splitlines(),
            later.splitlines(),
            f"v{before}",
            f"v{new}" if new is not None else "in force",
            lineterm="",
        )
        self._print("\n".join(lines))

    def _print(self, text: str) -> None:
        if text or self.is_json:
            self.print_text(f"{text}\n" if text else "")
        else:
            self.stdout.write("There is no difference.")


class Validate(OfKind):
    """See ``help``."""

    help = (
        "Check a file, or the text in force, by the rules of a new version. The exit code is 1 if "
        "it has errors. Nothing is changed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the file."""
        parser.add_argument("file", nargs="?", metavar="FILE", help=_FILE)

    def handle(self, *args: Any, file: str | None, **options: Any) -> None:
        """Print a row for each problem."""
        body = body_in_force(self.kind) if file is None else read_text(file)
        problems = problems_of(self.kind, body)
        self.print_rows(
            ("severity", "line", "column", "message"),
            (
                {
                    "severity": "error" if problem.is_error else "warning",
                    "line": problem.place.line,
                    "column": problem.place.column,
                    "message": problem.message,
                }
                for problem in problems
            ),
            empty="No problem was found.",
        )
        errors = sum(problem.is_error for problem in problems)
        if errors:
            refuse(f"The {self.kind.noun} cannot be used. Errors: {errors}, listed above.")


class AddVersion(OfKind):
    """See ``help``."""

    help = "Put the text of a file in force, as a new version. No target has it before a push."
    effect = Effect.DATABASE

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the file, the version that it was made from, and the reason."""
        parser.add_argument("file", metavar="FILE", help=_FILE)
        parser.add_argument(
            "--based-on",
            type=int,
            metavar="VERSION",
            help="refuse if another version than this (0: the file) is in force by now",
        )
        parser.add_argument("--reason", required=True, help="kept on the audit trail")

    def handle(
        self, *args: Any, file: str, based_on: int | None, reason: str, **options: Any
    ) -> None:
        """Print which version is in force."""
        made = add_version(
            self.kind, read_text(file), actor=command_actor(), reason=reason, based_on=based_on
        )
        self.say(f"{made} is in force. No target has it before it is pushed.", version=made.number)


class RollBack(OfKind):
    """See ``help``."""

    help = "Put the text of an earlier version in force again, as a new version."
    effect = Effect.DATABASE

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the version and the reason."""
        parser.add_argument("version", type=int, metavar="VERSION", help="the version to return to")
        parser.add_argument("--reason", required=True, help="kept on the audit trail")

    def handle(self, *args: Any, version: int, reason: str, **options: Any) -> None:
        """Print which version is in force."""
        made = roll_back(self.kind, version, actor=command_actor(), reason=reason)
        self.say(f"{made} is in force. No target has it before it is pushed.", version=made.number)


def read_text(given: str) -> str:
    """Return a file's text, or a text that begins with ``{`` as it is, for `aws_run`.

    Raises ``CommandError`` if the file cannot be read.
    """
    if given.lstrip().startswith("{"):
        return given
    path = Path(given)
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        refuse(f"{path} cannot be read: {why}.", error)


def subcommands_of(document_kind: Kind, push: str) -> dict[str, type[OperatorCommand] | str]:
    """Return the subcommands for documents of one kind; ``push`` is the command that pushes it."""

    def of_kind(command: type[OfKind]) -> type[OfKind]:
        return type(command.__name__, (command,), {"kind": document_kind})

    return {
        "list": of_kind(ListVersions),
        "show": of_kind(ShowVersion),
        "diff": of_kind(DiffVersions),
        "validate": of_kind(Validate),
        "add": of_kind(AddVersion),
        "roll-back": of_kind(RollBack),
        "push": push,
        "preview": "iotprov.management.commands.preview_iot.Command",
    }
