"""Messages of PostgreSQL's wire protocol 3, and their way through a socket.

https://www.postgresql.org/docs/16/protocol-message-formats.html
"""

import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from tests.support.dsql.refusals import Refusal

SSL_REQUEST = 80877103
GSS_REQUEST = 80877104
CANCEL_REQUEST = 80877102
PROTOCOL = 3 << 16
_CHUNK = 1 << 16

COMPLETES = {b"P": b"1", b"B": b"2", b"C": b"3", b"D": b"Tn", b"E": b"CIs", b"S": b"Z"}
"""The message that ends the answer to each of a client's messages, if no error does."""


class Closed(Exception):
    """The other side has closed the connection."""


@dataclass(frozen=True)
class Message:
    """A message: its type's byte and its body, without the length."""

    type: bytes
    body: bytes = b""

    def packed(self) -> bytes:
        """Return the bytes on the wire."""
        return self.type + struct.pack("!I", len(self.body) + 4) + self.body

    def strings(self, count: int = -1) -> list[str]:
        """Return the first ``count`` strings that end with a zero byte, or all of them."""
        return [part.decode() for part in self.body.split(b"\0", count)[:-1]]


class Channel:
    """Reads and writes messages on a socket that blocks."""

    def __init__(self, connection: socket.socket) -> None:
        """Take over ``connection``, which may be one with TLS."""
        self._socket = connection
        self._buffer = bytearray()

    def send(self, *messages: Message) -> None:
        """Send messages in one packet."""
        self.send_raw(b"".join(message.packed() for message in messages))

    def send_raw(self, data: bytes) -> None:
        """Send bytes. Raises Closed when the other side is gone."""
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise Closed from error

    def receive(self) -> Message:
        """Return the next message. Raises Closed at the end."""
        self._need(5)
        (length,) = struct.unpack_from("!I", self._buffer, 1)
        self._need(length + 1)
        message = Message(bytes(self._buffer[:1]), bytes(self._buffer[5 : length + 1]))
        del self._buffer[: length + 1]
        return message

    def receive_startup(self) -> tuple[int, bytes]:
        """Return code and body of a connection's first packet, which has no type."""
        self._need(8)
        length, code = struct.unpack_from("!II", self._buffer)
        self._need(length)
        body = bytes(self._buffer[8:length])
        del self._buffer[:length]
        return code, body

    def until(self, *ends: bytes) -> Iterator[Message]:
        """Yield messages up to the first of one of these types, with it."""
        while True:
            message = self.receive()
            yield message
            if message.type in ends:
                return

    def say_goodbye(self) -> None:
        """End TLS as the protocol wants it, for a client that takes any other end for an error."""
        if isinstance(self._socket, ssl.SSLSocket):
            self._socket.settimeout(1)
            with suppress(OSError):
                self._socket.unwrap()

    def close(self) -> None:
        """Close the socket, and wake the thread that reads from it."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _need(self, length: int) -> None:
        while len(self._buffer) < length:
            try:
                data = self._socket.recv(_CHUNK)
            except (OSError, ValueError) as error:
                raise Closed from error
            if not data:
                raise Closed
            self._buffer += data


def startup(**parameters: str) -> bytes:
    """Return the packet with which a client begins."""
    body = struct.pack("!I", PROTOCOL)
    for name, value in parameters.items():
        body += name.encode() + b"\0" + value.encode() + b"\0"
    body += b"\0"
    return struct.pack("!I", len(body) + 4) + body


def startup_parameters(body: bytes) -> dict[str, str]:
    """Return what a client's first packet says: user, database, options and so on."""
    parts = [part.decode() for part in body.split(b"\0")]
    return {name: value for name, value in zip(parts[::2], parts[1::2], strict=False) if name}


def error(refusal: Refusal, *, severity: str = "ERROR") -> Message:
    """Return the ErrorResponse for a refusal. Its hint is AWS's page, for readers of a log."""
    fields = {
        "S": severity,
        "V": severity,
        "C": refusal.sqlstate,
        "M": refusal.message,
        "H": refusal.page,
    }
    text = "".join(f"{key}{value}\0" for key, value in fields.items())
    return Message(b"E", text.encode() + b"\0")


def error_fields(message: Message) -> dict[str, str]:
    """Return the fields of an ErrorResponse or NoticeResponse by their letter."""
    return {part[:1]: part[1:] for part in message.strings() if part}


def ready(status: str) -> Message:
    """Return ReadyForQuery: I is idle, T in a transaction, E in one that failed."""
    return Message(b"Z", status.encode())


def complete(tag: str) -> Message:
    """Return CommandComplete."""
    return Message(b"C", tag.encode() + b"\0")


def query(sql: str) -> Message:
    """Return a simple Query."""
    return Message(b"Q", sql.encode() + b"\0")


TEXT, BOOLEAN = 25, 16
"""Types by their OID."""


def row_description(name: str, type_oid: int = TEXT) -> Message:
    """Return the description of one column, whose values are sent as text."""
    size = 1 if type_oid == BOOLEAN else -1
    column = name.encode() + b"\0" + struct.pack("!IhIhih", 0, 0, type_oid, size, -1, 0)
    return Message(b"T", struct.pack("!H", 1) + column)


def row(value: str) -> Message:
    """Return a row of one column in text format."""
    data = value.encode()
    return Message(b"D", struct.pack("!HI", 1, len(data)) + data)


def bound_parameters(message: Message) -> list[bytes]:
    """Return the values of a Bind message. NULL is empty."""
    body = message.body
    at = body.index(b"\0", body.index(b"\0") + 1) + 1
    (formats,) = struct.unpack_from("!H", body, at)
    at += 2 + 2 * formats
    (count,) = struct.unpack_from("!H", body, at)
    at += 2
    values = []
    for _ in range(count):
        (length,) = struct.unpack_from("!i", body, at)
        at += 4
        values.append(body[at : at + max(length, 0)])
        at += max(length, 0)
    return values
