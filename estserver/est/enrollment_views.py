"""Answer simpleenroll and simplereenroll (RFC 7030 4.2): a CSR in, one certificate out."""

from typing import cast

from django.http import HttpResponse
from rest_framework.request import Request

from estserver.enrollment.enroll import enroll
from estserver.enrollment.refusals import record_refusal
from estserver.est import renderers
from estserver.est.authentication import MutualTLSAuthentication
from estserver.est.parsers import PKCS10Parser
from estserver.est.permissions import IsEnrollmentClient
from estserver.est.reasons import HTTPReason
from estserver.est.views import ESTView
from pki.csr.check import check_csr
from pki.exceptions import CSRRejected
from pki.issuance.client_authentication import Client, look_for_client
from pki.issuance.request import EnrollmentRequest
from pki.models import IssuedCertificate
from pki.record.audit_trail import Actor
from pki.record.snapshot import CASnapshot, current_snapshot_and

Operation = IssuedCertificate.Operation


class _EnrollmentView(ESTView):
    """Answer a CSR with one certificate."""

    http_method_names = ["post"]
    authentication_classes = [MutualTLSAuthentication]
    permission_classes = [IsEnrollmentClient]
    parser_classes = [PKCS10Parser]

    operation: Operation
    common_name = ""
    """The CSR's, once it is checked."""

    def read_snapshot(self) -> CASnapshot:
        """Return the snapshot, read in one round trip with the record of the caller."""
        caller = self.est_request.caller
        if caller.certificate is None:
            return super().read_snapshot()
        snapshot, records = current_snapshot_and(look_for_client(caller.fingerprint))
        self.est_request.client_records = records
        return snapshot

    @property
    def client(self) -> Client:
        """The client, which ``IsEnrollmentClient`` has let in."""
        return cast(Client, self.request.user)

    def enrollment_request(self) -> EnrollmentRequest:
        """Return the request, checked and free of HTTP. Raises ``PKIError``."""
        profile = self.profile
        body = self.parse()
        if body is None:
            raise CSRRejected(HTTPReason.BODY_EMPTY)
        csr = check_csr(body, profile.rules)
        self.common_name = csr.common_name
        return EnrollmentRequest(
            csr=csr,
            client=self.client,
            profile=profile,
            operation=self.operation,
            source_ip=self.est_request.caller.source_ip,
            request_id=self.est_request.request_id,
            tenant_id=_tenant_id(self.est_request.GET.get("tenant-id", "")),
        )

    def post(self, request: Request, label: str | None = None) -> HttpResponse:
        """Answer 200 with the certificate."""
        certificate = enroll(self.enrollment_request())
        self.est_request.issued = certificate
        return renderers.certs_only(certificate, user_agent=self.user_agent)

    def handle_exception(self, exc: Exception) -> HttpResponse:
        """Answer a refusal, and put it on the audit trail, where its request id finds it.

        The refusal of a caller without a certificate is in the log alone, so that strangers
        cannot fill the database.
        """
        response = super().handle_exception(exc)
        if self.est_request.refused is not None and self.est_request.caller.certificate is not None:
            record_refusal(
                self.operation,
                self.est_request.refused,
                actor=Actor.client(
                    self.est_request.caller.fingerprint,
                    self.est_request.request_id,
                    self.est_request.caller.source_ip,
                ),
                target=f"thing:{self.common_name}" if self.common_name else f"label:{self.label}",
            )
        return response


def _tenant_id(value: str) -> str:
    """Return the query's ``tenant-id`` without invisible characters: databases refuse a NUL."""
    return "".join(filter(str.isprintable, value))[:100]


class SimpleEnrollView(_EnrollmentView):
    """Issue a first certificate to a device (RFC 7030 4.2.1)."""

    operation = Operation.ENROLL


class SimpleReenrollView(_EnrollmentView):
    """Renew or rekey a device's certificate (RFC 7030 4.2.2)."""

    operation = Operation.REENROLL
