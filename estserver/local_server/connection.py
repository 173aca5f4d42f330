"""One client connection, from its first byte to its last, without a thread of its own.

The loop calls this as bytes come. A thread computes only once a whole request is here, so that a
client who is slow, silent or a stranger costs memory alone (threat T50).
"""

import asyncio
import socket
import ssl
from collections.abc import Mapping
from enum import Enum, auto
from functools import partial
from http import HTTPStatus
from typing import Any

from gunicorn.http import errors  # type: ignore[import-untyped]

from estserver.local_server.answer import Answer, answer
from estserver.local_server.compute import Full
from estserver.local_server.incoming import Incoming, TooLarge
from estserver.local_server.proxy_protocol import NotAProxyHeader, begins_like_one, read_header
from estserver.local_server.reply import refusal, status_of
from estserver.local_server.tls_stream import TLSStream

HANDSHAKE_SECONDS = 10.0
"""The time for a whole TLS handshake. Ten thousand devices at once make a small machine slow, and a
handshake that is ended costs it another one. What bounds strangers is their number (`front`)."""
REQUEST_SECONDS = 10.0
"""The time for reading one whole request, head and body."""
LINGER_SECONDS = 2.0
"""The time in which a client may finish sending what the server discards, and read the reply."""
LINGER_BYTES = 64 * 1024
"""How much of what the client still sends is read and discarded."""
REPLY_SECONDS = 30.0
"""The time in which a client must take a part of a reply, or what is left of it."""
FIRST_BYTES = 64 * 1024
"""How much is held before TLS begins."""
REPLY_PART = 16 * 1024


class Stage(Enum):
    """What a connection waits for."""

    HANDSHAKE = auto()
    REQUEST = auto()
    ANSWER = auto()
    SENDING = auto()
    """The client has not taken all of an answer."""
    LINGER = auto()
    """The answer is sent and the connection is over; what still comes is discarded."""


