"""One client connection, from handshake to close_notify, with a time limit on every wait."""

import socket
import ssl
import time
from contextlib import suppress
from http import HTTPStatus
from threading import BoundedSemaphore
from typing import Any, Protocol

from gunicorn import sock as gunicorn_sock  # type: ignore[import-untyped]
from gunicorn import util
from gunicorn.http import errors, wsgi  # type: ignore[import-untyped]
from gunicorn.http.parser import RequestParser  # type: ignore[import-untyped]

from estserver.est.transport import remember_chain
from estserver.local_server.reply import ClientGone, Reply, refusal, status_of

HANDSHAKE_SECONDS = 5.0
"""The time for a whole TLS handshake."""

REQUEST_SECONDS = 10.0
"""The time for reading one whole request, head and body."""

LINGER_SECONDS = 2.0
"""The time in which a client may finish sending what the server discards, and read the reply."""

LINGER_BYTES = 64 * 1024
"""How much of what the client still sends is read and discarded."""

REPLY_SECONDS = 30.0
"""The time in which a client must take one part of a reply."""

CLIENT_FAULTS = (
    ClientGone,
    errors.NoMoreData,
    errors.InvalidChunkSize,
    errors.InvalidChunkExtension,
    errors.ChunkMissingTerminator,
)
"""The errors that a client can cause while the application reads the body."""


class ClientTooSlow(ClientGone):
    """The client took longer than it may to send something."""


