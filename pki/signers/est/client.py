"""The client's side of EST (RFC 7030), as much of it as a registration authority needs.

Each request has a connection of its own, made by the standard library. There is no proxy and no
redirect. Every wait has an end, and the length of a reply has a limit.
"""

import base64
import http.client
import ssl
import time
from contextlib import closing
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509

from pki.operators.errors import OperatorError, RemoteFailure
from pki.signers.est.connection import DeadlineSocket, connect
from pki.signers.est.identity import ClientIdentity, read_file
from pki.signers.est.reply import Reply, certificates_in, for_log
from pki.waiting import waiting

WELL_KNOWN: Final = "/.well-known/est"
MAX_REPLY_BYTES: Final = 128 * 1024
"""Room for a dozen of the largest CA certificates in base64."""


class ESTClient:
    """Talks to the EST server at ``url``, which may end with a label."""

    def __init__(
        self,
        url: str,
        trust_anchor: str,
        identity: ClientIdentity,
        *,
        server_name: str = "",
        seconds: int = 10,
    ) -> None:
        """Trust only servers with a certificate from the CAs in the PEM file ``trust_anchor``.

        A request takes ``seconds`` at most. Raises ``OperatorError`` when the file, or the files of
        ``identity``, cannot be used.
        """
        parts = urlsplit(url)
        try:
            self._port = parts.port or http.client.HTTPS_PORT
        except ValueError as error:
            raise OperatorError(
                f"ESTSigner: OPTIONS.url: {url}: {error}. Give a port from 1 to 65535."
            ) from error
        self._url = url
        self._host = parts.hostname or ""
        self._path = parts.path.rstrip("/") or WELL_KNOWN
        self._server_name = server_name or self._host
        self._seconds = seconds
        self._trust_anchor = trust_anchor
        self._identity = identity
        self._context: ssl.SSLContext | None = None
        self._trusting_context()  # refuses a file that cannot be used, before the first request

    def __str__(self) -> str:
        return f"the EST server {self._url}"

    def simpleenroll(self, csr_der: bytes) -> Reply:
        """Ask for a certificate (RFC 7030 4.2.1). Raises ``RemoteFailure`` if there is no reply."""
        return self._exchange(
            "POST",
            "simpleenroll",
            base64.b64encode(csr_der),  # RFC 8951 3.1
            {"Content-Type": "application/pkcs10", "Content-Transfer-Encoding": "base64"},
        )

    def cacerts(self) -> list[x509.Certificate]:
        """Return the CA certificates (RFC 7030 4.1). Raises ``RemoteFailure``."""
        reply = self._exchange("GET", "cacerts")
        if reply.status != 200:
            raise RemoteFailure(
                "est:cacerts",
                f"HTTP {reply.status}",
                f"{self} says {reply.text}",
                "Check that the url is right, and that the server works.",
                is_transient=reply.status >= 500,
            )
        try:
            return certificates_in(reply)
        except ValueError as error:
            raise RemoteFailure(
                "est:cacerts", "Unreadable", f"{self}: {error}", "Check that the url is right."
            ) from error

    def forget_identity(self) -> None:
        """Read the client certificate again for the next request. It may be renewed by then."""
        self._context = None

    def _exchange(
        self, method: str, operation: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Reply:
        context = self._ready_context()
        deadline = time.monotonic() + self._seconds
        try:
            with (
                waiting(),
                closing(
                    connect(self._host, self._port, self._server_name, context, deadline)
                ) as connection,
            ):
                connection.request(
                    method,
                    f"{self._path}/{operation}",
                    body or None,
                    {"Accept": "*/*", "Connection": "close", **(headers or {})},
                )
                with connection.getresponse() as response:
                    received = response.read(MAX_REPLY_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, ssl.SSLError):
                self.forget_identity()
            raise self._failure(operation, error) from error
        if len(received) > MAX_REPLY_BYTES:
            raise RemoteFailure(
                f"est:{operation}",
                "TooLarge",
                f"{self} sent more than {MAX_REPLY_BYTES} bytes",
                "Check that the url is right.",
            )
        return Reply(
            response.status,
            response.getheader("Content-Type", "").partition(";")[0].strip().lower(),
            response.getheader("Retry-After", ""),
            received,
        )

    def _ready_context(self) -> ssl.SSLContext:
        """Return the context with the client certificate, which is kept for later requests."""
        context = self._context
        if context is None:  # two threads may both make one at once, which does no harm
            context = self._trusting_context()
            self._identity.load_into(context)
            self._context = context
        return context

    def _trusting_context(self) -> ssl.SSLContext:
        """Return a context for TLS 1.2 or 1.3 that verifies the server's name and certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # an anchor need not be a root
        context.sslsocket_class = DeadlineSocket
        try:
            context.load_verify_locations(cadata=read_file(self._trust_anchor).decode("ascii"))
        except (ssl.SSLError, ValueError) as error:
            raise OperatorError(
                f"ESTSigner: OPTIONS.trustAnchor: {self._trust_anchor} holds no certificate that "
                "can be read. Give it as PEM, which begins with -----BEGIN CERTIFICATE-----."
            ) from error
        return context

    def _failure(self, operation: str, error: OSError | http.client.HTTPException) -> RemoteFailure:
        """Return the failure of a request without a reply. The other side's text is escaped."""
        if isinstance(error, ssl.SSLCertVerificationError):
            code, message = "CertificateRefused", error.verify_message
            advice = "Check that trustAnchor is the server's CA, and serverName the server's name."
        elif isinstance(error, TimeoutError):
            code, message = "Timeout", f"no whole reply within {self._seconds} seconds"
            advice = "Check the network and the server, or raise timeoutSeconds."
        elif isinstance(error, ssl.SSLError):
            code, message = "TLSFailure", error.reason or "the connection broke off"
            advice = (
                "Check that the server trusts this server's client certificate, and that the "
                "certificate has not expired."
            )
        elif isinstance(error, OSError):
            code, message = "NoConnection", error.strerror or type(error).__name__
            advice = "Check the network and the server, then try again."
        else:
            code, message = "NotHTTP", f"{type(error).__name__} {for_log(str(error))}"
            advice = "Check that the url is right."
        return RemoteFailure(
            f"est:{operation}", code, f"{self}: {message}", advice, is_transient=True
        )
