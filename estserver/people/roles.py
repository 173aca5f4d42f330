"""The roles that a person of the console can have: groups whose permissions this module decides.

``manage.py migrate`` makes them and gives each what stands here, so a new version's pages are for
the roles that they are meant for. A superuser who wants another cut makes a group of another name.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Final

from django.contrib.auth.models import Group, Permission
from django.db.models import Q

from pki.record.transactions import in_write_transaction


@dataclass(frozen=True, slots=True)
class Role:
    """One role."""

    name: str
    purpose: str
    """What a person of the role does, as a sentence without a subject."""
    permissions: frozenset[str]
    """As Django names them, such as ``pki.view_job``."""


def _of(app: str, models: str, *verbs: str) -> frozenset[str]:
    return frozenset(f"{app}.{verb}_{model}" for model in models.split() for verb in verbs)


_FLEET: Final = (
    _of("pki", "certificateauthority certificateprofile issuedcertificate denylistentry", "view")
    | _of("pki", "job jobline", "view")
    | _of("iotprov", "templateversion policyversion provisioning caregistration", "view")
    | _of("estserver", "pendinghook truststorepush webhook message", "view")
)
_TRAIL: Final = _of("pki", "auditevent", "view")
_OPERATION: Final = (
    _of("pki", "issuedcertificate", "add", "change")
    | _of("pki", "denylistentry", "add", "change", "delete")
    | _of("pki", "job", "add", "change")
    | _of("iotprov", "provisioning", "change")
    | _of("estserver", "pendinghook message", "change")
    | _of("estserver", "acknowledgement", "add")
)
_CUSTODY: Final = (
    _of("pki", "certificateauthority certificateprofile", "add", "change")
    | _of("iotprov", "templateversion policyversion caregistration", "add", "change")
    | _of("estserver", "truststorepush webhook", "add", "change")
    | {"estserver.view_settings"}
)

ROLES: Final = (
    Role("Viewer", "Sees the fleet, its CAs and what goes to AWS IoT.", _FLEET),
    Role(
        "Operator",
        "Denies, allows, revokes, releases names and provisions again, one by one and by jobs.",
        _FLEET | _TRAIL | _OPERATION,
    ),
    Role(
        "CA officer",
        "Decides about CAs, profiles, the truststore, the provisioning template and the policy, "
        "and does what an operator does.",
        _FLEET | _TRAIL | _OPERATION | _CUSTODY,
    ),
    Role("Auditor", "Reads and exports the audit trail, and nothing else.", _TRAIL),
    Role(
        "People manager",
        "Makes accounts, gives them roles and passwords, and reads the audit trail.",
        _TRAIL | _of("auth", "user", "add", "change", "view") | _of("auth", "group", "view"),
    ),
)
"""Every role, in the order in which people read of them."""

ROLE_NAMES: Final = frozenset(role.name for role in ROLES)


def install_roles() -> None:
    """Make each role's group where it is missing, and give it the role's permissions.

    Raises ``LookupError`` when a permission does not exist, which a bug here alone can cause.
    """
    found = {
        f"{row.content_type.app_label}.{row.codename}": row
        for row in Permission.objects.filter(_named()).select_related("content_type")
    }
    missing = sorted(_every_permission() - set(found))
    if missing:
        raise LookupError(f"There is no permission {', '.join(missing)}.")

    def install() -> None:
        for role in ROLES:
            group, _ = Group.objects.get_or_create(name=role.name)
            group.permissions.set([found[name] for name in sorted(role.permissions)])

    in_write_transaction(install)


def roles_for(is_allowed: Callable[[frozenset[str]], bool]) -> list[str]:
    """Return the names of the roles with whose permissions a check passes, in their order."""
    return [role.name for role in ROLES if is_allowed(role.permissions)]


def roles_with(permissions: Iterable[str]) -> list[str]:
    """Return the names of the roles that have all of the permissions."""
    return roles_for(frozenset(permissions).issubset)


def may_do_it(names: Sequence[str]) -> str:
    """Return a sentence that says that these roles may do it, which a refusal ends with."""
    if not names:
        return "No role may do it."
    if len(names) == 1:
        return f"The role {names[0]} may do it."
    return f"The roles {', '.join(names[:-1])} and {names[-1]} may do it."


def _every_permission() -> frozenset[str]:
    return frozenset().union(*(role.permissions for role in ROLES))


def _named() -> Q:
    apps: dict[str, list[str]] = {}
    for permission in _every_permission():
        app, _, codename = permission.partition(".")
        apps.setdefault(app, []).append(codename)
    return reduce(
        or_,
        (Q(content_type__app_label=app, codename__in=codenames) for app, codenames in apps.items()),
    )
