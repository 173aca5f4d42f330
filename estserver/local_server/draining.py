"""How a process stops without a client noticing: it says so, waits, and answers what is left.

A balancer learns from ``/readyz`` that a server is about to stop, and takes a few seconds until it
looks again. Clients that come until then are answered.
"""

import socket
from collections.abc import Callable, Iterable
from typing import Any

from estserver.operations import IS_DRAINING

ANSWER_SECONDS = 15
"""How long clients that are here may take for their handshake, their request and its answer. The
limits in `estserver.local_server.connection` leave a stranger less."""
_MARGIN = 1.0
"""Seconds before gunicorn's own limit, at which it kills the process."""

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


def saying_so(application: Application) -> Application:
    """Return ``application``, which learns from each request that the process drains."""

    def told(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        return application({**environ, IS_DRAINING: True}, start_response)

    return told


def drain_seconds(configured: float, *, graceful_timeout: float) -> float:
    """Return how long to drain, so that time for answers is left before gunicorn kills."""
    return max(0.0, min(configured, graceful_timeout - ANSWER_SECONDS))


def answer_seconds(drained: float, *, graceful_timeout: float) -> float:
    """Return how long answers may take after draining for ``drained`` seconds."""
    return max(_MARGIN, graceful_timeout - drained - _MARGIN)


def accepted_already(listener: socket.socket) -> Iterable[socket.socket]:
    """Yield the connections that the kernel has accepted, and the process has not.

    Closing the listener would reset them, although their clients are connected already.
    """
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:  # BlockingIOError: there are no more
            return
        connection.setblocking(False)
        yield connection
