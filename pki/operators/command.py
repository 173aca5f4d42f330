"""The base of the management commands: who acts, what is printed, and how a command ends."""

import getpass
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any, ClassVar, Literal, NoReturn

from django.core.management.base import BaseCommand, CommandError, CommandParser, OutputWrapper
from django.db import DatabaseError, InterfaceError

from pki.conf import setting_name
from pki.exceptions import PKIError
from pki.operators.confirmation import typed_back
from pki.operators.effects import Effect
from pki.operators.errors import OperatorError
from pki.operators.exit_codes import REFUSED as REFUSED
from pki.operators.exit_codes import REMOTE_FAILURE as REMOTE_FAILURE
from pki.operators.exit_codes import USAGE as USAGE
from pki.operators.exit_codes import exit_code_of
from pki.operators.options import (
    add_common_options,
    destination_of_subcommand,
    refuse_usage_with_our_code,
)
from pki.operators.output import JSONLines, Row, fact_lines, table_lines
from pki.record.audit_trail import Actor

_caller: ContextVar[str] = ContextVar("caller", default="")


@contextmanager
def on_behalf_of(caller: str) -> Iterator[None]:
    """Run a command for the person ``caller``, who is not the user of this process."""
    token = _caller.set(caller)
    try:
        yield
    finally:
        _caller.reset(token)


def command_actor() -> Actor:
    """Return the person who runs the command, for the audit trail."""
    if caller := _caller.get():
        return Actor(f"command:{caller}")
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        name = "unknown"
    return Actor(f"command:{name}")


