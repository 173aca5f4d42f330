"""How often a password may be guessed: of a name from one sender, and of any name from it.

A name alone is never counted. Otherwise anybody could keep a person from signing in.

An attempt is counted before its password is looked at and given back when it was right. So no
number of attempts at a time gets more guesses than the limit.
"""

import datetime
import hashlib
import uuid
from dataclasses import dataclass
from typing import Final

from django.utils import timezone

from estserver.models import SignInFailures
from pki.encoding.addresses import sender_of
from pki.record.transactions import in_write_transaction

MEMORY: Final = datetime.timedelta(days=1)
"""After this time without a failure, counting begins anew."""
LONGEST_PAUSE: Final = datetime.timedelta(hours=1)
MOST_ROWS: Final = 10_000
"""Rows that strangers can cause. Beyond it those go first in which nothing happened for longest."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How many failures cost nothing. Each one more doubles the pause, from a minute on."""

    free: int

    def pause_after(self, failures: int) -> datetime.timedelta | None:
        """Return how long nothing is taken after so many failures, or None."""
        if failures < self.free:
            return None
        doublings = min(failures - self.free, 10)
        return min(datetime.timedelta(minutes=2**doublings), LONGEST_PAUSE)


NAME_AND_SENDER: Final = Limit(free=5)
SENDER: Final = Limit(free=50)  # an office or a test may stand behind one address


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to sign in, as it is counted."""

    name: str
    address: str

    @property
    def limits(self) -> tuple[tuple[str, Limit], ...]:
        """The keys under which the attempt is counted, each with its limit."""
        sender = sender_of(self.address)
        return (
            (_key("name", self.name.casefold(), sender), NAME_AND_SENDER),
            (_key("sender", sender), SENDER),
        )


@dataclass(frozen=True, slots=True)
class Count:
    """What an attempt added up to."""

    failures: int
    """Those of this name from this sender, if this attempt fails too."""
    blocked_until: datetime.datetime | None
    """Until when no attempt is taken, if this one fails."""


def begin(attempt: Attempt) -> Count | datetime.timedelta:
    """Count an attempt. Return the time to wait in place of a count if none is taken now.

    Raises ``Busy`` when the database cannot be reached.
    """

    def count() -> Count | datetime.timedelta:
        now = timezone.now()
        keys = [key for key, _ in attempt.limits]
        rows = {row.key: row for row in SignInFailures.objects.filter(key__in=keys)}
        ends = [row.blocked_until for row in rows.values() if row.blocked_until]
        if ends and max(ends) > now:
            return max(ends) - now
        counted = []
        for key, limit in attempt.limits:
            row = rows.get(key) or SignInFailures(key=key, count=0, last_at=now)
            row.count = row.count + 1 if row.last_at > now - MEMORY else 1
            pause = limit.pause_after(row.count)
            row.last_at, row.blocked_until = now, now + pause if pause else None
            row.save()
            counted.append(row)
        ends = [row.blocked_until for row in counted if row.blocked_until]
        return Count(counted[0].count, max(ends, default=None))

    found = in_write_transaction(count)
    _bound_rows()
    return found


def succeed(attempt: Attempt) -> None:
    """Forget the failures of this name from this sender, and give the sender its attempt back.

    Other people behind the same address may still be guessing, so their failures stay.
    """

    def forget() -> None:
        (own, _), (sender, limit) = attempt.limits
        SignInFailures.objects.filter(key=own).delete()
        for row in SignInFailures.objects.filter(key=sender):
            row.count -= 1
            if not limit.pause_after(row.count):
                row.blocked_until = None
            row.save()

    in_write_transaction(forget)


def remove_old_failures() -> None:
    """Remove rows that count for nothing any more."""
    old = SignInFailures.objects.filter(last_at__lt=timezone.now() - MEMORY - LONGEST_PAUSE)
    _remove(list(old.values_list("pk", flat=True)[:MOST_ROWS]))


def _bound_rows() -> None:
    newest = SignInFailures.objects.order_by("-last_at").values_list("pk", flat=True)
    _remove(list(newest[MOST_ROWS : MOST_ROWS + 100]))


def _remove(keys: list[uuid.UUID]) -> None:
    if keys:
        in_write_transaction(lambda: SignInFailures.objects.filter(pk__in=keys).delete())


def _key(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
