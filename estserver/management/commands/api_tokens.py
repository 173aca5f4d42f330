"""List, add and end tokens of the management API."""

import json
from typing import Any

from django.core.management.base import CommandParser

from pki.operators.command import OperatorCommand, command_actor, refuse

_DEFAULT_DAYS = 90


class Command(OperatorCommand):
    """See ``help``."""

    help = (
        "Add, list or end tokens of the management API. A token acts for a person, with some of "
        "the person's roles, and ends by itself. `add` prints it once, on standard output."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the three subcommands."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        listing = verbs.add_parser("list", help="list the tokens, newest first")
        listing.add_argument("--json", action="store_true", help="one JSON object a line")
        adding = verbs.add_parser("add", help="make a token, and print it once")
        adding.add_argument("name", help="what uses it, such as a pipeline's name")
        adding.add_argument("--person", required=True, help="the account that it acts for")
        adding.add_argument(
            "--role",
            action="append",
            required=True,
            help="a role of the person that the token has; repeatable",
        )
        adding.add_argument(
            "--days", type=int, default=_DEFAULT_DAYS, help="how long it is good (%(default)s)"
        )
        adding.add_argument("--json", action="store_true", help="one JSON object")
        ending = verbs.add_parser("end", help="end a token at once")
        ending.add_argument("name")
        ending.add_argument("--person", required=True, help="the account that it acts for")

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        """Print the tokens, the new token, or which one is ended."""
        {"list": self._list, "add": self._add, "end": self._end}[verb](**options)

    def _list(self, *, json: bool, **options: Any) -> None:
        from django.contrib.auth import get_user_model

        from estserver.models import ApiToken

        rows = list(ApiToken.objects.order_by("-pk"))
        people = get_user_model()._default_manager.in_bulk({row.account_id for row in rows})
        for row in rows:
            facts = _facts(row, people.get(row.account_id))
            if json:
                self.stdout.write(_as_json(facts))
                continue
            used = f"last used {facts['last_used_at']}" if facts["last_used_at"] else "never used"
            self.stdout.write(
                f"{facts['state']:<8} {row.name}  of {facts['person']}  {', '.join(row.roles)}  "
                f"until {row.expires_at:%Y-%m-%d}  {used}"
            )

    def _add(
        self, *, name: str, person: str, role: list[str], days: int, json: bool, **options: Any
    ) -> None:
        from estserver.people.api_tokens import make_token

        account = _account(person)
        row, token = make_token(account, name, roles=role, days=days, actor=command_actor())
        if json:
            self.stdout.write(_as_json({**_facts(row, account), "token": token}))
            return
        self.stdout.write(token)
        self.stderr.write(
            f"The token {row.name} of {account} is good until {row.expires_at:%Y-%m-%d}. It is not "
            "shown again."
        )

    def _end(self, *, name: str, person: str, **options: Any) -> None:
        from estserver.people.api_tokens import end_token, good_tokens

        row = good_tokens().filter(account_id=_account(person).pk, name=name).first()
        if row is None:
            refuse(f"{person} has no token {name!r} that is good. manage.py api_tokens list.")
        end_token(row, actor=command_actor())
        self.stdout.write(f"The token {name} of {person} is ended.")


def _account(name: str) -> Any:
    from django.contrib.auth import get_user_model

    account = get_user_model()._default_manager.filter(username=name).first()
    if account is None:
        refuse(f"There is no account {name!r}. Give the name of one.")
    return account


def _facts(row: Any, person: Any) -> dict[str, Any]:
    from django.utils import timezone

    is_over = row.expires_at <= timezone.now()
    return {
        "id": str(row.pk),
        "name": row.name,
        "person": str(person) if person else None,
        "roles": row.roles,
        "state": "ended" if row.ended_at else "expired" if is_over else "good",
        "beginning": row.beginning,
        "expires_at": row.expires_at.isoformat(),
        "last_used_at": row.last_used_at and row.last_used_at.isoformat(),
        "last_used_from": row.last_used_from,
    }


def _as_json(facts: dict[str, Any]) -> str:
    return json.dumps(facts, ensure_ascii=True)
