"""``manage.py second_factor``: who has a second factor, and the reset of a lost one."""

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import CommandParser

from estserver.people.second_factor import factors, policy
from estserver.people.second_factor.people import accounts_with_factors
from pki.operators.command import OperatorCommand, command_actor, refuse
from pki.operators.effects import Effect
from pki.operators.subcommands import CommandGroup


class ListFactors(OperatorCommand):
    """See ``help``."""

    help = "Print a line for each person who may sign in."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print who has a second factor, and who has none."""
        for one in accounts_with_factors():
            self.say(one.in_words(), **one.as_json())


class ResetFactor(OperatorCommand):
    """See ``help``."""

    help = "Remove the second factor of a person, who then sets up another at the next sign-in."
    effect = Effect.DATABASE

    def add_arguments(self, parser: CommandParser) -> None:
        """Add whose, and why."""
        parser.add_argument("name", metavar="NAME", help="the name with which the person signs in")
        parser.add_argument("--reason", required=True, help="kept on the audit trail")

    def handle(self, *args: Any, name: str, reason: str, **options: Any) -> None:
        """Print whose is reset. The exit code is 1 if the reset is refused."""
        person: Any = get_user_model()._default_manager.filter(username=name).first()
        if person is None:
            refuse(f"There is no account {name!r}. manage.py second_factor list shows all.")
        factors.reset(person, actor=command_actor(), reason=reason)
        after = " The next sign-in sets up another." if policy.is_required_of(person) else ""
        self.say(f"The second factor of {name} is reset.{after}", account=name)


class Command(CommandGroup):
    """See ``help``."""

    help = (
        "List the people who may sign in to the web admin, and whether they have a second factor; "
        "or reset the second factor of one, who then sets up another at the next sign-in."
    )
    subcommands = {"list": ListFactors, "reset": ResetFactor}
