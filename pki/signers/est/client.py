"""The client's side of EST (RFC 7030), as much of it as a registration authority needs.

One connection a request, by the standard library: no proxy, no redirect, an end to every wait and
a bound to every reply.
"""

import base64
import binascii
import http.client
import math
import socket
import ssl
import time
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import pkcs7

from pki.operators.errors import OperatorError, RemoteFailure
from pki.signers.est.identity import ClientIdentity, read_file

WELL_KNOWN: Final = "/.well-known/est"
PKCS7: Final = "application/pkcs7-mime"
MAX_REPLY_BYTES: Final = 128 * 1024
"""Room for a dozen of the largest CA certificates in base64."""
MAX_WORDS: Final = 200
"""Characters of a stranger's text that a log gets."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered."""

    status: int
    media_type: str
    """Lower case, without parameters (RFC 9110 8.3.1)."""
    retry_after: str
    body: bytes

    @property
    def words(self) -> str:
        """The text of a refusal for a log."""
        return _for_log(self.body.decode(errors="replace").strip())

    @property
    def code(self) -> str:
        """What a refusal's text begins with, up to the colon: this project's reason codes do."""
        return self.body[:MAX_WORDS].decode(errors="replace").partition(":")[0]


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
        """Trust who has a certificate from the CAs in the PEM file ``trust_anchor``, nobody else.

        Raises ``OperatorError`` when that file, or the files of ``identity``, aren't fit.
        """
        parts = urlsplit(url)
        try:
            self._port = parts.port or http.client.HTTPS_PORT
        except ValueError as error:
            raise OperatorError(f"ESTSigner: OPTIONS.url: {url}: {error}") from error
        self._url = url
        self._host = parts.hostname or ""
        self._path = parts.path.rstrip("/") or WELL_KNOWN
        self._server_name = server_name or self._host
        self._seconds = seconds
        self._trust_anchor = trust_anchor
        self._identity = identity
        self._context: ssl.SSLContext | None = None
        self._trusting_context()  # only to see that the file is fit

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
        """The CA certificates (RFC 7030 4.1). Raises ``RemoteFailure`` when they can't be had."""
        reply = self._exchange("GET", "cacerts")
        if reply.status != 200:
            raise RemoteFailure(
                "est:cacerts",
                f"HTTP {reply.status}",
                f"{self} says {reply.words}",
                "see that the url is right and the server in order",
                is_transient=reply.status >= 500,
            )
        try:
            return certificates_in(reply)
        except ValueError as error:
            raise RemoteFailure(
                "est:cacerts", "Unreadable", f"{self}: {error}", "see that the url is right"
            ) from error

    def forget_identity(self) -> None:
        """Read the client certificate again for the next request: it may be a new one by then."""
        self._context = None

    def _exchange(
        self, method: str, operation: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Reply:
        context = self._ready_context()
        deadline = time.monotonic() + self._seconds
        try:
            with closing(self._connect(context, deadline)) as connection:
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
                "see that the url is right",
            )
        return Reply(
            response.status,
            response.getheader("Content-Type", "").partition(";")[0].strip().lower(),
            response.getheader("Retry-After", ""),
            received,
        )

    def _connect(self, context: ssl.SSLContext, deadline: float) -> http.client.HTTPSConnection:
        plain = _dial(self._host, self._port, deadline)
        plain.settimeout(_left(deadline))
        tls = context.wrap_socket(plain, server_hostname=self._server_name)
        assert isinstance(tls, _BoundedSocket)  # noqa: S101  # the context's own class
        tls.deadline = deadline
        connection = http.client.HTTPSConnection(self._server_name, self._port, context=context)
        connection.sock = tls
        return connection

    def _ready_context(self) -> ssl.SSLContext:
        """The context with our client certificate, made once until that is forgotten."""
        context = self._context
        if context is None:  # made twice by two threads at once, which does no harm
            context = self._trusting_context()
            self._identity.load_into(context)
            self._context = context
        return context

    def _trusting_context(self) -> ssl.SSLContext:
        """TLS 1.2 or 1.3, the server verified by name and by our trust anchor alone."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # an anchor needn't be a root
        context.sslsocket_class = _BoundedSocket
        try:
            context.load_verify_locations(cadata=read_file(self._trust_anchor).decode("ascii"))
        except (ssl.SSLError, ValueError) as error:
            raise OperatorError(
                f"ESTSigner: OPTIONS.trustAnchor: {self._trust_anchor} holds no certificate that "
                "can be read: wanted PEM, which begins with -----BEGIN CERTIFICATE-----"
            ) from error
        return context

    def _failure(self, operation: str, error: OSError | http.client.HTTPException) -> RemoteFailure:
        """Say what went wrong before there was a reply. The peer's words are escaped."""
        if isinstance(error, ssl.SSLCertVerificationError):
            code, message = "CertificateRefused", error.verify_message
            advice = "see that trustAnchor is the server's CA, and serverName the server's name"
        elif isinstance(error, TimeoutError):
            code, message = "Timeout", f"no whole reply within {self._seconds} seconds"
            advice = "look at the network and the server, or raise timeoutSeconds"
        elif isinstance(error, ssl.SSLError):
            code, message = "TLSFailure", error.reason or "the connection broke off"
            advice = "see that the server trusts our client certificate, and that it hasn't expired"
        elif isinstance(error, OSError):
            code, message = "NoConnection", error.strerror or type(error).__name__
            advice = "look at the network and the server, then try again"
        else:
            code, message = "NotHTTP", f"{type(error).__name__} {_for_log(str(error))}"
            advice = "see that the url is right"
        return RemoteFailure(
            f"est:{operation}", code, f"{self}: {message}", advice, is_transient=True
        )


class _BoundedSocket(ssl.SSLSocket):
    """A TLS connection whose reads end together, however slowly the peer dribbles."""

    deadline = math.inf

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        """Read, for no longer than is left. Raises ``TimeoutError``."""
        self.settimeout(_left(self.deadline))
        return super().recv_into(*args, **kwargs)


def _dial(host: str, port: int, deadline: float) -> socket.socket:
    """Connect to the first address of ``host`` that takes the connection."""
    failure: OSError | None = None
    for *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        try:
            numeric = (str(address[0]), int(address[1]))
            return socket.create_connection(numeric, timeout=_left(deadline))
        except OSError as error:
            failure = error
    raise failure or TimeoutError


def _left(deadline: float) -> float:
    """Seconds until ``deadline``. Raises ``TimeoutError`` when there are none."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _for_log(text: str) -> str:
    """Escaped to ASCII, on one line, and cut."""
    escaped = ascii(text)
    return escaped if len(escaped) <= MAX_WORDS else f"{escaped[:MAX_WORDS]}..."


def certificates_in(reply: Reply) -> list[x509.Certificate]:
    """The certificates of a certs-only reply (RFC 7030 4.2.3, RFC 5272 4.1).

    White space in the base64 is ignored (RFC 8951 3.1), parameters of the media type are too.
    Raises ``ValueError``, in a sentence, for anything else.
    """
    if reply.media_type != PKCS7:
        raise ValueError(f"the reply is {reply.media_type[:64]!a}, wanted {PKCS7}")
    try:
        der = base64.b64decode(b"".join(reply.body.split()), validate=True)
    except binascii.Error as error:
        raise ValueError("the reply isn't base64") from error
    try:
        return pkcs7.load_der_pkcs7_certificates(der)
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise ValueError("the reply isn't a certs-only PKCS #7 in DER") from error
