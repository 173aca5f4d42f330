"""A loopback proxy before PostgreSQL, which counts round trips, adds a delay each way, or fails.

A round trip is a point at which the protocol lets a client wait: a simple Query, a Sync, or a Flush
after messages that were not flushed yet.
https://www.postgresql.org/docs/16/protocol-flow.html#PROTOCOL-FLOW-PIPELINING
"""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue

_SSL_REQUEST = 80877103
_CHUNK = 1 << 16


class _Counter:
    """Reads what a client sends, and counts its round trips after the login."""

    def __init__(self, note: Callable[[], None]) -> None:
        self._note = note
        self._buffer = bytearray()
        self._is_started = False
        self._is_pending = False

    def feed(self, data: bytes) -> None:
        """Take bytes of the client."""
        self._buffer += data
        while True:
            start = 1 if self._is_started else 0
            if len(self._buffer) < start + 4:
                return
            (length,) = struct.unpack_from("!I", self._buffer, start)
            if len(self._buffer) < start + length:
                return
            message = bytes(self._buffer[: start + length])
            del self._buffer[: start + length]
            if self._is_started:
                self._count(message[:1])
            elif struct.unpack_from("!I", message, 4) != (_SSL_REQUEST,):
                self._is_started = True

    def _count(self, kind: bytes) -> None:
        if kind in {b"Q", b"S"} or (kind == b"H" and self._is_pending):
            self._note()
            self._is_pending = False
        elif kind in {b"P", b"B", b"D", b"E", b"C"}:
            self._is_pending = True


class CountingProxy:
    """Leads from a port of its own to ``target``, a port on loopback, without TLS."""

    def __init__(self, target: int) -> None:
        """Listen on a free port."""
        self.delay = 0.0
        """Seconds that each direction takes."""
        self.round_trips = 0
        self.is_refusing = False
        """Whether a new connection is closed at once."""
        self._flows = threading.Event()
        self._flows.set()
        self._target = target
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = [self._listener]
        self.port: int = self._listener.getsockname()[1]

    def note(self) -> None:
        """Count a round trip."""
        with self._lock:
            self.round_trips += 1

    def cut(self) -> None:
        """Break all connections, as a server that restarts does."""
        for one in self._sockets[1:]:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def hold(self) -> None:
        """Let no byte through until ``release``, as a network does that lost its way."""
        self._flows.clear()

    def release(self) -> None:
        """Let the bytes through that were held, and all that follow."""
        self._flows.set()

    def serve(self) -> None:
        """Take connections until ``close``."""
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                if self.is_refusing:
                    raise ConnectionRefusedError
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:  # there is no server now
                client.close()
                continue
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._sockets.append(one)
            counter = _Counter(self.note)
            self._lead(client, server, counter.feed)
            self._lead(server, client, lambda data: None)

    def close(self) -> None:
        """End everything."""
        self.release()
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _lead(self, source: socket.socket, to: socket.socket, see: Callable[[bytes], None]) -> None:
        """Lead one direction, in two threads, so that a delay holds up no later bytes."""
        queue: SimpleQueue[tuple[float, bytes]] = SimpleQueue()

        def read() -> None:
            data = b"begin"
            while data:
                try:
                    data = source.recv(_CHUNK)
                except OSError:
                    data = b""
                see(data)
                queue.put((time.monotonic() + self.delay, data))

        def write() -> None:
            while True:
                due, data = queue.get()
                time.sleep(max(due - time.monotonic(), 0))
                self._flows.wait()
                with suppress(OSError):
                    if not data:
                        to.shutdown(socket.SHUT_RDWR)
                        return
                    to.sendall(data)

        for work in (read, write):
            threading.Thread(target=work, daemon=True).start()


@contextmanager
def counting_proxy(target: int) -> Iterator[CountingProxy]:
    """Run a proxy before a port on loopback, and end it with the block."""
    proxy = CountingProxy(target)
    threading.Thread(target=proxy.serve, daemon=True).start()
    try:
        yield proxy
    finally:
        proxy.close()