class Connection(asyncio.Protocol):
    """A client's connection: TLS, then requests, then what is left to say."""

    transport: asyncio.Transport
    peer: tuple[str, int]
    """The address of the client, which a trusted balancer may have told."""

    def __init__(self, front: Any) -> None:
        """Take the `estserver.local_server.front.Front`, which imports this module."""
        self.front = front
        self.stage = Stage.HANDSHAKE
        self.deadline = front.now() + HANDSHAKE_SECONDS
        self.is_known = False
        """Whether a certificate was shown."""
        self.is_passed_on = False
        """Whether a trusted balancer has told whose connection this is."""
        self._first = bytearray()
        self._awaits_context = False
        self._stream: TLSStream | None = None
        self._incoming = Incoming(front.cfg)
        self._answered = 0
        self._discarded = 0
        self._after: Answer | None = None
        self._left = 0

    # What the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, unless the front refuses it."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what TCP has
        self.transport = transport
        name = transport.get_extra_info("peername") or ("", 0)
        self.peer = (str(name[0]), int(name[1]))
        transport.set_write_buffer_limits(high=0)  # so that `resume_writing` means: all is sent
        self.front.admit(self)

    def data_received(self, data: bytes) -> None:
        """Go as far as the bytes allow."""
        if self.stage is Stage.LINGER:
            self._discarded += len(data)
            if self._discarded > LINGER_BYTES:
                self.transport.abort()
            return
        if self._stream is not None:
            self._stream.receive(data)
            self._go_on(self._stream)
            return
        self._first += data
        if len(self._first) > FIRST_BYTES:
            self.transport.abort()
        elif not self._awaits_context:
            self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self.front.forget(self)

    def resume_writing(self) -> None:
        """Go on after the client has taken all that was sent."""
        if self.stage is Stage.SENDING and self._after is not None:
            done, self._after = self._after, None
            self.front.sent(self)
            self._after_answer(done)

    def expire(self, now: float) -> None:
        """End a wait that was too long."""
        if self.stage is Stage.SENDING:
            left = self.transport.get_write_buffer_size()
            if left <= self._left - REPLY_PART:
                self._left, self.deadline = left, now + REPLY_SECONDS
                return
        if self.stage is Stage.REQUEST and (self._incoming.has_begun or not self._answered):
            self.front.report(self, "the request did not come in time")
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        elif self.stage is Stage.REQUEST:
            self._end()
        else:
            if self.stage is Stage.HANDSHAKE:
                self.front.report(self, "the handshake did not end in time")
            self.transport.abort()

    def stop(self) -> None:
        """End the connection if it waits for a request that has not begun."""
        if self.stage is Stage.REQUEST and self._answered and not self._incoming.has_begun:
            self._end()

    # Step 1: whose connection, and TLS

    def _begin(self) -> None:
        """Read a balancer's header if there is one, then begin TLS."""
        if begins_like_one(self._first):
            if not self.front.may_pass_on(self) or self.is_passed_on:
                self._refuse_before_tls("a PROXY header came from an address that is not trusted")
                return
            try:
                header = read_header(self._first)
            except NotAProxyHeader as error:
                self._refuse_before_tls(f"a PROXY header is malformed: {error}")
                return
            if header is None:
                return
            length, address = header
            del self._first[:length]
            self.is_passed_on = True
            if address is not None:
                self.peer = (address, 0)
                self.front.admit_again(self)
            if begins_like_one(self._first):
                self._refuse_before_tls("a PROXY header came twice")
                return
            if not self._first:
                return
        self._awaits_context = True
        if context := self.front.context(self):
            self.begin_tls(context)

    def begin_tls(self, context: ssl.SSLContext | None) -> None:
        """Begin TLS with the bytes that are here. Without a context, hang up."""
        if context is None:
            self.transport.abort()
            return
        self._stream = TLSStream(context)
        self._stream.receive(bytes(self._first))
        self._first.clear()
        self._go_on(self._stream)

    def _refuse_before_tls(self, why: str) -> None:
        self.front.report(self, why)
        self.transport.write(refusal(HTTPStatus.BAD_REQUEST))
        self.transport.close()

    def _go_on(self, stream: TLSStream) -> None:
        try:
            if self.stage is Stage.HANDSHAKE and not stream.shake_hands():
                self.transport.write(stream.outgoing())
                return
            if self.stage is Stage.HANDSHAKE:
                self._shaken(stream)
            text = stream.read()
        except ssl.SSLError as error:
            self._tls_failed(stream, error)
            return
        if text:
            self._incoming.receive(text)
            self._read_request()
        self._close_after_goodbye()

    def _shaken(self, stream: TLSStream) -> None:
        self.is_known = stream.object.getpeercert(binary_form=True) is not None
        self.stage, self.deadline = Stage.REQUEST, self.front.now() + REQUEST_SECONDS
        self.front.shaken(self)
        if last := stream.outgoing():
            self.transport.write(last)
        # In TLS 1.3 the server has no reply to the client's last handshake message, because it
        # sends no session tickets. The kernel would delay the acknowledgement by 40 ms, and a
        # client that leaves Nagle's algorithm on, as small devices do, would hold its request back
        # until then.
        if hasattr(socket, "TCP_QUICKACK"):  # Linux
            self.transport.get_extra_info("socket").setsockopt(
                socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1
            )

    def _tls_failed(self, stream: TLSStream, error: ssl.SSLError) -> None:
        alert = stream.outgoing()
        if isinstance(error, ssl.SSLCertVerificationError):
            self.front.report_certificate(self, error.verify_message)
            # The client has shown itself, and may have sent its request already. If the socket
            # were closed now, the kernel would answer with a reset, and the client might lose the
            # alert that names the fault.
            self._linger(alert)
            return
        self.front.report(self, f"TLS failed: {error.reason or 'unknown'}")
        self.transport.write(alert)
        self.transport.close()

    # Step 2: the request

    def _read_request(self) -> None:
        try:
            request = self._incoming.next_request(self.peer, is_known=self.is_known)
        except TooLarge as error:
            self._refuse(error.status)
            return
        except errors.ParseException as error:
            self.front.report(self, f"not a request: {type(error).__name__}")
            self._refuse(status_of(error))
            return
        if self._incoming.wants_continue():
            self._send(b"HTTP/1.1 100 Continue\r\n\r\n")
        if request is None:
            return
        self.stage, self.deadline = Stage.ANSWER, float("inf")
        self.transport.pause_reading()
        self.front.busy(self)
        keeps = self.front.keeps_connections and self._incoming.is_whole
        stream = self._stream.object if self._stream else None
        server = self.transport.get_extra_info("sockname")
        job = partial(self._compute, request, stream, server, keeps=keeps)
        try:
            self.front.compute.submit(job)
        except Full:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, self.front.retry_after())

    def _compute(self, request: Any, stream: Any, server: Any, *, keeps: bool) -> None:
        """Run the application, in a thread of `Compute`."""
        front = self.front
        done = answer(front.worker, request, stream, self.peer, server, keeps=keeps)
        front.loop.call_soon_threadsafe(self._send_answer, done)

    # Step 3: the answer

    def _send_answer(self, done: Answer) -> None:
        if self.transport.is_closing():
            return
        self._answered += 1
        if not done.data:  # the client went away in the middle of its request
            self._linger(b"")
            return
        # One write for the answer and the goodbye: a second one costs as much as the first.
        self._send(done.data, is_last=not done.keeps)
        if left := self.transport.get_write_buffer_size():
            self.stage, self._after, self._left = Stage.SENDING, done, left
            self.front.sending(self, left)
            self.deadline = self.front.now() + REPLY_SECONDS
        else:
            self._after_answer(done)

    def _after_answer(self, done: Answer) -> None:
        if not done.keeps:
            self._linger(b"", is_clean=True)
            return
        if not self.front.is_open:
            self._end()
            return
        self.stage = Stage.REQUEST
        self.deadline = self.front.now() + self.front.cfg.keepalive
        self.front.waiting(self)
        self.transport.resume_reading()
        if self._incoming.begin_next():
            self.deadline = self.front.now() + REQUEST_SECONDS
            self._read_request()
        self._close_after_goodbye()

    def _close_after_goodbye(self) -> None:
        """Hang up if the client said goodbye, also together with half a request."""
        if self._stream is not None and self._stream.has_ended and self.stage is Stage.REQUEST:
            self.transport.close()

    def _refuse(self, status: HTTPStatus, headers: Mapping[str, str] | None = None) -> None:
        self._send(refusal(status, headers), is_last=True)
        self._linger(b"", is_clean=True)

    def _send(self, data: bytes, *, is_last: bool = False) -> None:
        if self._stream is not None:
            self._stream.write(data)
            if is_last:
                self._stream.say_goodbye()
            data = self._stream.outgoing()
        self.transport.write(data)

    def _end(self) -> None:
        """Say goodbye, and give the client time to read the answer if bytes of it are unread."""
        last = b""
        if self._stream is not None:
            self._stream.say_goodbye()
            last = self._stream.outgoing()
        self._linger(last, is_clean=True)

    def _linger(self, last: bytes, *, is_clean: bool = False) -> None:
        self.stage, self.deadline = Stage.LINGER, self.front.now() + LINGER_SECONDS
        if last:
            self.transport.write(last)
        if is_clean and self._incoming.is_whole and not self._incoming.has_more:
            self.transport.close()
            return
        try:
            self.transport.write_eof()
        except OSError:  # the client has reset the connection already
            self.transport.abort()
            return
        self.transport.resume_reading()
