"""Where requests go, and one of them: a fresh TCP connection and full TLS each time."""

import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

TLS_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


@dataclass(frozen=True)
class Target:
    """Where the requests go, and as whom."""

    host: str
    port: int
    path: str
    server_ca: Path
    client: Path | None
    client_key: Path | None
    tls: str | None
    timeout: float  # seconds, for each socket operation
    nodelay: bool = False  # as small devices do: a server must not need it
    name: str = "localhost"
    """The name or address that the server's certificate is for."""

    def context(self) -> ssl.SSLContext:
        """A context that verifies the server and shows the client certificate."""
        context = ssl.create_default_context(cafile=str(self.server_ca))
        if self.tls:
            context.minimum_version = context.maximum_version = TLS_VERSIONS[self.tls]
        if self.client:
            context.load_cert_chain(self.client, self.client_key)
        return context

    def request(self, body: bytes | None) -> bytes:
        """The whole HTTP request, so that it leaves in one write."""
        head = f"Host: {self.name}:{self.port}\r\nConnection: close\r\n"
        if body is None:
            return f"GET {self.path} HTTP/1.1\r\n{head}\r\n".encode()
        head += f"Content-Type: application/pkcs10\r\nContent-Length: {len(body)}\r\n"
        return f"POST {self.path} HTTP/1.1\r\n{head}\r\n".encode() + body


def exchange(target: Target, context: ssl.SSLContext, request: bytes) -> str:
    """One connection, one request; the status code that came back, or "cut short"."""
    head, _, is_whole = answer(target, context, request)
    return head[9:12].decode("latin-1") if is_whole else "cut short"


def answer(target: Target, context: ssl.SSLContext, request: bytes) -> tuple[bytes, bytes, bool]:
    """One connection, one request; the head and body that came back, and whether it is all."""
    with (
        socket.create_connection((target.host, target.port), timeout=target.timeout) as raw,
        context.wrap_socket(raw, server_hostname=target.name) as connection,
    ):
        if target.nodelay:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(request)
        reply = bytearray()
        while chunk := connection.recv(16384):
            reply += chunk
    head, separator, body = bytes(reply).partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name == b"content-length" and len(body) != int(value):
            return head, body, False
    return head, body, bool(separator)
