"""A gunicorn worker for devices: threads that each accept a connection and serve it to its end.

Devices open a connection for each request, so the cost of a *connection* decides. The table was
measured with ``bench/load.py`` against an application that answers 1 KiB after a fresh mutual
handshake (8 clients, two processes on the two cores that the clients share, TLS 1.3, P-256, cached
context):

=========================  ==================  ============================================
server                     CPU per request,    if clients leave Nagle's algorithm on
                           by the client's
=========================  ==================  ============================================
gunicorn's gthread         1.26                175/s, median latency 44 ms
gunicorn's sync            1.05                145/s, 54 ms; and a slow client blocks others
this worker                1.07 to 1.13        400 to 1,050/s, 7 to 19 ms
=========================  ==================  ============================================

The first column has ratios within one run, because the machine was shared. This worker took
between 1.0 and 1.7 ms.

Each thread accepts connections itself. Gthread accepts in the main thread and then hands the
connection through a queue, a selector, a pipe and the main thread again. The 40 ms are explained
in `estserver.local_server.connection` and `.reply`. Gunicorn still reads and parses HTTP.

Gthread has no limit on a stalled handshake or on a request that trickles in, and its accepting
thread waits for clients to close. Here every wait has a limit, and blocks only its own thread.
Gunicorn's access log, request hooks, ``max_requests`` and HTTP/2 are not supported.
"""

import errno
import os
import select
import socket
import struct
import threading
import time
from typing import Any

from gunicorn.workers.base import Worker  # type: ignore[import-untyped]

from estserver.local_server.connection import Connection

FIRST_BYTE_SECONDS = 5
"""The time in which a new client must send something. Until then it occupies no thread."""

ACCEPT_SECONDS = 0.5
"""How long a thread waits for a connection before it checks whether it must stop."""

OUT_OF_RESOURCES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class DeviceWorker(Worker):  # type: ignore[misc]
    """Threads that each accept a connection, serve it to its end, and accept the next."""

    alive: bool  # an attribute of gunicorn's class, which a signal handler sets to False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # A connection that is kept alive occupies its thread. Half of the threads stay free.
        self.keepable = threading.BoundedSemaphore(max(1, self.cfg.threads // 2))

    def run(self) -> None:
        """Serve until a signal stops the worker, then wait for requests that have begun."""
        # Step 1: start the threads, which accept and serve by themselves.
        threads = [
            threading.Thread(target=self._accept_forever, args=(listener,), daemon=True)
            for listener in map(_prepare, self.sockets)
            for _ in range(self.cfg.threads)
        ]
        for thread in threads:
            thread.start()
        # Step 2: report to gunicorn's arbiter every second, until a signal or the arbiter's end.
        wakeup = self.PIPE[0]  # signals write into it (set_wakeup_fd), so that stopping is prompt
        while self.alive:
            self.notify()
            if select.select([wakeup], [], [], 1.0)[0]:
                os.read(wakeup, 4096)
            if self.ppid != os.getppid():
                self.log.info("Parent changed, shutting down: %s", self)
                self.alive = False
        # Step 3: let the threads finish within the graceful timeout.
        give_up = time.monotonic() + self.cfg.graceful_timeout
        for thread in threads:
            while thread.is_alive() and time.monotonic() < give_up:
                self.notify()
                thread.join(1.0)

    def _accept_forever(self, listener: Any) -> None:
        server = listener.getsockname()
        while self.alive:
            try:
                accepted, client = listener.accept()
            except OSError as error:
                if error.errno in OUT_OF_RESOURCES:
                    self.log.warning("can't accept a connection: %s", error.strerror)
                    time.sleep(ACCEPT_SECONDS)
                # EAGAIN: no client came in time. ECONNABORTED: the client has gone already.
                continue
            try:
                Connection(self, accepted, client, server).serve()
            except Exception:
                # This is a bug. The client may lose its connection, but the thread goes on.
                self.log.exception("%s: can't serve the connection", client[0])
            finally:
                accepted.close()


def _prepare(listener: Any) -> Any:
    """Return the listener, set up so that the kernel waits for connections and first bytes."""
    listener.setblocking(True)
    seconds, fraction = divmod(ACCEPT_SECONDS, 1)
    # Python's own timeout would poll, and each new connection would wake every thread.
    timeout = struct.pack("ll", int(seconds), int(fraction * 1_000_000))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeout)
    if hasattr(socket, "TCP_DEFER_ACCEPT"):  # Linux
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, FIRST_BYTE_SECONDS)
    return listener
