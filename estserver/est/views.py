"""The EST operations that need no client certificate, one small view each: parse, call, reply.

Enrolling has a module of its own, ``enrollment_views``, so the modules that sign are loaded by the
first enrollment and not by /cacerts.
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
from pki.record.snapshot import CASnapshot, ProfileSnapshot, current_snapshot


class ESTView(OperationView):
    """An operation under a label, with the CAs and profiles as of this request."""

    label: str = ""

    def prepare(self, **kwargs: Any) -> None:
        """Set the label, and the snapshot of CAs and profiles."""
        self.label = kwargs.get("label") or ""
        self.est_request.snapshot = self.read_snapshot()

    def read_snapshot(self) -> CASnapshot:
        """Return the CAs and profiles as they are now."""
        return current_snapshot()

    @property
    def est_request(self) -> ESTRequest:
        """The request as the middleware has it."""
        return cast(ESTRequest, self.request._request)

    @property
    def user_agent(self) -> str:
        """The client's name for itself, which may choose line breaks and nothing else."""
        return str(self.est_request.META.get("HTTP_USER_AGENT", ""))

    @property
    def profile(self) -> ProfileSnapshot:
        """The certificate profile of the label (RFC 7030 3.2.2)."""
        return self.est_request.snapshot.profile(self.label)


class CACertsView(ESTView):
    """The CA's certificates, without authentication (RFC 7030 4.1)."""

    http_method_names = ["get", "head"]

    def get(self, request: Request, label: str | None = None) -> HttpResponse:
        """Answer 200 with a certs-only PKCS #7."""
        profile = self.profile
        return renderers.ca_certificates(
            profile.ca_certificates,
            with_smime_type=profile.row.is_smime_type_sent,
            user_agent=self.user_agent,
        )


class CSRAttrsView(ESTView):
    """The attributes that a CSR should have, without authentication (RFC 7030 4.5)."""

    http_method_names = ["get", "head"]

    def get(self, request: Request, label: str | None = None) -> HttpResponse:
        """Answer 200 with CsrAttrs, or 204."""
        der = encode_csr_attributes(self.profile.row.csrattrs)
        return renderers.csr_attributes(der, user_agent=self.user_agent)


class NotOfferedView(ESTView):
    """An optional operation that this server does not offer (RFC 7030 4.3, 4.4)."""

    http_method_names = ["post"]

    def post(self, request: Request, label: str | None = None) -> HttpResponse:
        """Answer 501."""
        refused = PKIError(
            HTTPReason.NOT_IMPLEMENTED,
            "This server does not offer the operation. Use simpleenroll and simplereenroll.",
        )
        self.est_request.refused = refused
        return renderers.refusal(refused, request_id=self.est_request.request_id)
