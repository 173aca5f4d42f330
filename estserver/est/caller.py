"""Who is calling, as the transport saw it: API Gateway's event or the TLS socket. Never a header.

Header spellings fold together in WSGI, so a client could overwrite whatever a gateway mapped into
one. The gateway's event and the server's socket can't be reached by any header.
"""

import hashlib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from estserver.est.reasons import HTTPReason
from estserver.est.transport import peer_certificate, peer_chain
from pki.exceptions import ClientRefused


@dataclass(frozen=True, slots=True)
class Caller:
    """The other end of the connection, not yet judged."""

    certificate: bytes | None
    """DER, not yet read; ``None`` when no client certificate came."""
    chain: tuple[bytes, ...] = ()
    """What TLS verified, the certificate first; empty when the transport doesn't tell."""
    source_ip: str | None = None
    request_id: str = ""
    """The transport's own id of the request, if it has one."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, lower-case hex; empty without one."""
        return hashlib.sha256(self.certificate).hexdigest() if self.certificate else ""


def caller(environ: Mapping[str, Any]) -> Caller:
    """Who called, from a WSGI environ.

    Raises ``ClientRefused`` for a Lambda event that didn't come through API Gateway on an EST
    domain: only there has mutual TLS taken place.
    """
    # Zappa's name for it, then apig-wsgi's.
    event = environ.get("lambda.event") or environ.get("apig_wsgi.full_event")
    if event is not None:
        return _from_event(event)
    connection = environ.get("gunicorn.socket")
    source_ip = environ.get("REMOTE_ADDR") or None
    return Caller(peer_certificate(connection), chain=peer_chain(connection), source_ip=source_ip)


def _from_event(event: Mapping[str, Any]) -> Caller:
    """REST API events have ``identity.clientCert``, HTTP API events ``authentication.clientCert``.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-mutual-tls.html
    """
    context = event.get("requestContext") or {}
    http = context.get("http")
    if http is not None:
        holder, source_ip = context.get("authentication") or {}, http.get("sourceIp")
    else:
        holder = context.get("identity") or {}
        source_ip = holder.get("sourceIp")
    seen = Caller(None, source_ip=source_ip, request_id=str(context.get("requestId") or "")[:36])
    if context.get("domainName") not in settings.EST_DOMAIN_NAMES or not context.get("apiId"):
        raise EndpointNotAllowed(seen)
    pem = (holder.get("clientCert") or {}).get("clientCertPem")
    if not pem or context["domainName"] == settings.EST_BOOTSTRAP_DOMAIN_NAME:
        return seen
    return Caller(_der(pem), source_ip=source_ip, request_id=seen.request_id)


class EndpointNotAllowed(ClientRefused):
    """The event came round the EST domain: execute-api, a function URL, a load balancer."""

    def __init__(self, caller: Caller) -> None:
        super().__init__(HTTPReason.ENDPOINT_NOT_ALLOWED)
        self.caller = caller


def _der(pem: str) -> bytes:
    """Undo the armour; what isn't a certificate is refused where one is needed, as from TLS."""
    try:
        return ssl.PEM_cert_to_DER_cert(pem.strip())
    except ValueError:
        return pem.encode()
