"""TLS for devices: one cached context that follows the truststore.

Building an `ssl.SSLContext` takes 1 to 2 ms, as long as the rest of a request. The context is
built once, and again when the CA certificates or the server's own certificate have changed.
"""

import logging
import ssl
import threading
import time
from pathlib import Path
from typing import Protocol

logger = logging.getLogger(__name__)

CIPHERS_TLS12 = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""TLS 1.2 with forward secrecy and without CBC (RFC 9325 4.2), as in all suites of TLS 1.3."""


class TruststoreUnavailable(Exception):
    """The CA certificates cannot be read now. The server continues with those it has."""


class TruststoreSource(Protocol):
    """The source of the CA certificates that verify client certificates."""

    def version(self) -> str:
        """Return a text that changes when `pem` does. It must be cheap, for it is asked often.

        Raises:
            TruststoreUnavailable: the source cannot be read now.
        """

    def pem(self) -> str:
        """Return all CA certificates as PEM, one after the other, or "" to trust no client.

        Raises:
            TruststoreUnavailable: the source cannot be read now.
        """


def server_context(certificate: Path, key: Path, truststore_pem: str) -> ssl.SSLContext:
    """Return the TLS settings of the device side.

    Client certificates are optional in TLS, because ``/cacerts`` is public (RFC 7030 4.1.2). The
    application decides for each operation. A certificate that a client sends must be valid.

    Raises:
        OSError, ssl.SSLError: the files or ``truststore_pem`` cannot be read.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 9325 3.1.1
    context.maximum_version = ssl.TLSVersion.TLSv1_3
    context.set_ciphers(CIPHERS_TLS12)
    # OpenSSL chooses the groups and prefers X25519 and P-256. Python 3.11 can name only one group,
    # which would forbid the others. Devices connect once in months and have nothing to resume.
    context.num_tickets = 0
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.load_cert_chain(certificate, key)
    context.verify_mode = ssl.CERT_OPTIONAL
    # The truststore may have an intermediate CA without its root.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if truststore_pem.strip():
        context.load_verify_locations(cadata=truststore_pem)
    return context


class ContextCache:
    """The current `ssl.SSLContext`, rebuilt when the CAs or the server certificate change.

    A CA that another process (the admin) made is trusted within ``refresh_seconds``. Open
    connections keep their context.
    """

    def __init__(
        self,
        certificate: Path,
        key: Path,
        truststore: TruststoreSource,
        *,
        refresh_seconds: float = 5.0,
    ) -> None:
        self._certificate = certificate
        self._key = key
        self._truststore = truststore
        self._refresh_seconds = refresh_seconds
        self._lock = threading.Lock()
        self._context: ssl.SSLContext | None = None
        self._version = ""
        self._look_again = 0.0  # monotonic time

    def context(self) -> ssl.SSLContext:
        """Return the context for a new connection.

        Raises:
            TruststoreUnavailable, OSError, ssl.SSLError: no context has been built yet.
        """
        context = self._context
        if context is None:
            with self._lock:
                return self._context or self._rebuild(self._current_version())
        # One thread checks for changes. The others need not wait, for there is rarely a change.
        if time.monotonic() >= self._look_again and self._lock.acquire(blocking=False):
            try:
                version = self._current_version()
                if version != self._version:
                    context = self._rebuild(version)
                    logger.info("the truststore or the server certificate changed; now in use")
            except (TruststoreUnavailable, OSError) as error:  # ssl.SSLError is an OSError
                logger.warning("going on with the previous truststore and certificate: %s", error)
            finally:
                self._look_again = time.monotonic() + self._refresh_seconds
                self._lock.release()
        return context

    def _current_version(self) -> str:
        return f"{self._certificate.stat().st_mtime_ns} {self._truststore.version()}"

    def _rebuild(self, version: str) -> ssl.SSLContext:
        context = server_context(self._certificate, self._key, self._truststore.pem())
        # The version was read before the certificates, so the next check finds a change between.
        self._context, self._version = context, version
        self._look_again = time.monotonic() + self._refresh_seconds
        return context