class OperatorCommand(BaseCommand):
    """A command that calls a service function.

    A refusal is one sentence on standard error, and the exit code is 1; wrong usage is 2. If
    another service such as AWS or the database failed, it is 3. Every command has ``--json``, each
    that changes something ``--dry-run``, and a dangerous one ``--yes`` (`pki.operators.options`).
    """

    # None by default, else a list of problems would hide a refusal. Django's type, for subclasses.
    requires_system_checks: list[str] | tuple[str, ...] | Literal["__all__"] = []

    effect: ClassVar[Effect] = Effect.READS
    """What the command changes, which decides how its dry run works."""
    is_dangerous: ClassVar[bool] = False
    """Whether it calls `confirm`, so that it has ``--yes``."""
    effects_of_subcommands: ClassVar[Mapping[str, Effect]] = {}
    """Of a class that has subcommands without classes of their own: those with another effect."""

    _called_from_command_line: bool  # Django's
    _own_json: frozenset[str] = frozenset()
    _subcommand_at = ""
    _is_dry_run = False

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Return the parser with the options that every command has."""
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        refuse_usage_with_our_code(parser)
        self._own_json = add_common_options(
            parser,
            effect=self.effect,
            is_dangerous=self.is_dangerous,
            effects=self.effects_of_subcommands,
        )
        self._subcommand_at = destination_of_subcommand(parser)
        return parser

    # What a command prints.

    def say(self, sentence: str, **facts: Any) -> None:
        """Print a sentence at once; with ``--json``, an object of it and of ``facts``."""
        out = self._json_lines
        if out is not None:
            out.add({"said": sentence, **facts})
        else:
            self.stdout.write(sentence)
        self._flush()

    def print_text(self, text: str, **facts: Any) -> None:
        """Print a file's text as it is; with ``--json``, an object that has it as ``text``."""
        out = self._json_lines
        if out is not None:
            out.add({"text": text, **facts})
        else:
            self.stdout.write(text, ending="")

    def print_rows(self, columns: Sequence[str], rows: Iterable[Row], *, empty: str = "") -> None:
        """Print a table of ``columns``; with ``--json``, each row in full as an object.

        ``empty`` is the sentence for people if there is no row.
        """
        out = self._json_lines
        if out is not None:
            for row in rows:
                out.add(row)
            return
        lines = table_lines(columns, rows)
        for line in lines:
            self.stdout.write(line)
        if not lines and empty:
            self.stdout.write(empty)

    def print_facts(self, facts: Row) -> None:
        """Print one thing, a line for each fact; with ``--json``, one object."""
        out = self._json_lines
        if out is not None:
            out.add(facts)
            return
        for line in fact_lines(facts):
            self.stdout.write(line)

    @property
    def is_json(self) -> bool:
        """Whether the command prints for a program, by the base's JSON."""
        return self._json_lines is not None

    @property
    def _json_lines(self) -> JSONLines | None:
        out = getattr(self.stdout, "_out", None)
        return out if isinstance(out, JSONLines) else None

    def _flush(self) -> None:
        if hasattr(self.stdout, "flush"):
            self.stdout.flush()

    # How a command is confirmed, and ends.

    def confirm(self, name: str, *, is_confirmed: bool) -> None:
        """Let the person type ``name`` back, unless ``--yes`` or a dry run was given.

        Raises ``CommandError`` if another text is typed, or if there is no terminal.
        """
        if is_confirmed or self._is_dry_run:
            return
        self._flush()
        typed_back(name, self.stdout)

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run the command, and turn refusals and failures into ``CommandError``."""
        self._is_dry_run = bool(options.get("dry_run"))
        lines = None
        if options.get("json") and options.get(self._subcommand_at, "") not in self._own_json:
            lines = JSONLines(options.get("stdout") or _stream_of(self.stdout))
            options["stdout"] = lines
        is_rehearsed = self._is_dry_run and self.effect is Effect.DATABASE
        try:
            with self._ending(options), _rehearsal(is_needed=is_rehearsed):
                if is_rehearsed:
                    self._note_dry_run(options)
                done = super().execute(*args, **options)
            if is_rehearsed:
                self.say("nothing was changed (--dry-run)")
            return done
        finally:
            if lines is not None:
                lines.end()
                self.stdout = OutputWrapper(_stream_of(lines))

    def _note_dry_run(self, options: dict[str, Any]) -> None:
        if options.get("stdout"):
            self.stdout = OutputWrapper(options["stdout"])
        self.say("A dry run. This is what would happen:")

    @contextmanager
    def _ending(self, options: dict[str, Any]) -> Iterator[None]:
        try:
            yield
        except OperatorError as error:
            refuse(str(error), error)
        except PKIError as error:
            # The cause, such as an unreadable key, is for operators. A device does not get it.
            refuse(f"{error} ({error.__cause__})" if error.__cause__ else str(error), error)
        except (DatabaseError, InterfaceError) as error:
            refuse(
                f"The database cannot be used: {str(error).strip().rstrip('.')}. See "
                f"{setting_name('database_url')}, and whether manage.py migrate has run.",
                error,
            )
        except CommandError:
            raise
        except Exception as error:  # a bug: a person gets a sentence in place of its traceback
            if options.get("traceback") or not self._called_from_command_line:
                raise
            refuse(
                f"An error stopped the command that it does not expect: {type(error).__name__}: "
                f"{error}. Run it again with --traceback, and report what that prints.",
                error,
            )


def _rehearsal(*, is_needed: bool) -> AbstractContextManager[None]:
    if not is_needed:
        return nullcontext()
    from pki.record.rehearse import rehearse  # a command that reads needs nothing of it

    return rehearse()


def _stream_of(out: Any) -> Any:
    """Return what a wrapper of Django's or of ours writes to."""
    if isinstance(out, OutputWrapper):
        return out._out
    return out._stream if isinstance(out, JSONLines) else out


def refuse(sentence: str, cause: Exception | None = None) -> NoReturn:
    """End the command with ``sentence`` and exit code 1, or 3 if another service was the cause."""
    # The exit code tells a script whether it may try again, whatever the sentence says.
    raise CommandError(sentence, returncode=exit_code_of(cause)) from cause


def misuse(sentence: str) -> NoReturn:
    """End the command with ``sentence`` and exit code 2: its arguments do not fit each other."""
    raise CommandError(sentence, returncode=USAGE)
