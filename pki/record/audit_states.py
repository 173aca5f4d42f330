"""Compare the states of certificates with the audit trail, which must agree about each of them.

Hash chains show a row that was changed, and one that is missing before another. They do not show
rows that were taken away from a chain's end, nor a trail that was emptied. But each state of a
certificate was written together with a row of the trail, so that a certificate whose row is gone
shows it. A state that was changed in the database, past the services, shows too.

Nothing here blocks enrollments, and their rows are no false alarms: a certificate's state is read
before the rows that it needs, and again after the rows that contradict it.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from pki.models import AuditEvent, CertificateAuthority, IssuedCertificate

MOST_NAMED = 20
"""How many disagreements are named. The others are counted."""

BATCH = 500
"""Certificates, or rows of the trail, that one statement reads."""

State = IssuedCertificate.State

_NEEDED: Mapping[str, tuple[str, ...]] = {
    State.INTENT: ("intent",),
    State.ISSUED: ("issue",),
    State.SUPERSEDED: ("issue", "supersede"),
    State.REVOKED: ("issue", "revoke"),
    State.VOID: ("void",),
}
"""The actions that the trail must have of a certificate, by its state.

The intent of an issued certificate is not among them, because an external PKI may choose another
serial number than the intent has."""

_POSSIBLE: Mapping[str, frozenset[str]] = {
    State.INTENT: frozenset({"intent"}),
    State.ISSUED: frozenset({"intent", "issue"}),
    State.SUPERSEDED: frozenset({"intent", "issue", "supersede"}),
    State.REVOKED: frozenset({"intent", "issue", "supersede", "revoke"}),
    State.VOID: frozenset({"intent", "void"}),
}
"""The actions that the trail may have of a certificate, by its state. A state never goes back."""

_ACTIONS = frozenset().union(*_POSSIBLE.values())


@dataclass(slots=True)
class Disagreements:
    """The certificates about which record and trail disagree."""

    count: int = 0
    first: list[str] = field(default_factory=list)
    """The first of them in words, ``MOST_NAMED`` at most."""

    def add(self, what: str) -> None:
        """Count one, and name it if it is one of the first."""
        self.count += 1
        if len(self.first) < MOST_NAMED:
            self.first.append(what)

    def __bool__(self) -> bool:
        return self.count > 0

    def __str__(self) -> str:
        more = self.count - len(self.first)
        return "; ".join([*self.first, *([f"and {more} more"] if more else [])])


@dataclass(frozen=True, slots=True)
class _Certificate:
    """What is compared of a certificate."""

    serial_number: str
    state: str
    common_name: str

    def __str__(self) -> str:
        return f"{self.common_name} ({self.serial_number}) is {self.state}"


def is_emptied() -> bool:
    """Return whether the trail is empty although CAs or certificates are on record."""
    return not AuditEvent.objects.exists() and (
        IssuedCertificate.objects.exists() or CertificateAuthority.objects.exists()
    )


def compare_states() -> Disagreements:
    """Compare every certificate with the trail, and every ``issue`` of it with the record."""
    found = Disagreements()
    for batch in _certificates():
        for what in _disagreements_of(batch):
            found.add(what)
    for what in _issued_and_not_on_record():
        found.add(what)
    return found


def _certificates() -> Iterator[list[_Certificate]]:
    """Yield all certificates in batches, the oldest first."""
    last = uuid.UUID(int=0)
    while True:
        rows = list(
            IssuedCertificate.objects.filter(pk__gt=last)
            .order_by("pk")
            .values_list("pk", "serial_number", "state", "common_name")[:BATCH]
        )
        if not rows:
            return
        last = rows[-1][0]
        yield [_Certificate(*row[1:]) for row in rows]


def _disagreements_of(batch: Iterable[_Certificate]) -> Iterator[str]:
    """Yield what is wrong with certificates of one batch."""
    certificates = list(batch)
    # Step 1: the rows of the trail. They are read after the states, so none is missing by chance.
    actions: dict[str, set[str]] = defaultdict(set)
    targets = [f"certificate:{each.serial_number}" for each in certificates]
    events = AuditEvent.objects.filter(target__in=targets, action__in=_ACTIONS)
    for target, action in events.order_by().values_list("target", "action"):
        actions[target.partition(":")[2]].add(action)
    # Step 2: rows that a state needs.
    contradicted = []
    for each in certificates:
        recorded = actions[each.serial_number]
        missing = [action for action in _NEEDED[each.state] if action not in recorded]
        if missing:
            yield f"{each}, and the trail has no row {' or '.join(map(repr, missing))}"
        elif recorded - _POSSIBLE[each.state]:
            contradicted.append(each)
    # Step 3: rows that contradict a state. It is read again, because it may have changed before
    # the rows were read, and two CAs may have issued one serial number.
    states: dict[str, set[str]] = defaultdict(set)
    now = IssuedCertificate.objects.filter(
        serial_number__in=[each.serial_number for each in contradicted]
    )
    for serial_number, state in now.order_by().values_list("serial_number", "state"):
        states[serial_number].add(state)
    for each in contradicted:
        possible = frozenset().union(*(_POSSIBLE[state] for state in states[each.serial_number]))
        extra = sorted(actions[each.serial_number] - possible)
        if extra:
            yield f"{each}, and the trail has a row {' and '.join(map(repr, extra))}"


def _issued_and_not_on_record() -> Iterator[str]:
    """Yield the certificates that were issued by the trail, and have no row any more."""
    last = uuid.UUID(int=0)
    while True:
        rows = list(
            AuditEvent.objects.filter(pk__gt=last, action="issue")
            .order_by("pk")
            .values_list("pk", "target")[:BATCH]
        )
        if not rows:
            return
        last = rows[-1][0]
        serial_numbers = [target.partition(":")[2] for _, target in rows]
        recorded = IssuedCertificate.objects.filter(serial_number__in=serial_numbers)
        known = set(recorded.order_by().values_list("serial_number", flat=True))
        for serial_number in serial_numbers:
            if serial_number not in known:
                yield f"{serial_number} was issued by the trail, and is not on record"
