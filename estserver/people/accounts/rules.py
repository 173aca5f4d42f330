"""Who may change which account, and what of it. The pages and later doors ask here.

Rights are given by groups. So only superusers decide what a group may do, and who gets a permission
of their own; people who manage accounts put them into groups.
"""

from typing import Any, Final

from django.contrib.auth.models import Group, User

from estserver.people.roles import ROLE_NAMES

RIGHTS: Final = ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")
"""The fields of an account that decide what it may do."""

_OF_SUPERUSERS: Final = frozenset({"is_superuser", "user_permissions"})


def may_change_account(person: Any, account: User | None) -> bool:
    """Return whether ``person``, who may change accounts, may change this one (None: some).

    Whoever sets the password of an account can act as it. So a superuser's is for superusers only.
    """
    return bool(person.is_superuser) or account is None or not account.is_superuser


def may_delete_account(person: Any, account: User | None) -> bool:
    """Return whether ``person``, who may delete accounts, may delete this one. No one their own."""
    return may_change_account(person, account) and account != person


def may_reset_second_factor(person: Any, account: User) -> bool:
    """Return whether ``person`` may reset the second factor of ``account``. No one their own.

    One's own is removed with a code of it, on a page of its own.
    """
    return (
        account != person
        and person.has_perm("auth.change_user")
        and may_change_account(person, account)
    )


def fixed_fields(person: Any, account: User | None) -> frozenset[str]:
    """Return the fields of ``account`` (None: a new one) that ``person`` cannot change.

    No one changes their own rights, superusers included: the last one would be locked out.
    """
    if account is not None and account == person:
        return frozenset(RIGHTS)
    return frozenset() if person.is_superuser else _OF_SUPERUSERS


def may_change_groups(person: Any, group: Group | None) -> bool:
    """Return whether ``person`` may decide what ``group`` (None: some group) may do.

    Its members' rights follow. What a role may do is decided by the version of this server.
    """
    return bool(person.is_superuser) and (group is None or group.name not in ROLE_NAMES)


def account_facts(account: User) -> dict[str, Any]:
    """Return what the audit trail says of an account: all but the password."""
    return {
        "username": account.get_username(),
        "email": account.email,
        "is_active": account.is_active,
        "is_staff": account.is_staff,
        "is_superuser": account.is_superuser,
        "groups": sorted(account.groups.values_list("name", flat=True)),
        "permissions": _names(account.user_permissions.all()),
    }


def group_facts(group: Group) -> dict[str, Any]:
    """Return what the audit trail says of a group."""
    return {"name": group.name, "permissions": _names(group.permissions.all())}


def _names(permissions: Any) -> list[str]:
    rows = permissions.values_list("content_type__app_label", "codename")
    return sorted(f"{app}.{name}" for app, name in rows)
