"""Tokens of the management API: made by a person for programs of theirs, which act as that person.

A token has some of the person's roles, and at each request only those that the person still has.
It ends by itself, at most a year after it was made. What is stored is a SHA-256: a token has 256
random bits, so no slow hash is needed.
"""

import datetime
import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db.models import Q, QuerySet
from django.utils import timezone

from estserver.models import ApiToken
from pki.csr.thing_names import shown
from pki.exceptions import Busy
from pki.operators.errors import OperatorError
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.record.transactions import in_write_transaction

PREFIX: Final = "estapi_"
"""Tells a person, and a program that looks for secrets in files, what the text is."""
DEFAULT_DAYS: Final = 90
MOST_DAYS: Final = 365
MOST_TOKENS: Final = 50
"""Tokens of a person that are good at the same time."""
USE_NOTED_EVERY: Final = datetime.timedelta(minutes=1)

_SHAPE: Final = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")  # 43 characters: 256 bits in base64
_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._-]{0,58}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class TokenHolder:
    """The person for whom a request with a token acts, with the rights that the token has."""

    token: ApiToken
    person: Any
    permissions: frozenset[str]
    is_authenticated: bool = True
    is_active: bool = True

    def has_perm(self, permission: str, obj: object = None) -> bool:
        """Return whether the token has the permission, as Django names it: ``pki.view_job``."""
        return permission in self.permissions

    def get_username(self) -> str:
        """Return the name of the person's account."""
        return str(self.person.get_username())

    @property
    def actor_name(self) -> str:
        """The name on the audit trail: the person, and which token."""
        return f"admin:{self.get_username()} (token {self.token.name})"


def roles_of(person: Any) -> QuerySet[Group]:
    """Return the roles that a token of ``person`` may have, by name. A superuser has every one."""
    groups = Group.objects.order_by("name")
    return groups if person.is_superuser else groups.filter(user=person)


def make_token(
    person: Any, name: str, *, roles: Sequence[str], actor: Actor, days: int = DEFAULT_DAYS
) -> tuple[ApiToken, str]:
    """Make a token of ``person``, and return its row and the token, which nobody can show again.

    Raises ``OperatorError`` for an account that cannot sign in, a name that is no name or taken, no
    role or one that the person does not have, and days out of range.
    """
    _check(person, name, roles, days)
    token = PREFIX + secrets.token_urlsafe(32)
    now = timezone.now()

    def write() -> ApiToken:
        _check_room(person, name)
        row = ApiToken.objects.create(
            account_id=person.pk,
            name=name,
            sha256=_digest(token),
            beginning=token[: len(PREFIX) + 4],
            roles=sorted(set(roles)),
            created_at=now,
            expires_at=now + datetime.timedelta(days=days),
        )
        facts = {"token": name, "roles": row.roles, "expires_at": row.expires_at.isoformat()}
        audit_trail.record("api-token-add", actor=actor, target=f"account:{person}", after=facts)
        return row

    return in_write_transaction(write), token


def end_token(token: ApiToken, *, actor: Actor) -> bool:
    """End a token from now on, and return whether it had not ended before."""
    person = get_user_model()._default_manager.filter(pk=token.account_id).first()

    def write() -> bool:
        good = ApiToken.objects.filter(pk=token.pk, ended_at=None)
        if not good.update(ended_at=timezone.now()):
            return False
        target = f"account:{person}" if person else f"account-id:{token.account_id}"
        audit_trail.record(
            "api-token-end", actor=actor, target=target, before={"token": token.name}
        )
        return True

    return in_write_transaction(write)


def good_tokens() -> QuerySet[ApiToken]:
    """Return the tokens that have neither ended nor expired. Their person may be disabled."""
    return ApiToken.objects.filter(ended_at=None, expires_at__gt=timezone.now())


def holder_of(token: str) -> TokenHolder | None:
    """Return for whom a request with this token acts; ``None`` if the token is not good now.

    The person has to be able to sign in, and what the token may do is what its roles allow of those
    that the person has at this moment.
    """
    if not _SHAPE.fullmatch(token):
        return None
    row = good_tokens().filter(sha256=_digest(token)).first()
    if row is None:
        return None
    people = get_user_model()._default_manager
    person = people.filter(pk=row.account_id, is_active=True, is_staff=True).first()
    if person is None:
        return None
    return TokenHolder(row, person, _permissions(person, row.roles))


def note_use(token: ApiToken, address: str | None) -> None:
    """Note when and from where a token was used, at most once a minute."""
    now = timezone.now()
    if token.last_used_at is not None and token.last_used_at > now - USE_NOTED_EVERY:
        return
    rows = ApiToken.objects.filter(
        Q(last_used_at=None) | Q(last_used_at__lte=now - USE_NOTED_EVERY), pk=token.pk
    )
    try:
        in_write_transaction(lambda: rows.update(last_used_at=now, last_used_from=address))
    except Busy:
        return  # the request itself may only read, and is answered all the same


def _permissions(person: Any, roles: Sequence[str]) -> frozenset[str]:
    held = Q(group__name__in=roles)
    if not person.is_superuser:
        held &= Q(group__user=person)
    rows = Permission.objects.filter(held).values_list("content_type__app_label", "codename")
    return frozenset(f"{app}.{codename}" for app, codename in rows.order_by())


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _check(person: Any, name: str, roles: Sequence[str], days: int) -> None:
    if not (person.is_active and person.is_staff):
        raise OperatorError(
            f"{person} cannot sign in, so no token would be good. Give the account staff status."
        )
    if not _NAME.fullmatch(name):
        raise OperatorError(
            f"{shown(name)} is not a name of a token. Use 1 to 60 letters, digits, spaces, '.', "
            "'_' and '-'."
        )
    if not 1 <= days <= MOST_DAYS:
        raise OperatorError(
            f"A token cannot be good for {days} days. Give 1 to {MOST_DAYS}, and make a new one "
            "before it ends."
        )
    known = list(roles_of(person).values_list("name", flat=True))
    lacking = [role for role in roles if role not in known]
    if lacking or not roles:
        has = f"Use some of: {', '.join(known)}." if known else f"{person} has no role."
        found = f"{person} does not have the role {shown(lacking[0])}." if lacking else ""
        raise OperatorError(f"{found or 'A token needs a role.'} {has}")


def _check_room(person: Any, name: str) -> None:
    names = list(good_tokens().filter(account_id=person.pk).values_list("name", flat=True))
    if name in names:
        raise OperatorError(
            f"{person} has a token {name!r} already. End that one, or choose another name."
        )
    if len(names) >= MOST_TOKENS:
        raise OperatorError(
            f"{person} has {len(names)} tokens, and at most {MOST_TOKENS} can be good at the same "
            "time. End those that are not in use."
        )
