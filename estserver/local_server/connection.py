"""One connection, from handshake to goodbye. Every wait for the client has an end."""

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

from estserver.local_server.reply import ClientGone, Reply, refusal, status_of

HANDSHAKE_SECONDS = 5.0
"""For one whole TLS handshake."""

REQUEST_SECONDS = 10.0
"""For reading one whole request, head and body."""

LINGER_SECONDS = 2.0
"""For a client to stop sending what nobody will read, so that it sees our reply."""

LINGER_BYTES = 64 * 1024
"""How much of what nobody will read is taken off the client."""

REPLY_SECONDS = 30.0
"""For a client to take one part of a reply."""


CLIENTS_DOING = (
    ClientGone,
    errors.NoMoreData,
    errors.InvalidChunkSize,
    errors.InvalidChunkExtension,
    errors.ChunkMissingTerminator,
)
"""What the application may run into while it reads the body, through no fault of its own."""


class ClientTooSlow(ClientGone):
    """The client used up the time it had to send something."""


class TimedSocket:
    """What gunicorn's parser reads from: a socket whose reads share one deadline.

    With a timeout for each read, a client could send a byte at a time for ever.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._deadline = 0.0
        self.end_is_an_error = False
        """Whether a request is half read; gunicorn would take what there is for all of it."""

    def allow(self, seconds: float) -> None:
        """Let the reads from now on take ``seconds`` in all."""
        self._deadline = time.monotonic() + seconds

    def recv(self, size: int) -> bytes:
        """Read at most ``size`` bytes; none at the end.

        Raises:
            ClientTooSlow: once the time is used up.
            ClientGone: when the connection is broken, or ends where it may not.
        """
        remaining = self._deadline - time.monotonic()
        try:
            # A timeout of 0 would mean "don't wait at all", which raises something else.
            self._connection.settimeout(max(remaining, 0.001))
            data = self._connection.recv(size)
        except TimeoutError as error:
            raise ClientTooSlow("the client took too long") from error
        except OSError as error:
            raise ClientGone(str(error)) from error
        if not data and self.end_is_an_error:
            raise ClientGone("the client hung up in the middle of its request")
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
    """A client's connection, served by one thread."""

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
        """Shake hands, then answer requests until either side wants no more."""
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
            parser.finish_body(max_bytes=LINGER_BYTES)
            _say_goodbye(connection)
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
                # The failure that operators ask about: why can't my device connect?
                self.log.warning(
                    "%s: client certificate refused: %s", self.client[0], error.verify_message
                )
            # The client may still be sending. Were the socket closed now, the kernel would answer
            # with a reset, and the alert that says what was wrong would be lost on the way.
            util.close_graceful(connection, timeout=LINGER_SECONDS, max_drain=LINGER_BYTES)
            raise
        _acknowledge_now(connection)
        return connection

    def _serve_request(self, parser: Any, connection: socket.socket) -> bool:
        """Answer one request; whether another has begun to arrive on the same connection."""
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
        wanted = self.worker.alive and not request.should_close()
        keep = wanted and self.worker.keepable.acquire(blocking=False)
        try:
            kept = self._answer(request, connection, keep=keep)
            return kept and self._another_follows(parser)
        finally:
            if keep:
                self.worker.keepable.release()

    def _answer(self, request: Any, connection: socket.socket, *, keep: bool) -> bool:
        """Run the application and send its reply; whether that left the connection open."""
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
        except CLIENTS_DOING:
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
        """Wait a little for the next request's first bytes."""
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
    """Tell the client at once that its last handshake message has arrived.

    In TLS 1.3 that message is answered by nothing (we send no tickets), so the kernel would put
    the acknowledgement off for 40 ms, and a client that leaves Nagle's algorithm on, as small
    devices do, would hold its request back for it.
    """
    if hasattr(socket, "TCP_QUICKACK"):  # Linux
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


def _say_goodbye(connection: socket.socket) -> None:
    """Send TLS's close_notify, without waiting for the client's (RFC 8446 6.1).

    Not in TLS 1.2: OpenSSL would keep a session that ended in good order for two hours, in case
    the client comes back, and Python can't tell it not to. Replies say how long they are, so no
    client takes a connection that breaks off for the end of one.
    """
    if isinstance(connection, ssl.SSLSocket) and connection.version() == "TLSv1.3":
        connection.setblocking(False)
        with suppress(ssl.SSLWantReadError):
            connection.unwrap()
