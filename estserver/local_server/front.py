"""All connections of a process: who may be here, for how long, and what is said about strangers.

Bounds end the connection that has waited longest, never the newest: a device that shakes hands at
once gets through among any number that do not.
"""

import asyncio
import logging
import secrets
import ssl
import time
from collections.abc import Collection
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any, Protocol

from gunicorn import sock as gunicorn_sock  # type: ignore[import-untyped]

from estserver.local_server.compute import Compute, Full
from estserver.local_server.connection import Connection, Stage
from pki.encoding.addresses import sender_of

logger = logging.getLogger("estserver.local_server")

MOST_CONNECTIONS = 4096
"""Connections of a process at a time."""
MOST_HANDSHAKES = 128
"""Connections of one address whose handshake has not ended. Behind an address may be a factory, so
finished ones are not counted. Of IPv6, a /64 is one address, for it is what one customer gets."""
LOOK_SECONDS = 0.5
"""How often connections are looked at for a wait that was too long."""
CONTEXT_SECONDS = 5.0
"""How long a TLS context is used before a look at the CAs and the server's certificate."""
PATIENCE_SECONDS = 1.0
"""How long a handshake waits for that look, before it goes on with the context from before."""
REPORT_SECONDS = 1.0
"""How long after a line in the log about an address there is no other one."""
MOST_REPORTED = 4096
MOST_UNSENT = 64 * 1024 * 1024
"""Bytes of answers, of all connections together, that clients have not taken yet."""
LEAST_RETRY, MORE_RETRY = 5, 26
"""Seconds after which a device may come again when the server is full: 5 to 30."""

Network = IPv4Network | IPv6Network


class Serving(Protocol):
    """What the front needs of the gunicorn worker."""

    cfg: Any
    log: Any
    wsgi: Any


