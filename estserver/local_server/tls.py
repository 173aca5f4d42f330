"""TLS for devices: one cached context that follows the truststore.

Building an `ssl.SSLContext` costs 1 to 2 ms, as much as the rest of a request. It is built once,
and again only when the CA certificates or the server's own certificate have changed.
"""

import logging
import ssl
import threading
import time
from pathlib import Path
from typing import Protocol

logger = logging.getLogger(__name__)

CIPHERS_TLS12 = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""For TLS 1.2: forward secret and authenticated, no CBC (RFC 9325 4.2). TLS 1.3 has no others."""


class TruststoreUnavailable(Exception):
    """The CA certificates can't be read at the moment; whoever asked goes on with what it had."""


class TruststoreSource(Protocol):
    """Where the CA certificates come from that client certificates are verified with."""

    def version(self) -> str:
        """A token that changes when `pem` would. Cheap: asked for every few seconds.

        Raises:
            TruststoreUnavailable: when it can't be told now.
        """

    def pem(self) -> str:
        """All CA certificates as PEM, one after the other; empty to trust no client.

        Raises:
            TruststoreUnavailable: when they can't be read now.
        """


def server_context(certificate: Path, key: Path, truststore_pem: str) -> ssl.SSLContext:
    """The TLS settings of the device side.

    Client certificates are optional here: ``/cacerts`` is for everybody (RFC 7030 4.1.2), and the
    application decides for each operation. One that is shown must be valid, though.

    Raises:
        OSError, ssl.SSLError: when the files or ``truststore_pem`` can't be read.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 9325 3.1.1
    context.maximum_version = ssl.TLSVersion.TLSv1_3
    context.set_ciphers(CIPHERS_TLS12)
    # Groups are left to OpenSSL, which prefers X25519 and P-256: naming one in Python 3.11 would
    # forbid the others. Devices come once in months, so there is nothing to resume.
    context.num_tickets = 0
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.load_cert_chain(certificate, key)
    context.verify_mode = ssl.CERT_OPTIONAL
    # What the operator trusts may be an intermediate, or a device CA that another CA signed.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if truststore_pem.strip():
        context.load_verify_locations(cadata=truststore_pem)
    return context


class ContextCache:
    """The current `ssl.SSLContext`, rebuilt when the CAs or the server certificate change.

    A CA made in the admin, in another process, is trusted within ``refresh_seconds``. Connections
    that are open go on as they are.
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
        """The context for a new connection.

        Raises:
            TruststoreUnavailable, OSError, ssl.SSLError: only if there has never been a context.
        """
        context = self._context
        if context is None:
            with self._lock:
                return self._context or self._rebuild(self._current_version())
        # One thread looks; the others needn't wait for what is nearly always "no change".
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
        # The version was read before the certificates: a change in between is seen next time.
        self._context, self._version = context, version
        self._look_again = time.monotonic() + self._refresh_seconds
        return context
