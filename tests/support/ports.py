"""Ports for servers that a test starts later."""

import random
import socket
from collections.abc import Iterator
from contextlib import suppress


def free_ports() -> Iterator[int]:
    """Yield ports on loopback on which no server listens, in an order of chance.

    None of them is one that the kernel hands out to clients. While the server is down, a client
    that connects to such a port can be given that very port as its own, and then it isn't free.
    """
    for port in random.sample(range(20_000, 30_000), 10_000):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            yield port
