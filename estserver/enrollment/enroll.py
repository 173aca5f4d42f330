"""The order of things in an enrollment, free of HTTP: hook, issue, provision, hook."""

import logging

from estserver.enrollment.hooks import (
    EnrollmentHook,
    HookRequest,
    has_post_hook,
    has_pre_hook,
    installed_hook,
)
from estserver.enrollment.pending import add_pending_hook, run_post_hook
from estserver.models import PendingHook
from iotprov.provisioning.desired_state import needs_provisioning_at_issue
from pki.exceptions import PKIError, SignerUnavailable
from pki.issuance.issue import issue_certificate
from pki.issuance.request import EnrollmentRequest
from pki.models import IssuedCertificate
from pki.reasons import Reason
from pki.waiting import waiting

logger = logging.getLogger(__name__)


def enroll(request: EnrollmentRequest) -> IssuedCertificate:
    """Enroll or re-enroll (RFC 7030 4.2.1, 4.2.2), and return the certificate.

    Raises ``PKIError`` of any kind.
    """
    hook = installed_hook()
    pending: list[PendingHook] = []

    def remember_hook(certificate: IssuedCertificate) -> None:
        # Assigned, not appended: the transaction around this may start over.
        pending[:] = [add_pending_hook(certificate, label=request.profile.row.label)]

    # Step 1: ask the installation's hook, which may refuse.
    _run_pre_hook(hook, request)
    # Step 2: issue, and record with the certificate that a hook has to run after it.
    certificate = issue_certificate(
        request, on_issued=remember_hook if has_post_hook(hook, request.operation) else None
    )
    if request.csr.carries_challenge_password:  # the profile's POP linking rule let it pass
        logger.info("the challengePassword of %s was ignored: it is unverified", certificate)
    # Step 3: register the thing in AWS IoT, where it must exist before the device connects.
    mode = request.profile.row.iot_provisioning
    if needs_provisioning_at_issue(certificate.operation, mode):
        # Imported here: a fleet that AWS IoT provisions itself need not load it at a cold start.
        from iotprov.provisioning.worker import provision_now

        provision_now(certificate, mode=mode)
    # Step 4: run the hook after the certificate. A failure does not keep the certificate back.
    for row in pending:
        run_post_hook(row)
    return certificate


def _run_pre_hook(hook: EnrollmentHook, request: EnrollmentRequest) -> None:
    if not has_pre_hook(hook, request.operation):
        return
    try:
        with waiting():  # it probably asks another machine
            getattr(hook, f"pre_{request.operation}")(_hook_request(request))
    except PKIError:
        raise
    except Exception as error:  # an installation's own code may raise anything
        logger.exception("pre_%s failed", request.operation)
        raise SignerUnavailable(Reason.HOOK_FAILED) from error


def _hook_request(request: EnrollmentRequest) -> HookRequest:
    return HookRequest(
        common_name=request.csr.common_name,
        device_serial=request.csr.device_serial,
        csr_der=request.csr.der,
        label=request.profile.row.label,
        client_fingerprint=request.client.fingerprint,
        client_subject=request.client.subject,
        tenant_id=request.tenant_id,
        source_ip=request.source_ip,
        request_id=request.request_id,
    )
