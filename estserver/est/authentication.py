"""Authenticate the client by the transport's certificate."""

from typing import TYPE_CHECKING, cast

from pki.issuance.client_authentication import Client, authenticate_certificate

if TYPE_CHECKING:
    from rest_framework.request import Request

    from estserver.est.middleware import ESTRequest


class MutualTLSAuthentication:
    """Finds out who the client is. Permissions and name rules decide what it may have."""

    def authenticate(self, request: "Request") -> tuple[Client, None] | None:
        """Return the client of the TLS connection, or None when it sent no certificate.

        Raises ``ClientRefused`` for a certificate that does not authenticate a client.
        """
        est_request = cast("ESTRequest", request._request)
        caller = est_request.caller
        if caller.certificate is None:
            return None
        client = authenticate_certificate(
            caller.certificate,
            caller.chain,
            snapshot=est_request.snapshot,
            records=est_request.client_records,
        )
        return client, None
