"""The state of a device, as the record has it, and the conditions that find all devices in one.

A device is a thing name that has a holder, or had one. Each state is decided in ``state_of``, and
``pki.devices.listing`` finds the devices of each by an index; a test compares the two.
"""

import datetime
from enum import Enum
from typing import Final

from pki.models import AuditEvent, CertificateProfile, IssuedCertificate
from pki.reasons import Reason

State = IssuedCertificate.State

CONFLICT_SHOWN_FOR: Final = datetime.timedelta(days=30)
"""How long a refusal of a client that is not the holder counts as a conflict."""

MOST_EVENTS: Final = 10_000
"""The newest events that are read for refusals. A fleet under attack has more."""


class DeviceState(Enum):
    """States, of which a device is in one: the first that holds, in this order."""

    CONFLICTING = ("conflicting", "Conflicting", "bad")
    DENIED = ("denied", "Denied", "bad")
    STOPPED = ("stopped", "No certificate", "over")
    OVERDUE = ("overdue", "Overdue", "over")
    DUE = ("due", "Due", "soon")
    NEW = ("new", "New", "open")
    CURRENT = ("current", "Current", "good")

    def __init__(self, slug: str, word: str, chip: str) -> None:
        self.slug = slug
        self.word = word
        self.chip = chip

    @property
    def meaning(self) -> str:
        """Return a sentence that says what it means, and what to do."""
        return _MEANINGS[self]


_MEANINGS: Final = {
    DeviceState.CONFLICTING: (
        "Another client asked for this name within the last 30 days and was refused. If that "
        "client is the device's new owner, release the name. If not, deny that client."
    ),
    DeviceState.DENIED: (
        "The denylist names the device, so nothing is issued to it. Remove the entry when it may "
        "enroll again."
    ),
    DeviceState.STOPPED: (
        "It has no certificate that was issued and is not revoked. It has to enroll "
        "(simpleenroll) with the client that holds the name."
    ),
    DeviceState.OVERDUE: (
        "Its certificate has expired, and it did not renew. It has to enroll (simpleenroll) with "
        "the client that holds the name. Look at its last request below for a refusal."
    ),
    DeviceState.DUE: "It should renew (simplereenroll) before its certificate expires.",
    DeviceState.NEW: (
        "It enrolled, and has not come back to this server since. AWS IoT does not tell this "
        "server of connections, so it may never have connected: ask AWS IoT below."
    ),
    DeviceState.CURRENT: "Its certificate is valid, and its renewal is not due yet.",
}


def state_of(
    *,
    current: IssuedCertificate | None,
    newest: IssuedCertificate | None,
    owner: IssuedCertificate | None,
    is_denied: bool,
    is_conflicting: bool,
    at: datetime.datetime,
) -> DeviceState:
    """Return the state at the time ``at``.

    ``current`` is the certificate that is issued and not expired, ``newest`` the newest one that
    is not superseded, both with their profiles, and ``owner`` the row that holds the name.
    """
    if is_conflicting:
        return DeviceState.CONFLICTING
    if is_denied:
        return DeviceState.DENIED
    if current is None:
        has_expired = newest is not None and newest.state == State.ISSUED
        return DeviceState.OVERDUE if has_expired else DeviceState.STOPPED
    if renewal_due_at(current) <= at:
        return DeviceState.DUE
    is_first = current.operation == IssuedCertificate.Operation.ENROLL and current == owner
    return DeviceState.NEW if is_first else DeviceState.CURRENT


def renewal_window(profile: CertificateProfile | None) -> datetime.timedelta:
    """Return how long before its end a certificate of the profile should be renewed.

    That is the time in which the profile allows it, or else the last third of its validity, as
    clients commonly choose.
    """
    if profile is None:
        return datetime.timedelta()
    days = profile.reenroll_window_days or profile.validity_days / 3
    return datetime.timedelta(days=days)


def renewal_due_at(certificate: IssuedCertificate) -> datetime.datetime:
    """Return the time from which the certificate's renewal is due."""
    return certificate.not_after - renewal_window(certificate.profile)


def name_conflicts(at: datetime.datetime) -> frozenset[str]:
    """Return the folded names that another client than the holder asked for lately.

    The newest events are read by their time, since refusals are rare among them.
    """
    newest = AuditEvent.objects.filter(at__gt=at - CONFLICT_SHOWN_FOR).order_by("-at")
    bound = list(newest.values_list("at", flat=True)[MOST_EVENTS - 1 : MOST_EVENTS])
    since = bound[0] if bound else at - CONFLICT_SHOWN_FOR
    refused = AuditEvent.objects.filter(
        at__gt=since,
        action__startswith="refuse-",
        reason__startswith=f"{Reason.NAME_BOUND_TO_ANOTHER.code}:",
    )
    targets = refused.order_by().values_list("target", flat=True)
    return frozenset(
        target.removeprefix("thing:").casefold()
        for target in targets
        if target.startswith("thing:")
    )
