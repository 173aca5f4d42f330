"""A TLS connection that ends at a deadline, however slowly the other side sends."""

import http.client
import math
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from typing import Any

Check = Callable[[Sequence[str]], None]
"""Raises for addresses that must not be called."""


class DeadlineSocket(ssl.SSLSocket):
    """A TLS socket all of whose reads have to end by ``deadline``, on the monotonic clock.

    A plain timeout begins anew with every read, so a server that sends a byte now and then could
    hold a connection for hours.
    """

    deadline = math.inf

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        """Read until the deadline at most. Raises ``TimeoutError``."""
        self.settimeout(_seconds_left(self.deadline))
        return super().recv_into(*args, **kwargs)


def connect(
    host: str,
    port: int,
    server_name: str,
    context: ssl.SSLContext,
    deadline: float,
    check: Check | None = None,
) -> http.client.HTTPSConnection:
    """Return a connection whose TLS handshake is done; ``context`` makes ``DeadlineSocket``s.

    ``check`` is given every address of ``host`` before any is called. The name is asked for once,
    so no second answer can lead elsewhere. Raises what it raises, and ``OSError``, of which
    ``ssl.SSLError`` and ``TimeoutError`` are kinds.
    """
    plain = _dial(host, port, deadline, check)
    plain.settimeout(_seconds_left(deadline))
    tls = context.wrap_socket(plain, server_hostname=server_name)
    assert isinstance(tls, DeadlineSocket)  # noqa: S101  # the context's own class
    tls.deadline = deadline
    connection = http.client.HTTPSConnection(server_name, port, context=context)
    connection.sock = tls
    return connection


def _dial(host: str, port: int, deadline: float, check: Check | None) -> socket.socket:
    """Connect to the first address of ``host`` that takes the connection."""
    failure: OSError | None = None
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    if check is not None:
        check([str(address[0]) for *_, address in found])
    for *_, address in found:
        try:
            numeric = (str(address[0]), int(address[1]))
            return socket.create_connection(numeric, timeout=_seconds_left(deadline))
        except OSError as error:
            failure = error
    raise failure or TimeoutError


def _seconds_left(deadline: float) -> float:
    """Return the seconds until ``deadline``. Raises ``TimeoutError`` when there are none."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
