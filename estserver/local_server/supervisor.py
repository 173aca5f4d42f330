"""Two gunicorn servers side by side, for devices and for people, which stop together."""

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

logger = logging.getLogger(__name__)

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STOP_SECONDS = 20.0
"""The time for a server to finish its requests, longer than gunicorn's ``graceful_timeout``. What
it drains comes on top."""
LOOK_SECONDS = 0.1


class PortUnavailable(Exception):
    """The address of a door is not free. No server has been started."""


@dataclass(frozen=True)
class Door:
    """One gunicorn server: its application, its settings and its address."""

    name: str
    application: str  # module:callable
    django_settings: str
    gunicorn_settings: str  # module
    host: str
    port: int
    options: tuple[str, ...] = ()  # more of gunicorn's command line
    environ: Mapping[str, str] = field(default_factory=dict)  # beside this process's own

    @property
    def address(self) -> str:
        """``host:port``, with brackets round an IPv6 address, as gunicorn and URLs need it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def command(self) -> list[str]:
        """Return the command line that starts the server."""
        return [
            *(sys.executable, "-m", "gunicorn"),
            *("--config", f"python:{self.gunicorn_settings}"),
            *("--bind", self.address),
            *self.options,
            self.application,
        ]

    def environment(self) -> dict[str, str]:
        """Return this process's environment, with what the server needs to find its settings."""
        root = str(Path(__file__).parents[2])
        path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        own = {"PYTHONPATH": path, "DJANGO_SETTINGS_MODULE": self.django_settings}
        return {**os.environ, **own, **self.environ}

    def check_port(self) -> None:
        """Raise `PortUnavailable` if the server could not listen on its address."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        try:
            with socket.socket(family) as probe:
                # Gunicorn does the same. Connections of an earlier run may be in TIME_WAIT.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((self.host, self.port))
        except (OSError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise PortUnavailable(
                f"The {self.name} cannot listen on {self.address} ({reason}). "
                "Stop what uses it, or choose another address or port."
            ) from error

    def is_listening(self) -> bool:
        """Return whether a client can connect."""
        try:
            socket.create_connection((self.host, self.port), timeout=1).close()
        except OSError:
            return False
        return True


def supervise(
    doors: Sequence[Door],
    *,
    when_open: Callable[[], None] = lambda: None,
    drain_seconds: float = 0.0,
) -> int:
    """Start all servers and wait until a signal comes or one of them ends.

    SIGINT (Ctrl-C), SIGTERM and SIGHUP stop all of them, after requests that have begun. Call this
    in the main thread, which alone receives signals.

    Args:
        doors: the servers to start.
        when_open: called once, when all servers accept connections.
        drain_seconds: how long a server goes on after a signal, before it finishes its requests.

    Returns:
        The exit code: 0 after a signal, 1 if a server ended by itself.

    Raises:
        PortUnavailable: an address is not free. Nothing has been started then.
    """
    # Step 1: refuse to start half of the servers.
    for door in doors:
        door.check_port()
    servers: dict[str, subprocess.Popen[bytes]] = {}
    with _stop_requests() as stop_requested:
        try:
            # Step 2: start them. Each has a process group of its own, so that Ctrl-C in the
            # terminal reaches this process alone, which stops them with SIGTERM. After SIGINT
            # gunicorn would not finish the requests that have begun.
            for door in doors:
                servers[door.name] = subprocess.Popen(  # noqa: S603 - our own command line
                    door.command(), env=door.environment(), process_group=0
                )
            # Step 3: watch them until a signal comes or one of them ends.
            waiting = list(doors)
            while not stop_requested():
                closed = {n: code for n, s in servers.items() if (code := s.poll()) is not None}
                for name, code in closed.items():
                    logger.error("the %s closed by itself (exit code %d)", name, code)
                if closed:
                    return 1
                if waiting:
                    waiting = [door for door in waiting if not door.is_listening()]
                    if not waiting:
                        when_open()
                time.sleep(LOOK_SECONDS)
            return 0
        finally:
            _stop(list(servers.values()), STOP_SECONDS + drain_seconds)


@contextmanager
def _stop_requests() -> Iterator[Callable[[], bool]]:
    """Record signals to stop while this is open. Yield a function that says whether one came."""
    received: list[int] = []

    def remember(number: int, frame: FrameType | None) -> None:
        received.append(number)

    before = {number: signal.signal(number, remember) for number in STOP_SIGNALS}
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(servers: Sequence[subprocess.Popen[bytes]], seconds: float) -> None:
    for server in servers:
        server.terminate()  # does nothing when it has ended
    give_up = time.monotonic() + seconds
    for server in servers:
        try:
            server.wait(max(0.0, give_up - time.monotonic()))
        except subprocess.TimeoutExpired:
            logger.warning("process %d doesn't stop; killing it", server.pid)
            server.kill()
            server.wait()
