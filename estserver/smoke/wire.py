"""One request, one connection: HTTP over mutual TLS with nothing but the standard library."""

import http.client
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from pki.operators.errors import OperatorError

SECONDS = 40
"""API Gateway gives up after 29 s, unless the account's quota was raised."""
LARGEST_BODY = 1_000_000


class Unreachable(Exception):
    """Nobody answers there: no such name, no such port, no answer in time."""


class Untrusted(Exception):
    """The server's certificate doesn't show that it is who we meant."""


class HandshakeRefused(Exception):
    """The other side ended the connection in the handshake, or right after it."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A client certificate with its chain, and its key: files in PEM."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes

    @property
    def brief(self) -> str:
        """Status and reason code, where nothing is wrong."""
        code, colon, _ = self.says.partition(":")
        return code if colon else self.says

    @property
    def says(self) -> str:
        """Status and the first line of a text, where a person must know all of it."""
        text = self.body[:500].decode("utf-8", "replace").strip()
        line = "".join(filter(str.isprintable, text.partition("\n")[0]))
        return f"{self.status} {line}" if line else str(self.status)


@dataclass(frozen=True, slots=True)
class Session:
    """What TLS agreed on."""

    version: str
    cipher: str
    expires_at: float
    """The server certificate's end, in seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Server:
    """An HTTPS origin, and whom we trust to be it."""

    host: str
    port: int
    path: str
    """What comes before every path; "" but for execute-api, where it is the stage."""
    ca_file: Path | None

    @classmethod
    def at(cls, url: str, ca_file: Path | None = None) -> "Server":
        """The server at ``https://name[:port]``. Raises OperatorError for anything else."""
        try:
            parts = urlsplit(url)
            port = parts.port or 443
        except ValueError:
            parts, port = urlsplit(""), 0
        if parts.scheme != "https" or not parts.hostname or parts.query or parts.username:
            raise OperatorError(f"found {url!r}, wanted a URL such as https://est.example.com")
        return cls(parts.hostname, port, parts.path.rstrip("/"), ca_file)

    def __str__(self) -> str:
        return self.host if self.port == 443 else f"{self.host}:{self.port}"

    def handshake(self, client: Credentials) -> Session:
        """Connect, and look at the server's certificate.

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
        """Send one request and read the whole reply.

        Raises Unreachable, Untrusted, HandshakeRefused, and OperatorError for a client certificate
        that can't be used.
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
                raise Unreachable(f"no answer within {SECONDS} s") from error
            except (OSError, http.client.HTTPException) as error:
                # TLS 1.3: the server looks at the client's certificate after we think we are done.
                raise HandshakeRefused(_reason(error)) from error
            fields = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, fields, read)
        finally:
            connection.close()

    def _connection(self, client: Credentials | None) -> http.client.HTTPSConnection:
        try:
            context = ssl.create_default_context(cafile=str(self.ca_file) if self.ca_file else None)
        except OSError as error:
            raise OperatorError(f"{self.ca_file} isn't a PEM file of CAs: {error}") from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if client:
            try:
                # A password callback: OpenSSL would ask on the terminal for the key's.
                context.load_cert_chain(client.certificate, client.key, password=lambda: "")
            except (OSError, ValueError) as error:
                raise OperatorError(
                    f"{client.certificate} and {client.key} can't be used: wanted are a "
                    f"certificate and its key, in PEM and without a password ({_reason(error)})"
                ) from error
        return http.client.HTTPSConnection(self.host, self.port, timeout=SECONDS, context=context)


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
    """What the system says, without its brackets and file names."""
    if isinstance(error, ssl.SSLError) and error.reason:
        return str(error.reason).lower().replace("_", " ")
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
