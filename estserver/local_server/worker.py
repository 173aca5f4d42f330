"""A gunicorn worker for devices: one loop that waits for all, and threads that compute.

Devices open a connection for each request, so the cost of a *connection* decides, and most of its
time is waiting: for the handshake, for the request, for the client to take the answer. One thread
with a loop does all the waiting, and TLS. Once a whole request is here, a thread computes the
answer. docs/proofs.md has what this costs.

Gunicorn still manages the processes and parses HTTP. Its access log, request hooks,
``max_requests`` and HTTP/2 are not supported.
"""

import asyncio
import os
import resource
from collections.abc import Callable, Sequence
from contextlib import suppress
from ipaddress import ip_network
from typing import Any

from django.conf import settings
from gunicorn.workers.base import Worker  # type: ignore[import-untyped]

from estserver.local_server.compute import Compute
from estserver.local_server.connection import Connection
from estserver.local_server.draining import (
    accepted_already,
    answer_seconds,
    drain_seconds,
    saying_so,
)
from estserver.local_server.front import MOST_CONNECTIONS, Front
from estserver.local_server.processes import engine_in

MOST_WAITING = 1024
"""Requests that wait for a thread. Beyond, a device gets 503 and comes again."""
FILES_FOR_OTHERS = 128
"""File descriptors of a process for other things than connections."""
NOTIFY_SECONDS = 1.0
STOP_LOOK_SECONDS = 0.05


class DeviceWorker(Worker):  # type: ignore[misc]
    """Serves devices until a signal stops it, and then what has begun."""

    alive: bool  # an attribute of gunicorn's class, which a signal handler sets to False
    wsgi: Any  # another one: the application

    def run(self) -> None:
        """Serve until a signal stops the worker, then wait for requests that have begun."""
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        compute = Compute(turns=_turns(self.cfg), threads=self.cfg.threads, waiting=MOST_WAITING)
        front = Front(self, loop, compute=compute)
        front.balancers = [
            ip_network(each) for each in getattr(settings, "EST_TRUSTED_BALANCERS", ())
        ]
        front.most = min(front.most, _files_for_connections())
        # Step 1: accept, until a signal or the arbiter's end. Signals write into the pipe.
        servers = [
            await loop.create_server(
                lambda: Connection(front), sock=listener.sock, backlog=self.cfg.backlog
            )
            for listener in self.sockets
        ]
        watch = loop.create_task(front.watch())
        stopping = asyncio.Event()
        loop.add_reader(self.PIPE[0], self._woken, stopping)
        is_orphan = False
        while self.alive:
            self.notify()
            if is_orphan := self.ppid != os.getppid():
                self.log.info("Parent changed, shutting down: %s", self)
                self.alive = False
                break
            try:
                await asyncio.wait_for(stopping.wait(), NOTIFY_SECONDS)
            except TimeoutError:
                continue
            stopping.clear()
        # Step 2: go on, and say that it is not for long, so that a balancer looks elsewhere.
        limit = self.cfg.graceful_timeout
        wanted = 0 if is_orphan else getattr(settings, "EST_DRAIN_SECONDS", 0)
        drained = drain_seconds(wanted, graceful_timeout=limit)
        self.wsgi = saying_so(self.wsgi)
        front.drain()
        await self._pass_time(loop, drained, lambda: False)
        # Step 3: answer what has begun, within the graceful timeout.
        await self._stop_accepting(loop, servers, front)
        front.close()
        left = answer_seconds(drained, graceful_timeout=limit)
        await self._pass_time(loop, left, lambda: not len(front))
        watch.cancel()
        compute.close()

    async def _pass_time(
        self, loop: asyncio.AbstractEventLoop, seconds: float, is_over: Callable[[], bool]
    ) -> None:
        """Let the loop go on for so long, or until it is over, and tell gunicorn that it lives."""
        give_up = loop.time() + seconds
        while loop.time() < give_up and not is_over():
            self.notify()
            await asyncio.sleep(STOP_LOOK_SECONDS)

    async def _stop_accepting(
        self, loop: asyncio.AbstractEventLoop, servers: Sequence[asyncio.Server], front: Front
    ) -> None:
        """Close the listeners. Clients that are connected already are taken first."""
        for listener in self.sockets:
            loop.remove_reader(listener.sock)
            for accepted in accepted_already(listener.sock):
                await loop.connect_accepted_socket(lambda: Connection(front), accepted)
        for server in servers:
            server.close()

    def _woken(self, stopping: asyncio.Event) -> None:
        os.read(self.PIPE[0], 4096)
        stopping.set()


def _turns(cfg: Any) -> int:
    """Return how many threads compute at a time.

    On SQLite, which has one writer, it is one. Elsewhere a thread mostly waits for the database.
    """
    engine = engine_in(getattr(settings, "DATABASES", {}))
    return 1 if engine.endswith("sqlite3") else int(cfg.threads)


def _files_for_connections() -> int:
    """Return how many connections the limit of open files allows, raised as far as it may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + FILES_FOR_OTHERS
    if _allows(soft, wanted):
        return MOST_CONNECTIONS
    most = wanted if _allows(hard, wanted) else hard
    with suppress(ValueError, OSError):  # a container may forbid it
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft = most
    return max(1, min(MOST_CONNECTIONS, soft - FILES_FOR_OTHERS))


def _allows(limit: int, files: int) -> bool:
    return limit == resource.RLIM_INFINITY or limit >= files
