"""The database connection of this thread, found without a search each time.

An enrollment asks for it dozens of times. ``connections["default"]`` goes through a lock and a look
for an event loop each time, and gives a thread the same object until the thread ends.
"""

import threading
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections


class _Thread(threading.local):
    def __init__(self) -> None:
        self.connection: Any = connections[DEFAULT_DB_ALIAS]  # the stubs know too little of it


_thread: _Thread | None = None


def this_connection() -> Any:
    """Return Django's connection of this thread, which may be closed and opened again."""
    global _thread  # made at first use: an import must not load the database's driver
    if _thread is None:
        _thread = _Thread()
    return _thread.connection
