"""One small view per EST operation: parse, call, reply. No decisions.

Enrolling has a module of its own, ``enrollment_views``: what it takes to sign is loaded by the
first request that wants a signature.
"""

from typing import Any, cast

from django.http import HttpResponse
from rest_framework.request import Request

from estserver.est import renderers
from estserver.est.middleware import ESTRequest
from estserver.est.operation import OperationView
from estserver.est.reasons import HTTPReason
from pki.encoding.csrattrs import encode_csr_attributes
from pki.exceptions import PKIError
from pki.record.snapshot import ProfileSnapshot, current_snapshot

LIBEST_USER_AGENT = "Cisco EST client"


class ESTView(OperationView):
    """What all operations share."""

    label: str = ""

    def prepare(self, **kwargs: Any) -> None:
        """The label, and CAs and profiles as they are now."""
        self.label = kwargs.get("label") or ""
        self.est_request.snapshot = current_snapshot()

    @property
    def est_request(self) -> ESTRequest:
        """What the middleware found out about the request."""
        return cast(ESTRequest, self.request._request)

    @property
    def profile(self) -> ProfileSnapshot:
        """The certificate profile of the label (RFC 7030 3.2.2)."""
        return self.est_request.snapshot.profile(self.label)


class CACertsView(ESTView):
    """The CA's certificates, for everyone (RFC 7030 4.1)."""

    http_method_names = ["get"]

    def get(self, request: Request, label: str | None = None) -> HttpResponse:
        """200 with a certs-only PKCS #7."""
        profile = self.profile
        return renderers.ca_certificates(
            profile.ca_certificates,
            with_smime_type=profile.row.is_smime_type_sent,
            wrapped=request.META.get("HTTP_USER_AGENT", "").startswith(LIBEST_USER_AGENT),
        )


class CSRAttrsView(ESTView):
    """What a CSR should hold, for everyone (RFC 7030 4.5)."""

    http_method_names = ["get"]

    def get(self, request: Request, label: str | None = None) -> HttpResponse:
        """200 with CsrAttrs, or 204."""
        return renderers.csr_attributes(encode_csr_attributes(self.profile.row.csrattrs))


class NotOfferedView(ESTView):
    """An optional operation that isn't built (RFC 7030 4.3, 4.4)."""

    http_method_names = ["post"]

    def post(self, request: Request, label: str | None = None) -> HttpResponse:
        """501 with a sentence."""
        refused = PKIError(
            HTTPReason.NOT_IMPLEMENTED,
            "This server does not offer the operation. Use simpleenroll and simplereenroll.",
        )
        self.est_request.refused = refused
        return renderers.refusal(refused, request_id=self.est_request.request_id)
