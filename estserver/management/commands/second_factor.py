"""``manage.py second_factor``: who has a second factor, and the reset of a lost one."""

import json
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import CommandParser

from estserver.people.second_factor import factors, policy
from estserver.people.second_factor.people import accounts_with_factors
from pki.operators.command import OperatorCommand, command_actor, refuse


class Command(OperatorCommand):
    """See ``help``."""

    help = (
        "List the people who may sign in to the web admin, and whether they have a second factor; "
        "or reset the second factor of one, who then sets up another at the next sign-in."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take what to do."""
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        listing = verbs.add_parser("list", help="a line for each person who may sign in")
        listing.add_argument("--json", action="store_true", help="one JSON object a line")
        reset = verbs.add_parser("reset", help="remove the second factor of a person")
        reset.add_argument("name", metavar="NAME", help="the name with which the person signs in")
        reset.add_argument("--reason", required=True, help="kept on the audit trail")
        reset.add_argument("--dry-run", action="store_true", help="say what would be done")
        reset.add_argument("--json", action="store_true", help="one JSON object")

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        """Print the list, or reset one. The exit code is 1 if the reset is refused."""
        if verb == "list":
            self._list(as_json=options["json"])
        else:
            self._reset(**options)

    def _list(self, *, as_json: bool) -> None:
        for one in accounts_with_factors():
            if as_json:
                self.stdout.write(json.dumps(one.as_json(), ensure_ascii=True))
            else:
                self.stdout.write(one.in_words())

    def _reset(self, *, name: str, reason: str, dry_run: bool, **options: Any) -> None:
        person: Any = get_user_model()._default_manager.filter(username=name).first()
        if person is None:
            refuse(f"There is no account {name!r}. manage.py second_factor list shows all.")
        if dry_run:
            factors.refuse_reset(person, reason=reason)
        else:
            factors.reset(person, actor=command_actor(), reason=reason)
        if options["json"]:
            self.stdout.write(json.dumps({"account": name, "is_reset": not dry_run}))
            return
        done = "would be reset" if dry_run else "is reset"
        after = " The next sign-in sets up another." if policy.is_required_of(person) else ""
        self.stdout.write(f"The second factor of {name} {done}.{after}")
