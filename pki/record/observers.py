"""Observers of the record: AWS IoT provisioning learns here which certificates change.

An observer is called in the transaction that records the change, so that what it writes exists
exactly when the change does. It must not do anything that a rollback does not undo. It is called
again when the transaction starts over.
"""

import uuid
from collections.abc import Callable, Iterable
from functools import cache

from pki.models import CertificateProfile, IssuedCertificate


class CertificateObserver:
    """Do nothing on a change. A subclass overrides the methods that it needs."""

    def issued(self, certificate: IssuedCertificate, replaced: uuid.UUID | None) -> None:
        """A device certificate was issued. ``replaced`` is the id of the one that it superseded."""

    def revoked(self, certificate: IssuedCertificate) -> None:
        """A certificate was revoked."""

    def denylist_changed(self, kind: str, value: str) -> None:
        """An entry of the denylist was added, changed or removed."""

    def profile_changes(self, before: CertificateProfile, after: CertificateProfile) -> None:
        """A version of a profile replaces another. Raises ``OperatorError`` to refuse it."""


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
