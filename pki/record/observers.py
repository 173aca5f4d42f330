"""Observers of the record: AWS IoT provisioning learns here which certificates change.

An observer is called in the transaction that records the change, so that what it writes exists
exactly when the change does. It must not do anything that a rollback does not undo. It is called
again when the transaction starts over.

A follower of the trust in CAs is called after the commit, by a command that waits for it. `pki`
knows no deployment, so the server registers the one for its gateway.
"""

import uuid
from collections.abc import Callable, Iterable
from functools import cache
from typing import TYPE_CHECKING, Protocol

from pki.models import CertificateAuthority, CertificateProfile, IssuedCertificate

if TYPE_CHECKING:  # a cold start registers observers, and writes no audit row
    from pki.record.audit_trail import Actor


class CertificateObserver:
    """Do nothing on a change. A subclass overrides the methods that it needs."""

    def issued(self, certificate: IssuedCertificate, replaced: uuid.UUID | None) -> None:
        """A device certificate was issued. ``replaced`` is the id of the one that it superseded."""

    def revoked(self, certificate: IssuedCertificate) -> None:
        """A certificate was revoked."""

    def denylist_changed(self, kind: str, *values: str) -> None:
        """Entries of the denylist were added, changed or removed."""

    def profile_changes(self, before: CertificateProfile, after: CertificateProfile) -> None:
        """A version of a profile replaces another. Raises ``OperatorError`` to refuse it."""

    def trust_ended(self, ca: CertificateAuthority) -> None:
        """A CA was distrusted or retired, or what becomes of its certificates was changed."""


_makers: list[Callable[[], CertificateObserver]] = []


def register(make: Callable[[], CertificateObserver]) -> None:
    """Register the observer that ``make`` returns. Called once per process, when apps are ready.

    ``make`` is called at the first change, so a process without a change does not import it.
    """
    _makers.append(make)
    registered.cache_clear()


@cache
def registered() -> Iterable[CertificateObserver]:
    """Return the registered observers."""
    return tuple(make() for make in _makers)


class TrustFollower(Protocol):
    """A place outside the database that has to stop trusting a CA, such as a gateway."""

    def follow(
        self, *, reason: str, actor: "Actor", is_here: bool, say: Callable[[str], None]
    ) -> None:
        """Make the place follow, and wait until it does. ``say`` takes lines on what was done.

        ``is_here`` is an operator's word that the database at hand is that of the deployment.
        Raises ``OperatorError``.
        """

    def what_remains(self) -> str:
        """Return what an operator has to do where nothing waits for it, as a sentence, or ""."""


_follower_makers: list[Callable[[], TrustFollower]] = []


def register_follower(make: Callable[[], TrustFollower]) -> None:
    """Register the follower that ``make`` returns. Called once per process, when apps are ready."""
    _follower_makers.append(make)
    followers.cache_clear()


@cache
def followers() -> Iterable[TrustFollower]:
    """Return the registered followers."""
    return tuple(make() for make in _follower_makers)