class Front:
    """The connections of a process."""

    def __init__(
        self, worker: Serving, loop: asyncio.AbstractEventLoop, *, compute: Compute
    ) -> None:
        self.worker, self.loop, self.compute = worker, loop, compute
        self.cfg = worker.cfg
        self.keeps_connections = True
        """False once the process drains: each connection ends after its next answer."""
        self.is_open = True
        """False once the process takes no further request."""
        self.balancers: Collection[Network] = ()
        self.most = MOST_CONNECTIONS
        self.now = loop.time
        self._connections: dict[Connection, None] = {}
        self._strangers: dict[Connection, None] = {}  # no certificate, and no answer due
        self._handshakes: dict[str, dict[Connection, None]] = {}
        self._unsent: dict[Connection, int] = {}
        self._reported: dict[str, float] = {}
        self._context: ssl.SSLContext | None = None
        self._context_until = self._look_began = 0.0
        self._is_looking = False
        self._for_context: list[Connection] = []

    def __len__(self) -> int:
        return len(self._connections)

    # Who may be here

    def admit(self, connection: Connection) -> None:
        """Take a new connection. At a bound, another one that has waited longest is ended."""
        if len(self._connections) >= self.most:
            oldest = next(iter(self._strangers), None)
            if oldest is None:
                self.report(connection, "the server has as many connections as it takes")
                connection.transport.abort()
                return
            oldest.transport.abort()
            self.forget(oldest)
        self._connections[connection] = None
        self._strangers[connection] = None
        if not self.may_pass_on(connection):
            self._count(connection)

    def admit_again(self, connection: Connection) -> None:
        """Count a connection for the address that a balancer told."""
        self._count(connection)

    def may_pass_on(self, connection: Connection) -> bool:
        """Return whether a connection comes from a trusted balancer."""
        if not self.balancers or connection.is_passed_on:
            return False
        try:
            address = ip_address(connection.peer[0])
        except ValueError:  # a Unix socket has no address
            return False
        return any(address in network for network in self.balancers)

    def shaken(self, connection: Connection) -> None:
        """Take note that a handshake has ended."""
        self._uncount(connection)
        if connection.is_known:
            self._strangers.pop(connection, None)

    def busy(self, connection: Connection) -> None:
        """Take note that an answer is due, so that the connection is not ended for a newer one."""
        self._strangers.pop(connection, None)

    def waiting(self, connection: Connection) -> None:
        """Take note that a connection waits for its next request."""
        if not connection.is_known and connection in self._connections:
            self._strangers[connection] = None

    def sending(self, connection: Connection, size: int) -> None:
        """Take note that so many bytes of an answer are held until the client takes them."""
        self._unsent[connection] = size
        while len(self._unsent) > 1 and sum(self._unsent.values()) > MOST_UNSENT:
            oldest = next(iter(self._unsent))
            self.report(oldest, "the client does not take its answer")
            oldest.transport.abort()
            self.forget(oldest)

    def sent(self, connection: Connection) -> None:
        """Take note that the client has taken its answer."""
        self._unsent.pop(connection, None)

    def forget(self, connection: Connection) -> None:
        """Take note that a connection is over."""
        self._unsent.pop(connection, None)
        self._connections.pop(connection, None)
        self._strangers.pop(connection, None)
        self._uncount(connection)

    def _count(self, connection: Connection) -> None:
        same = self._handshakes.setdefault(sender_of(connection.peer[0]), {})
        if len(same) >= MOST_HANDSHAKES:
            oldest = next(iter(same))
            self.report(oldest, "the address has too many handshakes that do not end")
            oldest.transport.abort()
            self.forget(oldest)
            same = self._handshakes.setdefault(sender_of(connection.peer[0]), {})
        same[connection] = None

    def _uncount(self, connection: Connection) -> None:
        key = sender_of(connection.peer[0])
        same = self._handshakes.get(key, {})
        same.pop(connection, None)
        if not same:
            self._handshakes.pop(key, None)

    # How long

    async def watch(self) -> None:
        """Look after waits that are too long, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            now = self.now()
            for connection in [each for each in self._connections if each.deadline < now]:
                connection.expire(now)
            if self._for_context and now - self._look_began > PATIENCE_SECONDS:
                self._go_on()

    def drain(self) -> None:
        """Answer everybody, but each connection for the last time."""
        self.keeps_connections = False

    def close(self) -> None:
        """Answer what has begun, and nothing else."""
        self.keeps_connections = self.is_open = False
        for connection in [*self._connections]:
            connection.stop()

    def retry_after(self) -> dict[str, str]:
        """Return when a device may come again, at different times for each."""
        return {"Retry-After": str(LEAST_RETRY + secrets.randbelow(MORE_RETRY))}

    # TLS

    def context(self, connection: Connection) -> ssl.SSLContext | None:
        """Return the context for a new connection; ``None`` if it has to wait for one.

        A look at the CAs may take a while, so a thread does it. `Connection.go_on` is called then.
        """
        if self._context is not None and self.now() < self._context_until:
            return self._context
        if self._context is not None and self._is_looking and self._is_overdue():
            return self._context
        self._for_context.append(connection)
        if not self._is_looking:
            self._is_looking, self._look_began = True, self.now()
            try:
                self.compute.submit(self._look)
            except Full:
                self._is_looking = False
                self.loop.call_soon(self._go_on)
        return None

    def _is_overdue(self) -> bool:
        return self.now() - self._look_began > PATIENCE_SECONDS

    def _look(self) -> None:
        context = None
        try:
            context = gunicorn_sock.ssl_context(self.cfg)
        except Exception:  # of any kind: the next connection tries again
            self.worker.log.exception("no TLS context can be made")
        self.loop.call_soon_threadsafe(self._looked, context)

    def _looked(self, context: ssl.SSLContext | None) -> None:
        self._is_looking = False
        if context is not None:
            self._context, self._context_until = context, self.now() + CONTEXT_SECONDS
        self._go_on()

    def _go_on(self) -> None:
        waiting, self._for_context = self._for_context, []
        for connection in waiting:
            if connection.stage is Stage.HANDSHAKE and not connection.transport.is_closing():
                connection.begin_tls(self._context)

    # What is said

    def report(self, connection: Connection, why: str) -> None:
        """Write a line about a stranger, at most one a second for each address."""
        if self._may_report(connection):
            fields = {"source_ip": connection.peer[0], "why": why}
            logger.info("connection refused", extra={"fields": fields})

    def report_certificate(self, connection: Connection, why: str) -> None:
        """Write the line that operators look for when a device cannot connect."""
        if self._may_report(connection):
            self.worker.log.warning("%s: client certificate refused: %s", connection.peer[0], why)

    def _may_report(self, connection: Connection) -> bool:
        now, key = time.monotonic(), sender_of(connection.peer[0])
        if now - self._reported.get(key, -REPORT_SECONDS) < REPORT_SECONDS:
            return False
        if len(self._reported) >= MOST_REPORTED:
            self._reported = {
                each: then for each, then in self._reported.items() if now - then < REPORT_SECONDS
            }
        if len(self._reported) < MOST_REPORTED:
            self._reported[key] = now
        return key in self._reported
