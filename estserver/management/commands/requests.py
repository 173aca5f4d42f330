"""What a person asked for in the console and another one has to confirm: list and refuse it."""

import uuid
from typing import Any

from django.core.management.base import CommandParser

from estserver.models import OfficerRequest
from estserver.people import two_persons
from pki.management.certificate_facts import moment
from pki.operators.command import OperatorCommand, command_actor, refuse
from pki.operators.effects import Effect
from pki.operators.subcommands import CommandGroup


class ListRequests(OperatorCommand):
    """See ``help``."""

    help = "List the requests that wait for a second person, or all of them with --all."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add whether those that are over are listed too."""
        parser.add_argument("--all", action="store_true", help="those that are over too")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print a row for each request."""
        rows = OfficerRequest.objects.all() if options["all"] else two_persons.open_requests()
        self.print_rows(
            ("state", "operation", "subject", "asked_by", "ends_at", "id"),
            map(_facts, rows),
            empty="No request waits for a second person.",
        )


class RefuseRequest(OperatorCommand):
    """See ``help``."""

    help = (
        "Refuse a request, so that the same can be asked for again. A person confirms one in the "
        "console; on the server, the command of the operation itself does it without a request."
    )
    effect = Effect.DATABASE

    def add_arguments(self, parser: CommandParser) -> None:
        """Add which request, and the reason."""
        parser.add_argument("request", type=uuid.UUID, metavar="ID", help="as `requests list`")
        parser.add_argument("--reason", required=True, help="kept on the audit trail")

    def handle(self, *args: Any, request: uuid.UUID, reason: str, **options: Any) -> None:
        """Print what was refused."""
        row = OfficerRequest.objects.filter(pk=request).first()
        if row is None:
            refuse(f"There is no request {request}. manage.py requests list shows them.")
        actor = command_actor()
        two_persons.refuse(row, name=actor.name, actor=actor, reason=reason)
        self.say(f"Refused: {row}.", **_facts(row))


def _facts(row: OfficerRequest) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "state": row.state,
        "operation": row.operation,
        "subject": row.subject,
        "asked_by": row.asked_by_name,
        "asked_at": moment(row.asked_at),
        "ends_at": moment(row.ends_at),
        "decided_by": row.decided_by_name,
        "result": row.result,
    }


class Command(CommandGroup):
    """See ``help``."""

    help = "List and refuse what a person asked for in the console and another one has to confirm."
    subcommands = {"list": ListRequests, "refuse": RefuseRequest}
