"""gunicorn's worker for devices: threads that each accept a connection and serve it to its end.

Devices open a connection for each request, so what a *connection* costs is what matters. Measured
with ``bench/load.py`` against an application that answers 1 KiB over a fresh mutual handshake (8
clients, two processes on the two cores that the clients share, TLS 1.3, P-256, cached context):

=========================  ==================  ============================================
server                     CPU per request,    if clients leave Nagle's algorithm on
                           by the client's
=========================  ==================  ============================================
gunicorn's gthread         1.26                175/s, median latency 44 ms
gunicorn's sync            1.05                145/s, 54 ms; and a slow client blocks others
this worker                1.07 to 1.13        400 to 1,050/s, 7 to 19 ms
=========================  ==================  ============================================

The first column holds ratios within one run, for the machine was shared; in milliseconds it was
between 1.0 and 1.7 for this worker.

Threads accept by themselves: gthread accepts in the main thread, and then crosses a queue, a
selector made for the purpose, a pipe and the main thread again. The 40 ms are explained in
`estserver.local_server.connection` and `.reply`. Reading and parsing HTTP stays gunicorn's.

gthread lets a client stall in the handshake or trickle a request for ever, and waits for clients
to hang up in the thread that accepts; here every wait has an end, and its own thread.
Not offered: gunicorn's access log, request hooks, ``max_requests`` and HTTP/2.
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
"""For a client to say something once it has connected; until then it holds no thread."""

ACCEPT_SECONDS = 0.5
"""How often a thread that waits for connections looks whether it should stop."""

OUT_OF_RESOURCES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class DeviceWorker(Worker):  # type: ignore[misc]
    """Threads that each accept a connection, serve it to its end, and accept the next."""

    alive: bool  # gunicorn's; set to False from a signal handler

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # A connection that is kept alive holds its thread. Half of them stay free for new ones.
        self.keepable = threading.BoundedSemaphore(max(1, self.cfg.threads // 2))

    def run(self) -> None:
        """Serve until told to stop; then let every thread finish what it has begun."""
        threads = [
            threading.Thread(target=self._accept_forever, args=(listener,), daemon=True)
            for listener in map(_prepare, self.sockets)
            for _ in range(self.cfg.threads)
        ]
        for thread in threads:
            thread.start()
        wakeup = self.PIPE[0]  # signals write into it (set_wakeup_fd), so stopping is prompt
        while self.alive:
            self.notify()
            if select.select([wakeup], [], [], 1.0)[0]:
                os.read(wakeup, 4096)
            if self.ppid != os.getppid():
                self.log.info("Parent changed, shutting down: %s", self)
                self.alive = False
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
                # Anything else: nobody came (EAGAIN), or whoever came has left (ECONNABORTED).
                continue
            try:
                Connection(self, accepted, client, server).serve()
            except Exception:
                # A bug; it may cost this client its connection, but never us the thread.
                self.log.exception("%s: can't serve the connection", client[0])
            finally:
                accepted.close()


def _prepare(listener: Any) -> Any:
    """Have the kernel wait: for connections up to a time, and for a client's first bytes."""
    listener.setblocking(True)
    seconds, fraction = divmod(ACCEPT_SECONDS, 1)
    # Not Python's own timeout: that polls, and a new connection would wake every thread.
    timeout = struct.pack("ll", int(seconds), int(fraction * 1_000_000))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeout)
    if hasattr(socket, "TCP_DEFER_ACCEPT"):  # Linux
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, FIRST_BYTE_SECONDS)
    return listener
