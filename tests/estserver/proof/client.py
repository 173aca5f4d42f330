"""A client that sends bytes as they are, and says goodbye at once, as no library's client does."""

import re
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
HOST = "127.0.0.1"
TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class Reply:
    """Everything that the server sent before it hung up."""

    data: bytes

    @property
    def statuses(self) -> list[int]:
        """The status of each response, without 100."""
        return [int(each) for each in STATUS_LINE.findall(self.data) if each != b"100"]

    @property
    def status(self) -> int | None:
        """The first status, or ``None`` if there was no response."""
        return next(iter(self.statuses), None)

    def header(self, name: str) -> str | None:
        """The value of a header of the first response."""
        head = self.data.partition(b"\r\n\r\n")[0].decode("latin-1")
        for line in head.split("\r\n")[1:]:
            key, _, value = line.partition(":")
            if key.lower() == name.lower():
                return value.strip()
        return None

    @property
    def body(self) -> bytes:
        """What follows the first head."""
        return self.data.partition(b"\r\n\r\n")[2]

    @property
    def is_whole(self) -> bool:
        """Whether the first response has come to its end."""
        return len(self.body) >= int(self.header("Content-Length") or "99999999")


def client_context(server_ca: Path, client: tuple[Path, Path] | None) -> ssl.SSLContext:
    """Return TLS that verifies the server, and shows a client certificate if there is one."""
    context = ssl.create_default_context(cafile=str(server_ca))
    if client:
        context.load_cert_chain(*client)
    return context


def connect(port: int, source: str = "") -> socket.socket:
    """Open a TCP connection, from another loopback address if one is given."""
    address = (HOST, port)
    return socket.create_connection(
        address, timeout=TIMEOUT_SECONDS, source_address=(source, 0) if source else None
    )


def ask(context: ssl.SSLContext, port: int, request: bytes, *, source: str = "") -> Reply:
    """Send a request on a TLS connection of its own, and read until the server hangs up.

    Raises ``OSError``.
    """
    with (
        connect(port, source) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as connection,
    ):
        connection.sendall(request)
        return Reply(_all_of(connection))


class HandshakeEnded(ConnectionError):
    """The server hung up during the handshake, as it does with one that takes five seconds."""


def ask_and_say_goodbye(
    context: ssl.SSLContext, port: int, request: bytes, *, spoilt: bool = False
) -> Reply:
    """Send bytes over TLS, then close_notify, so that the server waits for no more of them.

    With ``spoilt``, the last byte of the encrypted record is changed.

    Raises:
        HandshakeEnded: the machine was too slow for it.
        OSError: the server cannot be reached.
    """
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    stream = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with connect(port) as raw:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _shake_hands(stream, incoming, outgoing, raw)
        stream.write(request)
        record = bytearray(outgoing.read())
        record[-1] ^= spoilt
        raw.sendall(record)
        with suppress(ssl.SSLWantReadError):  # the server's own close_notify
            stream.unwrap()
        raw.sendall(outgoing.read())
        return Reply(_all_in(stream, incoming, raw))


def send_before_tls(port: int, data: bytes, *, source: str = "") -> Reply:
    """Send bytes where TLS should begin, and end there. Raises ``OSError``."""
    with connect(port, source) as raw:
        raw.sendall(data)
        raw.shutdown(socket.SHUT_WR)
        return Reply(_all_of(raw))


def client_hello(context: ssl.SSLContext) -> bytes:
    """Return the first bytes of a handshake."""
    outgoing = ssl.MemoryBIO()
    stream = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    try:
        stream.do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise AssertionError("a handshake ended without a server")


def _shake_hands(
    stream: ssl.SSLObject, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, raw: socket.socket
) -> None:
    while True:
        try:
            stream.do_handshake()
        except ssl.SSLWantReadError:
            raw.sendall(outgoing.read())
            try:
                incoming.write(_received(raw))
            except ConnectionResetError as error:
                raise HandshakeEnded(str(error)) from error
        else:
            raw.sendall(outgoing.read())
            return


def _all_in(stream: ssl.SSLObject, incoming: ssl.MemoryBIO, raw: socket.socket) -> bytes:
    """Return what is in a TLS stream until a response or the stream ends, in whatever way."""
    data = b""
    while not Reply(data).is_whole:
        try:
            piece = stream.read(65536)
        except ssl.SSLWantReadError:
            try:
                incoming.write(_received(raw))
            except ConnectionError:
                return data
            continue
        except ssl.SSLError:  # an alert, or the end
            return data
        if not piece:
            return data
        data += piece
    return data


def _received(raw: socket.socket) -> bytes:
    data = raw.recv(65536)
    if not data:
        raise ConnectionResetError("The server hung up.")
    return data


def _all_of(connection: socket.socket) -> bytes:
    data = b""
    with suppress(ConnectionResetError):  # it did not read all that was sent
        while piece := connection.recv(65536):
            data += piece
    return data
