"""Who is told of changes."""

import pytest

from pki.record import observers
from pki.record.observers import CertificateObserver


@pytest.fixture
def nobody(monkeypatch):
    """A process in which nothing has registered."""
    monkeypatch.setattr(observers, "_makers", [])
    observers.registered.cache_clear()
    yield
    observers.registered.cache_clear()


def test_an_observer_is_made_once_and_at_the_first_change(nobody):
    made = []

    def make():
        made.append(CertificateObserver())
        return made[-1]

    observers.register(make)
    assert made == []

    assert [*observers.registered()] == [*observers.registered()] == made
    assert len(made) == 1


def test_who_registers_later_is_told_as_well(nobody):
    observers.register(CertificateObserver)
    assert len([*observers.registered()]) == 1

    observers.register(CertificateObserver)

    assert len([*observers.registered()]) == 2
