"""Who else must know when a certificate comes, goes or changes: AWS IoT provisioning.

An observer is called in the transaction that records the change, so that what it writes exists
exactly when the change does. It must not do anything that a rollback doesn't undo, and is called
once more when the transaction starts over.
"""

import uuid
from collections.abc import Callable, Iterable
from functools import cache

from pki.models import IssuedCertificate


class CertificateObserver:
    """Hears of changes. Override what you need."""

    def issued(self, certificate: IssuedCertificate, replaced: uuid.UUID | None) -> None:
        """A device certificate was issued; ``replaced`` is the id of the one that stepped back."""

    def revoked(self, certificate: IssuedCertificate) -> None:
        """A certificate was revoked."""

    def denylist_changed(self, kind: str, value: str) -> None:
        """An entry of the denylist was added, changed or removed."""


_makers: list[Callable[[], CertificateObserver]] = []


def register(make: Callable[[], CertificateObserver]) -> None:
    """Tell the observer that ``make`` makes from now on. Called once per process, when the apps
    are ready; it is made at the first change, so that a process without one needn't load it.
    """
    _makers.append(make)
    registered.cache_clear()


@cache
def registered() -> Iterable[CertificateObserver]:
    """Everybody who is told."""
    return tuple(make() for make in _makers)
