"""Two servers side by side: devices at one door, people at the other; they stop together."""

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
"""For a server to finish its requests; longer than gunicorn's own ``graceful_timeout``."""
LOOK_SECONDS = 0.1


class PortUnavailable(Exception):
    """A door's address can't be listened on; nothing has been started."""


@dataclass(frozen=True)
class Door:
    """One gunicorn: what it serves, with which settings, and where."""

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
        """``host:port``, with brackets round an IPv6 address as gunicorn and URLs want them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def command(self) -> list[str]:
        """The command line that opens this door."""
        return [
            *(sys.executable, "-m", "gunicorn"),
            *("--config", f"python:{self.gunicorn_settings}"),
            *("--bind", self.address),
            *self.options,
            self.application,
        ]

    def environment(self) -> dict[str, str]:
        """This process's environment, so that the server finds our packages and its settings."""
        root = str(Path(__file__).parents[2])
        path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        own = {"PYTHONPATH": path, "DJANGO_SETTINGS_MODULE": self.django_settings}
        return {**os.environ, **own, **self.environ}

    def check_port(self) -> None:
        """Raise `PortUnavailable`, in one sentence, when this door couldn't open."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        try:
            with socket.socket(family) as probe:
                # As gunicorn does: connections of an earlier run may still be in TIME_WAIT.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((self.host, self.port))
        except (OSError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise PortUnavailable(
                f"The {self.name} can't listen on {self.address} ({reason}): "
                "stop what uses it, or choose another address or port."
            ) from error

    def is_listening(self) -> bool:
        """Whether a client could connect."""
        try:
            socket.create_connection((self.host, self.port), timeout=1).close()
        except OSError:
            return False
        return True


def supervise(doors: Sequence[Door], *, when_open: Callable[[], None] = lambda: None) -> int:
    """Open all doors and keep them open until told to stop, or until one closes by itself.

    SIGINT (Ctrl-C), SIGTERM and SIGHUP stop all of them: requests that have begun are finished.

    Args:
        doors: what to serve. Must be called from the main thread, for the signals.
        when_open: called once, when all doors take connections.

    Returns:
        The exit code: 0 when told to stop, 1 when a door closed by itself.

    Raises:
        PortUnavailable: before anything is started.
    """
    for door in doors:
        door.check_port()
    servers: dict[str, subprocess.Popen[bytes]] = {}
    with _stop_requests() as stop_requested:
        try:
            for door in doors:
                # A process group of its own: a Ctrl-C in the terminal reaches only us, and the
                # servers are asked to stop in the one way that finishes requests.
                servers[door.name] = subprocess.Popen(  # noqa: S603 - our own command line
                    door.command(), env=door.environment(), process_group=0
                )
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
            _stop(list(servers.values()))


@contextmanager
def _stop_requests() -> Iterator[Callable[[], bool]]:
    """While open, signals to stop don't interrupt: they are remembered, for the loop to ask."""
    received: list[int] = []

    def remember(number: int, frame: FrameType | None) -> None:
        received.append(number)

    before = {number: signal.signal(number, remember) for number in STOP_SIGNALS}
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(servers: Sequence[subprocess.Popen[bytes]]) -> None:
    for server in servers:
        server.terminate()  # does nothing when it has ended
    give_up = time.monotonic() + STOP_SECONDS
    for server in servers:
        try:
            server.wait(max(0.0, give_up - time.monotonic()))
        except subprocess.TimeoutExpired:
            logger.warning("process %d doesn't stop; killing it", server.pid)
            server.kill()
            server.wait()
