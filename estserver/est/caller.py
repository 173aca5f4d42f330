"""Who is calling, according to API Gateway's event or the TLS socket, and never to a header.

WSGI folds several spellings of a header into one name, so a client could overwrite what a gateway
mapped into a header. No header reaches the gateway's event or the server's socket.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from estserver.est.reasons import HTTPReason
from estserver.est.transport import peer_certificate, peer_chain
from pki.encoding.der import fingerprint_of_der
from pki.exceptions import ClientRefused


@dataclass(frozen=True, slots=True)
class Caller:
    """The other end of the connection, before authentication."""

    certificate: bytes | None
    """DER that has not been parsed, or ``None`` if no client certificate came."""
    chain: tuple[bytes, ...] = ()
    """The chain that TLS verified, the certificate first. Empty if the transport has none."""
    source_ip: str | None = None
    request_id: str = ""
    """The id that the transport gave the request, or ""."""

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the certificate in lower-case hex, or "" without one."""
        return fingerprint_of_der(self.certificate) if self.certificate else ""


def caller(environ: Mapping[str, Any]) -> Caller:
    """Return who called, from a WSGI environ.

    Raises:
        EndpointNotAllowed: a Lambda event did not come through API Gateway on an EST domain, which
            is the only place where mutual TLS happens.
    """
    # Zappa has the first name for the event, and apig-wsgi the second.
    event = environ.get("lambda.event") or environ.get("apig_wsgi.full_event")
    if event is not None:
        return _from_event(event)
    connection = environ.get("gunicorn.socket")
    source_ip = environ.get("REMOTE_ADDR") or None
    return Caller(peer_certificate(connection), chain=peer_chain(connection), source_ip=source_ip)


def _from_event(event: Mapping[str, Any]) -> Caller:
    """Return who called, from an event of API Gateway. Raises ``EndpointNotAllowed``.

    REST API events have ``identity.clientCert``, and HTTP API events have
    ``authentication.clientCert``.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-mutual-tls.html
    """
    context = event.get("requestContext") or {}
    http = context.get("http")
    if http is not None:
        holder, source_ip = context.get("authentication") or {}, http.get("sourceIp")
    else:
        holder = context.get("identity") or {}
        source_ip = holder.get("sourceIp")
    request_id = str(context.get("requestId") or "")[:36]
    stranger = Caller(None, source_ip=source_ip, request_id=request_id)
    if context.get("domainName") not in settings.EST_DOMAIN_NAMES or not context.get("apiId"):
        raise EndpointNotAllowed(stranger)
    pem = (holder.get("clientCert") or {}).get("clientCertPem")
    if not pem or context["domainName"] == settings.EST_BOOTSTRAP_DOMAIN_NAME:
        return stranger
    return Caller(_der(pem), source_ip=source_ip, request_id=request_id)


class EndpointNotAllowed(ClientRefused):
    """The event came from execute-api, a function URL or a load balancer, not an EST domain."""

    def __init__(self, caller: Caller) -> None:
        super().__init__(HTTPReason.ENDPOINT_NOT_ALLOWED)
        self.caller = caller


def _der(pem: str) -> bytes:
    """Return the DER of PEM. Anything else stays as it is, and authentication refuses it later."""
    try:
        return ssl.PEM_cert_to_DER_cert(pem.strip())
    except ValueError:
        return pem.encode()
