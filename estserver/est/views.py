"""One small view per EST operation: parse, call, reply. No decisions."""

from typing import Any, cast

from django.http import Http404, HttpRequest, HttpResponse
from rest_framework.request import Request

from estserver.enrollment import EnrollmentRequest, enroll, record_refusal, reenroll
from estserver.est import errors, renderers
from estserver.est.authentication import MutualTLSAuthentication
from estserver.est.middleware import ESTRequest
from estserver.est.operation import OperationView
from estserver.est.parsers import PKCS10Parser
from estserver.est.permissions import IsEnrollmentClient
from pki import prepared
from pki.audit import Actor
from pki.clients import Client
from pki.crl import current_crl
from pki.csr import check_csr
from pki.csrattrs import encode_csr_attributes
from pki.exceptions import CSRRejected, OperatorError, PKIError, remote_failure
from pki.models import CertificateAuthority, IssuedCertificate
from pki.prepared import PreparedProfile
from pki.reasons import Reason

Operation = IssuedCertificate.Operation

LIBEST_USER_AGENT = "Cisco EST client"


class ESTView(OperationView):
    """What all operations share."""

    label: str = ""

    def prepare(self, **kwargs: Any) -> None:
        """The label, and CAs and profiles as they are now."""
        self.label = kwargs.get("label") or ""
        self.seen.world = prepared.current()

    @property
    def seen(self) -> ESTRequest:
        """What the middleware found out about the request."""
        return cast(ESTRequest, self.request._request)

    @property
    def profile(self) -> PreparedProfile:
        """The certificate profile of the label (RFC 7030 3.2.2)."""
        return self.seen.world.profile(self.label)

    @property
    def client(self) -> Client:
        """Who is calling; only where ``IsEnrollmentClient`` let it in."""
        return cast(Client, self.request.user)


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


class _EnrollmentView(ESTView):
    """A CSR in, one certificate out."""

    http_method_names = ["post"]
    authentication_classes = [MutualTLSAuthentication]
    permission_classes = [IsEnrollmentClient]
    parser_classes = [PKCS10Parser]

    operation: Operation
    common_name = ""
    """Of the CSR, once it is checked."""

    def enrollment_request(self) -> EnrollmentRequest:
        """Everything about the request, typed and checked; nothing in it is HTTP any more."""
        profile = self.profile
        body = self.parse()
        if body is None:
            raise CSRRejected(Reason.BODY_EMPTY)
        csr = check_csr(body, profile.rules)
        self.common_name = csr.common_name
        return EnrollmentRequest(
            csr=csr,
            client=self.client,
            profile=profile,
            source_ip=self.seen.caller.source_ip,
            request_id=self.seen.request_id,
            tenant_id=_tenant_id(self.seen.GET.get("tenant-id", "")),
        )

    def handle_exception(self, exc: Exception) -> HttpResponse:
        """Answer a refusal, and put it on the audit trail, where its request id finds it.

        Only for callers with a certificate: a stranger's refusals are in the log alone, so that
        nobody fills the database from outside.
        """
        response = super().handle_exception(exc)
        if self.seen.refused is not None and self.seen.caller.certificate is not None:
            record_refusal(
                self.operation,
                self.seen.refused,
                actor=Actor(
                    f"client:{self.seen.caller.fingerprint}",
                    self.seen.request_id,
                    self.seen.caller.source_ip,
                ),
                target=f"thing:{self.common_name}" if self.common_name else f"label:{self.label}",
            )
        return response


def _tenant_id(said: str) -> str:
    """The query's ``tenant-id``, without what can't be seen: databases refuse a NUL."""
    return "".join(filter(str.isprintable, said))[:100]


class SimpleEnrollView(_EnrollmentView):
    """Issue a first certificate to a device (RFC 7030 4.2.1)."""

    operation = Operation.ENROLL

    def post(self, request: Request, label: str | None = None) -> HttpResponse:
        """200 with the certificate."""
        certificate = enroll(self.enrollment_request())
        self.seen.issued = certificate
        return renderers.certs_only(certificate.to_x509())


class SimpleReenrollView(_EnrollmentView):
    """Renew or rekey a device's certificate (RFC 7030 4.2.2)."""

    operation = Operation.REENROLL

    def post(self, request: Request, label: str | None = None) -> HttpResponse:
        """200 with the new certificate."""
        certificate = reenroll(self.enrollment_request())
        self.seen.issued = certificate
        return renderers.certs_only(certificate.to_x509())


class NotOfferedView(ESTView):
    """An optional operation that isn't built (RFC 7030 4.3, 4.4)."""

    http_method_names = ["post"]

    def post(self, request: Request, label: str | None = None) -> HttpResponse:
        """501 with a sentence."""
        refused = PKIError(
            Reason.NOT_IMPLEMENTED,
            "this server doesn't offer the operation; it offers simpleenroll and simplereenroll",
        )
        self.seen.refused = refused
        return renderers.refusal(refused, 501, request_id=self.seen.request_id)


OPERATIONS: dict[str, type[ESTView]] = {
    "cacerts": CACertsView,
    "simpleenroll": SimpleEnrollView,
    "simplereenroll": SimpleReenrollView,
    "csrattrs": CSRAttrsView,
    "serverkeygen": NotOfferedView,
    "fullcmc": NotOfferedView,
}
"""Each EST operation by its path name (RFC 7030 3.2.2)."""


def crl(request: HttpRequest, name: str) -> HttpResponse:
    """A CA's revocation list in DER (RFC 5280 5), for everyone."""
    ca = CertificateAuthority.objects.filter(name=name).first()
    if ca is None:
        raise Http404
    try:
        der = current_crl(ca)
    except OperatorError as error:
        if remote_failure(error):
            return errors.signer_unavailable(request, error)
        raise Http404 from error
    return HttpResponse(
        der, content_type="application/pkix-crl", headers={"Content-Length": str(len(der))}
    )
