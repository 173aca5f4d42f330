"""Who else must know when a certificate comes, goes or changes: AWS IoT provisioning.

An observer is called in the transaction that records the change, so that what it writes exists
exactly when the change does. It must not do anything that a rollback doesn't undo, and is called
once more when the transaction starts over.
"""

import uuid
from collections.abc import Iterable

from pki.models import IssuedCertificate


class CertificateObserver:
    """Hears of changes. Override what you need."""

    def issued(self, certificate: IssuedCertificate, replaced: uuid.UUID | None) -> None:
        """A device certificate was issued; ``replaced`` is the id of the one that stepped back."""

    def revoked(self, certificate: IssuedCertificate) -> None:
        """A certificate was revoked."""

    def denylist_changed(self, kind: str, value: str) -> None:
        """An entry of the denylist was added, changed or removed."""


_observers: list[CertificateObserver] = []


def register(observer: CertificateObserver) -> None:
    """Tell ``observer`` from now on. Called once per process, when the apps are ready."""
    _observers.append(observer)


def registered() -> Iterable[CertificateObserver]:
    """Everybody who is told."""
    return tuple(_observers)
