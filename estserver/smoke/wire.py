"""HTTP over mutual TLS with the standard library, one connection for each request."""

import http.client
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from pki.operators.errors import OperatorError

SECONDS = 40
"""The time limit. API Gateway's own is 29 s, unless the account's quota was raised."""
LARGEST_BODY = 1_000_000


class Unreachable(Exception):
    """There is no such name, nothing listens on the port, or no answer came in time."""


class Untrusted(Exception):
    """The server's certificate is not by a trusted CA, or not for this name."""


class HandshakeRefused(Exception):
    """The server ended the connection in the handshake, or right after it."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Files in PEM: a client certificate with its chain, and its key."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer."""

    status: int
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes

    @property
    def brief(self) -> str:
        """Status and reason code, for a check that passed."""
        code, colon, _ = self.says.partition(":")
        return code if colon else self.says

    @property
    def says(self) -> str:
        """Status and the first line of the body, without its full stop."""
        text = self.body[:500].decode("utf-8", "replace").strip()
        line = "".join(filter(str.isprintable, text.partition("\n")[0]))
        return f"{self.status} {line.rstrip('.')}" if line else str(self.status)


@dataclass(frozen=True, slots=True)
class Session:
    """The result of a TLS handshake."""

    version: str
    cipher: str
    expires_at: float
    """When the server's certificate expires, in seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Server:
    """An HTTPS origin, and the CAs that may vouch for it."""

    host: str
    port: int
    path: str
    """The start of every path: the stage for execute-api, else ""."""
    ca_file: Path | None
    label: str = ""
    """The EST label (RFC 7030 3.2.2), or "" for the operations without one."""
    seconds: int = SECONDS
    """The time limit of each connection."""

    @classmethod
    def at(cls, url: str, ca_file: Path | None = None) -> "Server":
        """Return the server at ``https://name[:port]``. Raises OperatorError for other URLs."""
        try:
            parts = urlsplit(url)
            port = parts.port or 443
        except ValueError:
            parts, port = urlsplit(""), 0
        if parts.scheme != "https" or not parts.hostname or parts.query or parts.username:
            raise OperatorError(f"{url!r} is not a URL such as https://est.example.com.")
        return cls(parts.hostname, port, parts.path.rstrip("/"), ca_file)

    def operation(self, name: str) -> str:
        """Return the path of an EST operation at the label (RFC 7030 3.2.2)."""
        return f"/.well-known/est/{self.label}/{name}" if self.label else f"/.well-known/est/{name}"

    def __str__(self) -> str:
        return self.host if self.port == 443 else f"{self.host}:{self.port}"

    def handshake(self, client: Credentials) -> Session:
        """Connect, and return what TLS agreed on.

        Raises Unreachable, Untrusted, HandshakeRefused, and OperatorError as `ask` does.
        """
        connection = self._connection(client)
        try:
            tls = _connect(connection)
            cipher = tls.cipher()
            shown = tls.getpeercert() or {}
            return Session(
                version=tls.version() or "",
                cipher=cipher[0] if cipher else "",
                expires_at=ssl.cert_time_to_seconds(str(shown["notAfter"])),
            )
        finally:
            connection.close()

    def ask(
        self,
        method: str,
        path: str,
        *,
        client: Credentials | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Reply:
        """Send one request and return the whole reply.

        Raises Unreachable, Untrusted, HandshakeRefused, and OperatorError if the client's files or
        the CA file cannot be used.
        """
        connection = self._connection(client)
        try:
            _connect(connection)
            try:
                connection.request(
                    method, self.path + path, body, {**(headers or {}), "Connection": "close"}
                )
                response = connection.getresponse()
                read = response.read(LARGEST_BODY)
            except TimeoutError as error:
                raise Unreachable(f"no answer came within {self.seconds} s") from error
            except (OSError, http.client.HTTPException) as error:
                # In TLS 1.3 the client's side of the handshake ends before the server verifies the
                # client's certificate (RFC 8446 2), so a refusal arrives here.
                raise HandshakeRefused(_reason(error)) from error
            fields = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, fields, read)
        finally:
            connection.close()

    def _connection(self, client: Credentials | None) -> http.client.HTTPSConnection:
        try:
            context = ssl.create_default_context(cafile=str(self.ca_file) if self.ca_file else None)
        except OSError as error:
            raise OperatorError(f"{self.ca_file} is not a PEM file of CAs ({error}).") from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if client:
            try:
                # Without a password callback, OpenSSL would ask for the key's on the terminal.
                context.load_cert_chain(client.certificate, client.key, password=lambda: "")
            except (OSError, ValueError) as error:
                raise OperatorError(
                    f"{client.certificate} and {client.key} cannot be used ({_reason(error)}). "
                    "Give a certificate and its key, in PEM and without a password."
                ) from error
        return http.client.HTTPSConnection(
            self.host, self.port, timeout=self.seconds, context=context
        )


def _connect(connection: http.client.HTTPSConnection) -> ssl.SSLSocket:
    try:
        connection.connect()
    except ssl.SSLCertVerificationError as error:
        raise Untrusted(error.verify_message) from error
    except (ssl.SSLError, ConnectionResetError) as error:
        raise HandshakeRefused(_reason(error)) from error
    except OSError as error:
        raise Unreachable(_reason(error)) from error
    return cast(ssl.SSLSocket, connection.sock)


def _reason(error: Exception) -> str:
    """Return the system's words for an error, without brackets and file names."""
    if isinstance(error, ssl.SSLError) and error.reason:
        return str(error.reason).lower().replace("_", " ")
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