class TimedSocket:
    """A socket for gunicorn's parser, whose reads share one deadline.

    With a timeout for each read, a client could send a byte at a time without end.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._deadline = 0.0
        self.end_is_an_error = False
        """Whether a request is half read. Gunicorn would take what has come for all of it."""

    def allow(self, seconds: float) -> None:
        """Set the deadline of all following reads to ``seconds`` from now."""
        self._deadline = time.monotonic() + seconds

    def recv(self, size: int) -> bytes:
        """Read at most ``size`` bytes, or none at the end of the connection.

        Raises:
            ClientTooSlow: the deadline has passed.
            ClientGone: the connection is broken, or ended in the middle of a request.
        """
        remaining = self._deadline - time.monotonic()
        try:
            # A timeout of 0 makes the socket non-blocking, which raises BlockingIOError instead.
            self._connection.settimeout(max(remaining, 0.001))
            data = self._connection.recv(size)
        except TimeoutError as error:
            raise ClientTooSlow("The client took too long.") from error
        except OSError as error:
            raise ClientGone(str(error)) from error
        if not data and self.end_is_an_error:
            raise ClientGone("The client closed the connection in the middle of its request.")
        return data


class AcceptingWorker(Protocol):
    """What a connection needs of the gunicorn worker whose thread accepted it."""

    alive: bool
    """False once the worker is to stop."""
    keepable: BoundedSemaphore
    """One permit for each connection that may be kept alive at the same time."""
    cfg: Any
    log: Any
    wsgi: Any
    """The WSGI application."""


class Connection:
    """A client's connection, which one thread serves to its end."""

    def __init__(
        self, worker: AcceptingWorker, accepted: socket.socket, client: Any, server: Any
    ) -> None:
        self.worker = worker
        self.log = worker.log
        self.accepted = accepted
        self.client = client
        self.server = server
        self.source = TimedSocket(accepted)

    def serve(self) -> None:
        """Complete the TLS handshake, then answer requests until either side closes."""
        try:
            connection = self._shake_hands() if self.worker.cfg.is_ssl else self.accepted
        except OSError as error:
            self.log.debug("%s: TLS handshake failed: %s", self.client[0], error)
            return
        self.source = TimedSocket(connection)
        parser = RequestParser(self.worker.cfg, self.source, self.client)
        try:
            self.source.allow(REQUEST_SECONDS)
            while self._serve_request(parser, connection):
                self.source.allow(REQUEST_SECONDS)
            self.source.allow(LINGER_SECONDS)
            is_read = parser.finish_body(max_bytes=LINGER_BYTES)
            _say_goodbye(connection)
            if not is_read:
                # The kernel would answer bytes that are still unread with a reset, and the client
                # might lose the reply.
                util.close_graceful(connection, timeout=LINGER_SECONDS, max_drain=LINGER_BYTES)
        except (OSError, errors.ParseException) as error:
            self.log.debug("%s: connection lost: %s", self.client[0], error)
        finally:
            connection.close()

    def _shake_hands(self) -> ssl.SSLSocket:
        context: ssl.SSLContext = gunicorn_sock.ssl_context(self.worker.cfg)
        self.accepted.settimeout(HANDSHAKE_SECONDS)
        connection = context.wrap_socket(
            self.accepted, server_side=True, do_handshake_on_connect=False
        )
        try:
            connection.do_handshake()
        except OSError as error:
            if isinstance(error, ssl.SSLCertVerificationError):
                # Operators look for this line when a device cannot connect.
                self.log.warning(
                    "%s: client certificate refused: %s", self.client[0], error.verify_message
                )
            # The client may still be sending. If the socket were closed now, the kernel would
            # answer with a reset, and the client might lose the TLS alert that names the fault.
            util.close_graceful(connection, timeout=LINGER_SECONDS, max_drain=LINGER_BYTES)
            raise
        remember_chain(connection)
        _acknowledge_now(connection)
        return connection

    def _serve_request(self, parser: Any, connection: socket.socket) -> bool:
        """Answer one request. Return whether another has begun to arrive on the connection."""
        # Step 1: read the request's head. What cannot be parsed is answered here.
        try:
            request = next(parser)
        except StopIteration:
            return False
        except errors.ParseException as error:
            self.log.info("%s: not a request: %s", self.client[0], type(error).__name__)
            connection.sendall(refusal(status_of(error)))
            return False
        except ClientTooSlow:
            connection.sendall(refusal(HTTPStatus.REQUEST_TIMEOUT))
            return False
        # Step 2: keep the connection alive if the client allows it and a permit is free.
        may_keep = self.worker.alive and not request.should_close()
        keep = may_keep and self.worker.keepable.acquire(blocking=False)
        # Step 3: answer, and wait for the next request while the permit is held.
        try:
            is_open = self._answer(request, connection, keep=keep)
            return is_open and self._another_follows(parser)
        finally:
            if keep:
                self.worker.keepable.release()

    def _answer(self, request: Any, connection: socket.socket, *, keep: bool) -> bool:
        """Run the application and send its reply. Return whether the connection stays open."""
        reply, environ = wsgi.create(
            request, connection, self.client, self.server, self.worker.cfg, response_class=Reply
        )
        environ["wsgi.multithread"] = True
        if not keep:
            reply.force_close()
        connection.settimeout(REPLY_SECONDS)
        self.source.end_is_an_error = True
        body: Any = None
        try:
            body = self.worker.wsgi(environ, reply.start_response)
            for part in body:
                reply.write(part)
            reply.close()
        except CLIENT_FAULTS:
            raise
        except Exception:
            self.log.exception("error handling request %s %s", request.method, request.uri)
            if not reply.on_the_wire:
                connection.sendall(refusal(HTTPStatus.INTERNAL_SERVER_ERROR))
            return False
        finally:
            if hasattr(body, "close"):
                body.close()
        return not reply.should_close()

    def _another_follows(self, parser: Any) -> bool:
        """Wait for the next request's first bytes. Return whether they came in time."""
        self.source.allow(LINGER_SECONDS)
        if not parser.finish_body(max_bytes=LINGER_BYTES):
            return False
        self.source.end_is_an_error = False
        buffered: bytes = parser.unreader.take_buffered()
        if not buffered:
            self.source.allow(self.worker.cfg.keepalive)
            try:
                buffered = self.source.recv(LINGER_BYTES)
            except ClientTooSlow:
                return False
        parser.unreader.unread(buffered)
        return bool(buffered)


def _acknowledge_now(connection: ssl.SSLSocket) -> None:
    """Have the kernel acknowledge the client's last handshake message at once.

    In TLS 1.3 the server has no reply to that message, because it sends no session tickets. The
    kernel would then delay the acknowledgement by 40 ms. A client that leaves Nagle's algorithm
    on, as small devices do, would hold its request back until the acknowledgement comes.
    """
    if hasattr(socket, "TCP_QUICKACK"):  # Linux
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


def _say_goodbye(connection: socket.socket) -> None:
    """Send TLS's close_notify without waiting for the client's (RFC 8446 6.1).

    TLS 1.2 is left out. OpenSSL would keep a session that was closed properly for two hours, for
    a client that resumes it, and Python has no way to prevent that. Every reply has a length, so
    no client takes a broken connection for the end of a reply.
    """
    if isinstance(connection, ssl.SSLSocket) and connection.version() == "TLSv1.3":
        connection.setblocking(False)
        with suppress(ssl.SSLWantReadError):
            connection.unwrap()
