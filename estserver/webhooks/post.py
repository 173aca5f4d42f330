"""One POST to a webhook: https only, to checked addresses, without redirects, and with an end."""

import http.client
import ssl
import time
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from estserver.webhooks.addresses import check_addresses
from pki.operators.errors import OperatorError
from pki.signers.est.connection import DeadlineSocket, connect
from pki.waiting import waiting

SECONDS: Final = 10
"""How long an attempt may take, from the name's address to the end of the answer."""
MOST_BYTES: Final = 64 * 1024
"""How much of an answer is read. Nothing of it is kept, because it may be of a private place."""
LONGEST_URL: Final = 500


class NotTaken(OperatorError):
    """The receiver did not take a message. ``is_final``: it never will."""

    def __init__(self, sentence: str, *, is_final: bool = False) -> None:
        self.is_final = is_final
        super().__init__(sentence)


def check_url(url: str) -> None:
    """Raise ``OperatorError`` for an address that a webhook cannot have.

    A host that is an IP address is judged here. The addresses of a name are judged when it is
    called, because they may be others by then.
    """
    host = _parts(url).hostname or ""
    try:
        ip_address(host.partition("%")[0])
    except ValueError:  # a name
        return
    check_addresses(host, [host])


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    is_plain = url.isascii() and url.isprintable() and not set(' "<>\\^`{|}') & set(url)
    if (
        not is_plain
        or len(url) > LONGEST_URL
        or parts.scheme != "https"
        or not parts.hostname
        or parts.username is not None
        or parts.password is not None
        or parts.fragment
        or port == 0
    ):
        raise OperatorError(
            "The URL is not one that a webhook can have. Give https://host/path, with at most "
            f"{LONGEST_URL} characters of ASCII, and without a name, a password or a fragment."
        )
    return parts


def origin(url: str) -> str:
    """Return scheme, host and port. A path may be a secret of the receiver, so it is not shown."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def post(url: str, body: bytes, headers: Mapping[str, str]) -> None:
    """Send ``body`` as JSON. Raises ``NotTaken`` unless the answer is 2xx."""
    parts = _parts(url)
    host = parts.hostname or ""
    deadline = time.monotonic() + SECONDS
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        with (
            waiting(),
            closing(
                connect(
                    host,
                    parts.port or http.client.HTTPS_PORT,
                    host,
                    _context(),
                    deadline,
                    partial(check_addresses, host),
                )
            ) as connection,
        ):
            connection.request(
                "POST",
                target,
                body,
                {
                    "Content-Type": "application/json",
                    "User-Agent": "est-server-webhooks",
                    "Connection": "close",
                    **headers,
                },
            )
            with connection.getresponse() as response:
                response.read(MOST_BYTES)
    except OperatorError as error:
        raise NotTaken(str(error)) from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise NotTaken(_failure(host, error)) from error
    _judge(response.status)


def _context() -> ssl.SSLContext:
    """Return a context that trusts the system's CAs, or those of SSL_CERT_FILE."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = DeadlineSocket
    return context


def _judge(status: int) -> None:
    if 200 <= status < 300:
        return
    if status == 410:  # the specification: the receiver wants no more
        raise NotTaken("The receiver says 410: the address is gone for good.", is_final=True)
    if 300 <= status < 400:
        raise NotTaken(f"The receiver says {status}, and redirects are not followed.")
    raise NotTaken(f"The receiver says {status}.")


def _failure(host: str, error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"The certificate of {host} is not trusted: {error.verify_message}."
    if isinstance(error, TimeoutError):
        return f"{host} has not answered within {SECONDS} seconds."
    if isinstance(error, ssl.SSLError):
        return f"TLS with {host} failed: {error.reason or 'the connection broke off'}."
    if isinstance(error, OSError):
        return f"{host} cannot be reached: {error.strerror or type(error).__name__}."
    return f"{host} did not answer in HTTP ({type(error).__name__})."
