"""The accounts of the console: list, show, make and change them."""

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import CommandParser
from django.views.decorators.debug import sensitive_variables

from estserver.people.accounts.changes import (
    add_account,
    find_account,
    find_groups,
    set_active,
    set_password,
    set_roles,
)
from estserver.people.accounts.rules import account_facts
from estserver.people.roles import ROLES
from pki.management.certificate_facts import moment
from pki.operators.command import OperatorCommand, command_actor
from pki.operators.effects import Effect
from pki.operators.secret_input import read_secret
from pki.operators.subcommands import CommandGroup


class ListAccounts(OperatorCommand):
    """See ``help``."""

    help = "List the accounts of the console, with their roles."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print a row for each account."""
        self.print_rows(
            ("username", "groups", "is_active", "is_superuser", "last_login"),
            map(_facts, User.objects.order_by("username").iterator()),
            empty="There is no account yet. manage.py first_admin makes one.",
        )


class ShowAccount(OperatorCommand):
    """See ``help``."""

    help = "Show one account."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the account."""
        _add_username(parser)

    def handle(self, *args: Any, username: str, **options: Any) -> None:
        """Print its facts."""
        self.print_facts(_facts(find_account(username)))


class ListRoles(OperatorCommand):
    """See ``help``."""

    help = "List the roles, with what each is for."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print a row for each role."""
        self.print_rows(
            ("role", "purpose"),
            (
                {
                    "role": role.name,
                    "purpose": role.purpose,
                    "permissions": sorted(role.permissions),
                }
                for role in ROLES
            ),
        )


class AddAccount(OperatorCommand):
    """See ``help``."""

    help = (
        "Make an account that may sign in to the console. Its password is random and shown once, "
        "or, with --password-stdin, the first line of standard input."
    )
    effect = Effect.DATABASE

    def add_arguments(self, parser: CommandParser) -> None:
        """Add name, roles and address."""
        _add_username(parser)
        _add_roles(parser)
        parser.add_argument("--email", default="", metavar="ADDRESS")
        parser.add_argument("--password-stdin", action="store_true", help="read the password")

    @sensitive_variables()
    def handle(
        self,
        *args: Any,
        username: str,
        role: list[str],
        email: str,
        password_stdin: bool,
        dry_run: bool,
        **options: Any,
    ) -> None:
        """Print the name, and a password that was not given."""
        given = read_secret("Password") if password_stdin else None
        password = add_account(
            username, email=email, roles=role, given=given, actor=command_actor()
        )
        names = [group.name for group in find_groups(role)]
        facts: dict[str, Any] = {"username": username, "roles": names}
        said = f"account {username!r}, roles: {', '.join(names) or 'none'}"
        if given or dry_run:  # a dry run's password is taken back too
            self.say(said, **facts)
        else:
            self.say(
                f"{said}, password {password} (shown once; to be changed at the first sign-in)",
                **facts,
                password=password,
            )


class SetRoles(OperatorCommand):
    """See ``help``."""

    help = "Give an account these roles and no others. Without --role it has none any more."
    effect = Effect.DATABASE

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the account, its roles and the reason."""
        _add_username(parser)
        _add_roles(parser)
        _add_reason(parser)

    def handle(
        self, *args: Any, username: str, role: list[str], reason: str, **options: Any
    ) -> None:
        """Print the account's roles."""
        account = set_roles(username, role, actor=command_actor(), reason=reason)
        names = account_facts(account)["groups"]
        self.say(
            f"{username} has the roles: {', '.join(names) or 'none'}",
            username=username,
            roles=names,
        )


class _Activity(OperatorCommand):
    effect = Effect.DATABASE
    is_active: bool
    words: str

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the account and the reason."""
        _add_username(parser)
        _add_reason(parser)

    def handle(self, *args: Any, username: str, reason: str, **options: Any) -> None:
        """Print what holds now."""
        set_active(username, is_active=self.is_active, actor=command_actor(), reason=reason)
        self.say(f"{username} {self.words}", username=username, is_active=self.is_active)


class Disable(_Activity):
    """See ``help``."""

    help = "Let an account sign in no more. Its rows on the audit trail stay."
    is_active = False
    words = "may not sign in any more"


class Enable(_Activity):
    """See ``help``."""

    help = "Let an account sign in again."
    is_active = True
    words = "may sign in again"


class SetPassword(OperatorCommand):
    """See ``help``."""

    help = "Give an account another password, typed twice or the first line of standard input."
    effect = Effect.DATABASE

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the account and the reason."""
        _add_username(parser)
        _add_reason(parser)

    @sensitive_variables()
    def handle(self, *args: Any, username: str, reason: str, **options: Any) -> None:
        """Print whose password it is."""
        find_account(username)  # before a password is asked for
        password = read_secret("New password")
        set_password(username, password, actor=command_actor(), reason=reason)
        self.say(f"{username} has another password", username=username)


def _facts(account: User) -> dict[str, Any]:
    return account_facts(account) | {
        "last_login": moment(account.last_login),
        "date_joined": moment(account.date_joined),
    }


def _add_username(parser: CommandParser) -> None:
    parser.add_argument("username", metavar="NAME", help="the account's name")


def _add_roles(parser: CommandParser) -> None:
    parser.add_argument(
        "--role",
        action="append",
        default=[],
        metavar="ROLE",
        help="a role that `people roles` lists, or another group; may be repeated",
    )


def _add_reason(parser: CommandParser) -> None:
    parser.add_argument("--reason", required=True, help="kept on the audit trail")


class Command(CommandGroup):
    """See ``help``."""

    help = "List, show, make and change the accounts of the console, and list the roles."
    subcommands = {
        "list": ListAccounts,
        "show": ShowAccount,
        "roles": ListRoles,
        "add": AddAccount,
        "set-roles": SetRoles,
        "disable": Disable,
        "enable": Enable,
        "password": SetPassword,
    }
