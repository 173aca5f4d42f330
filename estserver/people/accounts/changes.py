"""Accounts made and changed by a command, by the rules and with the audit rows of the pages.

Whoever runs a command owns the machine and its database, so a command may what a superuser may. One
thing no command does: leave nobody who may administrate.
"""

import secrets
from collections.abc import Callable, Iterable

from django.contrib.auth.models import Group, User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.views.decorators.debug import sensitive_variables

from estserver.people.accounts.rules import account_facts
from estserver.people.passwords import first_password
from pki.operators.errors import OperatorError
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.record.transactions import in_write_transaction

PASSWORD_BYTES = 18  # of randomness: 24 characters


def find_account(username: str) -> User:
    """Return the account. Raises ``OperatorError`` if there is none."""
    account = User.objects.filter(username=username).first()
    if account is None:
        raise OperatorError(f"There is no account {username!a}. manage.py people list shows them.")
    return account


@sensitive_variables("password", "given")
def add_account(
    username: str, *, email: str, roles: Iterable[str], given: str | None, actor: Actor
) -> str:
    """Make an account that may sign in to the console, and return its password.

    ``given`` is the password; without one it is random, and nothing stores it. Raises
    ``OperatorError`` for a name that is taken or impossible, a weak password, or an unknown role.
    """
    password = given or secrets.token_urlsafe(PASSWORD_BYTES)
    account = User(username=username, email=email, is_staff=True)
    try:
        account.set_unusable_password()
        account.clean_fields()
    except ValidationError as error:
        raise OperatorError(" ".join(error.messages)) from error
    groups = find_groups(roles)
    _check_password(password, account)
    account.set_password(password)

    def add() -> None:
        if User.objects.filter(username=username).exists():
            raise OperatorError(f"There is an account {username!a} already. Choose another name.")
        account.pk = None
        account.save(force_insert=True)
        account.groups.set(groups)
        first_password.require_change(account)
        _record("account-add", account, actor, after=account_facts(account))

    in_write_transaction(add)
    return password


def set_roles(username: str, roles: Iterable[str], *, actor: Actor, reason: str) -> User:
    """Give an account these roles or other groups, and no others. Raises ``OperatorError``."""
    groups = find_groups(roles)

    def change(account: User) -> None:
        account.groups.set(groups)

    return _changed(username, change, actor=actor, reason=reason)


def set_active(username: str, *, is_active: bool, actor: Actor, reason: str) -> User:
    """Let an account sign in, or not any more.

    Raises ``OperatorError`` for the last superuser that may.
    """

    def change(account: User) -> None:
        if not is_active and account.is_superuser and not _other_superusers(account):
            raise OperatorError(
                f"{account} is the last superuser who may sign in. Make another one first."
            )
        account.is_active = is_active
        account.save(update_fields=["is_active"])

    return _changed(username, change, actor=actor, reason=reason)


@sensitive_variables("password")
def set_password(username: str, password: str, *, actor: Actor, reason: str) -> None:
    """Give an account another password. Raises ``OperatorError`` for one that is too weak."""

    def change() -> None:
        account = find_account(username)
        _check_password(password, account)
        account.set_password(password)
        account.save(update_fields=["password"])
        first_password.require_change(account)
        _record("account-password", account, actor, reason=reason)

    in_write_transaction(change)


def find_groups(names: Iterable[str]) -> list[Group]:
    """Return the groups of these names, in any case. Raises ``OperatorError`` for an unknown one.

    The roles are groups (`estserver.people.roles`).
    """
    known = {group.name.casefold(): group for group in Group.objects.order_by("name")}
    unknown = [name for name in names if name.casefold() not in known]
    if unknown:
        raise OperatorError(
            f"There is no role {unknown[0]!a}. Use: "
            f"{', '.join(group.name for group in known.values()) or 'none, run manage.py migrate'}."
        )
    return [known[name.casefold()] for name in names]


def _changed(username: str, change: Callable[[User], None], *, actor: Actor, reason: str) -> User:
    def write() -> User:
        account = find_account(username)
        before = account_facts(account)
        change(account)
        after = account_facts(account)
        _record("account-change", account, actor, reason=reason, before=before, after=after)
        return account

    return in_write_transaction(write)


def _other_superusers(account: User) -> bool:
    others = User.objects.filter(is_superuser=True, is_active=True, is_staff=True)
    return others.exclude(pk=account.pk).exists()


@sensitive_variables("password")
def _check_password(password: str, account: User) -> None:
    try:
        validate_password(password, account)
    except ValidationError as error:
        raise OperatorError(f"The password cannot be taken. {' '.join(error.messages)}") from error


def _record(
    action: str,
    account: User,
    actor: Actor,
    *,
    reason: str = "",
    before: dict[str, object] | None = None,
    after: dict[str, object] | None = None,
) -> None:
    audit_trail.record(
        action,
        actor=actor,
        target=f"account:{account}",
        reason=reason,
        before=before,
        after=after,
    )
