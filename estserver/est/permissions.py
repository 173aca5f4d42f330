"""Check whether a caller may use an operation at all.

``pki.issuance.name_rules`` decides which name it may have.
"""

from typing import TYPE_CHECKING

from estserver.est.reasons import HTTPReason
from pki.exceptions import ClientRefused
from pki.issuance.client_authentication import Client

if TYPE_CHECKING:
    from rest_framework.request import Request


class IsEnrollmentClient:
    """Admits authenticated clients (RFC 7030 3.3.2)."""

    def check(self, request: "Request") -> None:
        """Raise ``ClientRefused`` (401) unless the request has an authenticated client."""
        if not isinstance(request.user, Client):
            raise ClientRefused(HTTPReason.CLIENT_CERTIFICATE_MISSING)
