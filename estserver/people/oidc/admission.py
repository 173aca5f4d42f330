"""Who gets in by an OpenID provider, with which account and which roles.

The provider decides at each sign-in: the roles of the account become those of the person's groups.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.auth.models import Group, User

from estserver.models import ProviderIdentity
from estserver.people.accounts.rules import account_facts
from estserver.people.oidc.provider import SUPERUSER, Provider
from pki.operators.errors import OperatorError
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.record.transactions import in_write_transaction

MOST_GROUPS: Final = 2000
_NO_ROLE: Final = (
    "The provider knows you, but none of your groups there has a role here. Ask the person who "
    "manages your groups, or sign in with a password."
)
_DISABLED: Final = (
    "Your account here is not active. Ask a person who manages the accounts of this server."
)


@dataclass(frozen=True, slots=True)
class Person:
    """Who the provider says has signed in, from claims that were verified."""

    issuer: str
    subject: str
    name: str
    email: str
    groups: frozenset[str]

    @classmethod
    def of_claims(cls, claims: dict[str, Any], provider: Provider) -> "Person":
        """Return the person whom the claims name."""
        groups = claims.get(provider.groups_claim, ())
        if isinstance(groups, str):
            groups = (groups,)
        if not isinstance(groups, (list, tuple)):
            groups = ()
        return cls(
            issuer=provider.issuer,
            subject=str(claims["sub"]),
            name=str(claims.get("preferred_username") or claims["sub"]),
            email=str(claims.get("email") or ""),
            groups=frozenset(str(one) for one in groups[:MOST_GROUPS]),
        )


def admit(person: Person, provider: Provider, *, source_ip: str | None) -> User:
    """Return the account of ``person``, with the roles that their groups have.

    An account is found by issuer and subject alone, and made at the first sign-in. Raises
    ``OperatorError`` with a sentence for the person when they do not get in. An account that they
    have loses its roles then.
    """
    roles = frozenset(provider.roles[group] for group in person.groups & provider.roles.keys())

    def decide() -> tuple[User | None, str]:
        account = _account_of(person)
        if roles and account is not None and not account.is_active:
            return _refused(person, account, _DISABLED, source_ip)
        if not roles:
            if account is not None:
                _set_roles(account, roles, source_ip)
            return _refused(person, account, _NO_ROLE, source_ip)
        if account is None:
            account = _make_account(person, source_ip)
        _set_roles(account, roles, source_ip)
        audit_trail.record(
            "sign-in",
            actor=Actor(f"admin:{account}", source_ip=source_ip),
            target=f"account:{account}",
            after={"provider": person.issuer},
        )
        return account, ""

    account, refusal = in_write_transaction(decide)
    if account is None:
        raise OperatorError(refusal)
    return account


def _account_of(person: Person) -> User | None:
    row = ProviderIdentity.objects.filter(issuer=person.issuer, subject=person.subject).first()
    return User.objects.filter(pk=row.account).first() if row else None


def _make_account(person: Person, source_ip: str | None) -> User:
    # The row of an account that was deleted names nobody any more.
    ProviderIdentity.objects.filter(issuer=person.issuer, subject=person.subject).delete()
    account = User.objects.create_user(_free_name(person), email=_email(person.email))
    ProviderIdentity.objects.create(
        account=account.pk, issuer=person.issuer, subject=person.subject
    )
    audit_trail.record(
        "account-add",
        actor=_provider_actor(source_ip),
        target=f"account:{account}",
        after={**account_facts(account), "issuer": person.issuer, "subject": person.subject},
    )
    return account


def _set_roles(account: User, roles: frozenset[str], source_ip: str | None) -> None:
    before = account_facts(account)
    is_superuser = SUPERUSER in roles
    groups = Group.objects.filter(name__in=roles - {SUPERUSER})
    if (account.is_staff, account.is_superuser) != (bool(roles), is_superuser):
        account.is_staff, account.is_superuser = bool(roles), is_superuser
        account.save()
    if set(before["groups"]) != {group.name for group in groups}:
        account.groups.set(groups)
    if before["permissions"]:
        account.user_permissions.clear()
    after = account_facts(account)
    if after != before:
        audit_trail.record(
            "account-change",
            actor=_provider_actor(source_ip),
            target=f"account:{account}",
            before=before,
            after=after,
        )


def _refused(
    person: Person, account: User | None, sentence: str, source_ip: str | None
) -> tuple[None, str]:
    audit_trail.record(
        "sign-in-failed",
        actor=_provider_actor(source_ip),
        target=f"account:{account}" if account else "account:unknown",
        reason=sentence,
        after={
            "provider": person.issuer,
            "subject": person.subject[:255],
            "groups": len(person.groups),
        },
    )
    return None, sentence


def _free_name(person: Person) -> str:
    """Return a name that no account has. A person of the same name here stays another person."""
    name = re.sub(r"[^\w.@+-]+", "-", person.name)[:120] or "person"
    if not User.objects.filter(username__iexact=name).exists():
        return name
    digest = hashlib.sha256(f"{person.issuer}\0{person.subject}".encode()).hexdigest()
    return f"{name}-{digest[:16]}"


def _email(text: str) -> str:
    return text if len(text) <= 254 else ""


def _provider_actor(source_ip: str | None) -> Actor:
    return Actor("provider", source_ip=source_ip)
