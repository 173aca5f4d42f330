"""The people who may sign in, and whether they have a second factor."""

import datetime
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from django.contrib.auth import get_user_model

from estserver.models import RecoveryCode, SecondFactor


@dataclass(frozen=True, slots=True)
class PersonsFactor:
    """One person, and the second factor."""

    account: str
    is_superuser: bool
    since: datetime.datetime | None
    """When the second factor was set up; None if there is none."""
    recovery_codes: int

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self) | {"since": self.since and self.since.isoformat()}

    def in_words(self) -> str:
        """Return a line for people."""
        name = f"{self.account} (superuser)" if self.is_superuser else self.account
        if self.since is None:
            return f"{name}: no second factor"
        return (
            f"{name}: second factor since {self.since:%Y-%m-%d}, {self.recovery_codes} recovery "
            "codes left"
        )


def accounts_with_factors() -> Iterator[PersonsFactor]:
    """Yield every person who may sign in, by name. It takes three statements."""
    since = dict(SecondFactor.objects.values_list("account", "created_at"))
    left: dict[int, int] = {}
    for account in RecoveryCode.objects.filter(used_at=None).values_list("account", flat=True):
        left[account] = left.get(account, 0) + 1
    people = get_user_model()._default_manager.filter(is_active=True, is_staff=True)
    for person in people.order_by("username").values("pk", "username", "is_superuser"):
        yield PersonsFactor(
            person["username"],
            person["is_superuser"],
            since.get(person["pk"]),
            left.get(person["pk"], 0),
        )
