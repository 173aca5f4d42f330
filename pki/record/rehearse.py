"""A dry run of what changes the database alone: all of it happens, and nothing is committed."""

from collections.abc import Iterator
from contextlib import contextmanager

from pki.record import snapshot
from pki.record.transactions import rehearsal


@contextmanager
def rehearse() -> Iterator[None]:
    """Run the block, and take back what it writes to the database.

    So a dry run asks every rule that the change itself asks, and fails where it would fail. The
    process drops its snapshot of the CAs and profiles afterwards, because the number of its
    generation comes again with other contents.
    """
    try:
        with rehearsal():
            yield
    finally:
        snapshot.forget()
