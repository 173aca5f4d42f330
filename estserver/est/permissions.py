"""May this caller use the operation at all? Which name it may have, ``pki.identity`` decides."""

from typing import TYPE_CHECKING

from pki.clients import Client
from pki.exceptions import ClientRefused
from pki.reasons import Reason

if TYPE_CHECKING:
    from rest_framework.request import Request

    from estserver.est.operation import OperationView


class IsEnrollmentClient:
    """Somebody with a client certificate (RFC 7030 3.3.2)."""

    def has_permission(self, request: "Request", view: "OperationView") -> bool:
        """Whether a client is there; raises ``ClientRefused`` (401) when not."""
        if not isinstance(request.user, Client):
            raise ClientRefused(Reason.CLIENT_CERTIFICATE_MISSING)
        return True
