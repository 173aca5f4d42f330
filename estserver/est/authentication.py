"""From the transport's certificate to a ``Client``."""

from typing import TYPE_CHECKING, cast

from pki.issuance.client_authentication import Client, authenticate_certificate

if TYPE_CHECKING:
    from rest_framework.request import Request

    from estserver.est.middleware import ESTRequest


class MutualTLSAuthentication:
    """Says who is calling; whether they may is for permissions and identity rules to say."""

    def authenticate(self, request: "Request") -> tuple[Client, None] | None:
        """The client of the TLS connection, or ``None`` when it showed no certificate.

        Raises ``ClientRefused`` for a certificate that authenticates nobody.
        """
        seen = cast("ESTRequest", request._request)
        if seen.caller.certificate is None:
            return None
        return authenticate_certificate(
            seen.caller.certificate, seen.caller.chain, snapshot=seen.snapshot
        ), None
