"""The tokens of the management API: list, make and end them."""

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import CommandParser
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from estserver.models import ApiToken
from estserver.people.accounts.changes import find_account
from estserver.people.api_tokens import DEFAULT_DAYS, end_token, good_tokens, make_token
from pki.management.certificate_facts import moment
from pki.operators.command import OperatorCommand, command_actor, refuse
from pki.operators.effects import Effect
from pki.operators.subcommands import CommandGroup


class ListTokens(OperatorCommand):
    """See ``help``."""

    help = "List the tokens of the management API, newest first, with their last use."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print a row for each token."""
        rows = list(ApiToken.objects.order_by("-pk"))
        people = User.objects.in_bulk({row.account_id for row in rows})
        self.print_rows(
            ("state", "name", "person", "roles", "expires_at", "last_used_at"),
            (_facts(row, people.get(row.account_id)) for row in rows),
            empty="There is no token yet. manage.py api_tokens add makes one.",
        )


class AddToken(OperatorCommand):
    """See ``help``."""

    help = (
        "Make a token of the management API, and print it once, on standard output. It acts for a "
        "person, with some of the person's roles, and ends by itself."
    )
    effect = Effect.DATABASE

    def add_arguments(self, parser: CommandParser) -> None:
        """Add its name, its person and roles, and how long it is good."""
        parser.add_argument("name", help="what uses it, such as a pipeline's name")
        _add_person(parser)
        parser.add_argument(
            "--role",
            action="append",
            required=True,
            help="a role of the person that the token has; may be repeated",
        )
        parser.add_argument(
            "--days",
            type=int,
            default=DEFAULT_DAYS,
            help="how long it is good (default: %(default)s)",
        )

    @sensitive_variables()
    def handle(
        self,
        *args: Any,
        name: str,
        person: str,
        role: list[str],
        days: int,
        dry_run: bool,
        **options: Any,
    ) -> None:
        """Print the token alone, so that a script can keep it. The sentence is an error line."""
        account = find_account(person)
        row, token = make_token(account, name, roles=role, days=days, actor=command_actor())
        facts = _facts(row, account)
        said = f"The token {row.name} of {account} is good until {row.expires_at:%Y-%m-%d}."
        if dry_run:  # the token is taken back too
            self.say(said, **facts)
        elif self.is_json:
            self.print_facts({**facts, "token": token})
        else:
            self.stdout.write(token)
            self.stderr.write(f"{said} It is not shown again.")


class EndToken(OperatorCommand):
    """See ``help``."""

    help = "End a token of the management API at once."
    effect = Effect.DATABASE

    def add_arguments(self, parser: CommandParser) -> None:
        """Add which token."""
        parser.add_argument("name", help="as `api_tokens list` has it")
        _add_person(parser)

    def handle(self, *args: Any, name: str, person: str, **options: Any) -> None:
        """Print which one has ended."""
        row = good_tokens().filter(account_id=find_account(person).pk, name=name).first()
        if row is None:
            refuse(f"{person} has no token {name!r} that is good. manage.py api_tokens list.")
        end_token(row, actor=command_actor())
        self.say(f"The token {name} of {person} is ended.", name=name, person=person)


def _add_person(parser: CommandParser) -> None:
    parser.add_argument("--person", required=True, help="the account that the token acts for")


def _facts(row: ApiToken, person: User | None) -> dict[str, Any]:
    is_over = row.expires_at <= timezone.now()
    return {
        "id": str(row.pk),
        "name": row.name,
        "person": str(person) if person else None,
        "roles": row.roles,
        "state": "ended" if row.ended_at else "expired" if is_over else "good",
        "beginning": row.beginning,
        "expires_at": moment(row.expires_at),
        "last_used_at": moment(row.last_used_at),
        "last_used_from": row.last_used_from,
    }


class Command(CommandGroup):
    """See ``help``."""

    help = "List, make and end tokens of the management API."
    subcommands = {"list": ListTokens, "add": AddToken, "end": EndToken}
