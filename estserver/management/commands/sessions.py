"""List and end sessions of the web admin."""

import json
from typing import Any

from django.core.management.base import CommandParser

from pki.operators.command import OperatorCommand, command_actor, refuse


class Command(OperatorCommand):
    """See ``help``."""

    help = "List who is signed in to the web admin, or end sessions."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add what to do, and to whose sessions."""
        doing = parser.add_subparsers(dest="doing", required=True, metavar="list|end")
        listing = doing.add_parser("list", help="list sessions, newest first")
        ending = doing.add_parser("end", help="end one session, or all of an account")
        ending.add_argument("session", nargs="?", default="", metavar="ID")
        ending.add_argument("--reason", required=True, help="kept on the audit trail")
        ending.add_argument("--dry-run", action="store_true", help="say what would be ended")
        for each in (listing, ending):
            each.add_argument("--account", default="", metavar="NAME", help="of this account only")
            each.add_argument("--json", action="store_true", help="print JSON, one line a session")

    def handle(self, *args: Any, doing: str, account: str, **options: Any) -> None:
        """Print a line for each session that is listed or ended."""
        from django.contrib.auth import get_user_model

        from estserver.models import ConsoleSession
        from estserver.people.sessions import end_sessions, find_session, living

        people = get_user_model()._default_manager
        rows = living(ConsoleSession.objects.all())
        if account:
            person = people.filter(username=account).first()
            if person is None:
                refuse(f"There is no account {account[:64]!a}. Give the name of one.")
            rows = rows.filter(account=person.pk)
        if doing == "end":
            session = options["session"]
            if bool(session) == bool(account):
                refuse("Give the id of a session, or --account for all of an account.")
            if session:
                rows = ConsoleSession.objects.filter(pk=find_session(session).pk)
        found = list(rows)
        names = {
            person.pk: person.get_username()
            for person in people.filter(pk__in={row.account for row in found})
        }
        if doing == "end" and not options["dry_run"]:
            for key in sorted({row.account for row in found}):
                end_sessions(
                    rows.filter(account=key),
                    name=names.get(key, str(key)),
                    actor=command_actor(),
                    reason=options["reason"],
                )
        for row in found:
            self._say(row, names.get(row.account, str(row.account)), is_json=options["json"])
        if not options["json"]:
            word = {"list": "Signed in", "end": "Ended"}[doing]
            would = "Would be ended" if doing == "end" and options["dry_run"] else word
            self.stdout.write(f"{would}: {len(found)} sessions.")

    def _say(self, row: Any, name: str, *, is_json: bool) -> None:
        said = {
            "id": str(row.pk),
            "account": name,
            "browser": row.browser,
            "address": row.address,
            "started_at": row.started_at.isoformat(timespec="seconds"),
            "last_seen_at": row.last_seen_at.isoformat(timespec="seconds"),
        }
        self.stdout.write(json.dumps(said) if is_json else "  ".join(said.values()))
