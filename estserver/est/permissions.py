"""May this caller use the operation at all?

Which name it may have, ``pki.issuance.name_rules`` decides.
"""

from typing import TYPE_CHECKING

from estserver.est.reasons import HTTPReason
from pki.exceptions import ClientRefused
from pki.issuance.client_authentication import Client

if TYPE_CHECKING:
    from rest_framework.request import Request


class IsEnrollmentClient:
    """Somebody with a client certificate (RFC 7030 3.3.2)."""

    def check(self, request: "Request") -> None:
        """Raise ``ClientRefused`` (401) unless a client is there."""
        if not isinstance(request.user, Client):
            raise ClientRefused(HTTPReason.CLIENT_CERTIFICATE_MISSING)
