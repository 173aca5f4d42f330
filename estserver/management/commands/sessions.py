"""The sessions of the console: who is signed in, and the end of some of them."""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import CommandParser

from estserver.models import ConsoleSession
from estserver.people.accounts.changes import find_account
from estserver.people.sessions.record import end_sessions, find_session, living, sessions_of
from pki.operators.command import OperatorCommand, command_actor, misuse
from pki.operators.effects import Effect
from pki.operators.subcommands import CommandGroup

_COLUMNS = ("account", "browser", "address", "started_at", "last_seen_at", "id")


class ListSessions(OperatorCommand):
    """See ``help``."""

    help = "List who is signed in to the console, newest first."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add whose sessions."""
        _add_account(parser)

    def handle(self, *args: Any, account: str, **options: Any) -> None:
        """Print a row for each session."""
        rows = (
            sessions_of(find_account(account).pk)
            if account
            else living(ConsoleSession.objects.all())
        )
        self.print_rows(_COLUMNS, _facts(list(rows)), empty="Nobody is signed in.")


class EndSessions(OperatorCommand):
    """See ``help``."""

    help = "End one session, or with --account all of an account."
    effect = Effect.DATABASE

    def add_arguments(self, parser: CommandParser) -> None:
        """Add which sessions, and the reason."""
        parser.add_argument("session", nargs="?", default="", metavar="ID", help="as listed")
        _add_account(parser)
        parser.add_argument("--reason", required=True, help="kept on the audit trail")

    def handle(self, *args: Any, session: str, account: str, reason: str, **options: Any) -> None:
        """Print a row for each session that was ended."""
        if bool(session) == bool(account):
            misuse("Give the id of a session, or --account for all of an account.")
        if account:
            rows = sessions_of(find_account(account).pk)
        else:
            rows = ConsoleSession.objects.filter(pk=find_session(session).pk)
        found = list(rows)
        facts = _facts(found)
        for whose, name in {
            (row.account, said["account"]) for row, said in zip(found, facts, strict=True)
        }:
            # A call ends some hundreds, so that its transaction stays small.
            while end_sessions(
                rows.filter(account=whose), name=name, actor=command_actor(), reason=reason
            ):
                pass
        self.print_rows(_COLUMNS, facts)
        if not self.is_json:
            self.say(f"Ended: {len(found)} sessions.")


def _add_account(parser: CommandParser) -> None:
    parser.add_argument("--account", default="", metavar="NAME", help="of this account only")


def _facts(rows: Iterable[ConsoleSession]) -> list[dict[str, Any]]:
    people = User.objects.in_bulk({row.account for row in rows})
    return [
        {
            "id": str(row.pk),
            "account": str(people.get(row.account, row.account)),
            "browser": row.browser,
            "address": row.address,
            "started_at": row.started_at.isoformat(timespec="seconds"),
            "last_seen_at": row.last_seen_at.isoformat(timespec="seconds"),
        }
        for row in rows
    ]


class Command(CommandGroup):
    """See ``help``."""

    help = "List who is signed in to the console, and end sessions."
    subcommands = {"list": ListSessions, "end": EndSessions}
