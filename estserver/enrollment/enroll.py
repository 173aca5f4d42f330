"""The order of things in an enrollment, free of HTTP: hook, issue, provision, hook."""

import datetime
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from django.db import Error
from django.utils import timezone

from estserver.enrollment.hooks import (
    EnrollmentHook,
    HookRequest,
    has_post_hook,
    installed_hook,
)
from estserver.models import PendingHook
from iotprov.provisioning.desired_state import needs_provisioning_at_issue
from pki.csr.check import ParsedCSR
from pki.exceptions import PKIError, SignerUnavailable
from pki.issuance.client_authentication import Client
from pki.issuance.issue import IssueRequest, issue_certificate
from pki.models import IssuedCertificate
from pki.reasons import Reason
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.record.snapshot import ProfileSnapshot
from pki.record.transactions import in_write_transaction

logger = logging.getLogger(__name__)

_FIRST_RETRY = datetime.timedelta(minutes=1)
_LAST_RETRY = datetime.timedelta(hours=6)

Operation = IssuedCertificate.Operation


@dataclass(frozen=True, slots=True)
class EnrollmentRequest:
    """A checked CSR, who sent it, and under which profile."""

    csr: ParsedCSR
    client: Client
    profile: ProfileSnapshot
    source_ip: str | None
    request_id: str
    tenant_id: str = ""

    @property
    def actor(self) -> Actor:
        """The client, for the audit trail."""
        return Actor(f"client:{self.client.fingerprint}", self.request_id, self.source_ip)


def enroll(request: EnrollmentRequest) -> IssuedCertificate:
    """Issue a first certificate (RFC 7030 4.2.1). Raises ``PKIError`` of any kind."""
    return _carry_out(request, Operation.ENROLL)


def reenroll(request: EnrollmentRequest) -> IssuedCertificate:
    """Renew or rekey a certificate (RFC 7030 4.2.2). Raises ``PKIError`` of any kind."""
    return _carry_out(request, Operation.REENROLL)


def _carry_out(request: EnrollmentRequest, operation: Operation) -> IssuedCertificate:
    hook = installed_hook()
    pending: list[PendingHook] = []

    def remember_hook(certificate: IssuedCertificate) -> None:
        pending[:] = [
            PendingHook.objects.create(
                certificate=certificate,
                label=request.profile.row.label,
                # Ours to run, at once; the schedule's only if we crash before.
                next_attempt_at=timezone.now() + _FIRST_RETRY,
            )
        ]

    _run_pre_hook(hook, request, operation)
    certificate = issue_certificate(
        IssueRequest(
            csr=request.csr,
            client=request.client,
            profile=request.profile,
            operation=operation,
            actor=request.actor,
            tenant_id=request.tenant_id,
        ),
        on_issued=remember_hook if has_post_hook(hook, operation) else None,
    )
    mode = request.profile.row.iot_provisioning
    if needs_provisioning_at_issue(certificate.operation, mode):
        # Here, because a fleet of which AWS IoT isn't told needn't load it at each cold start.
        from iotprov.provisioning.worker import provision_now

        provision_now(certificate, mode=mode)
    for row in pending:
        run_post_hook(row)
    return certificate


def _run_pre_hook(hook: EnrollmentHook, request: EnrollmentRequest, operation: Operation) -> None:
    try:
        getattr(hook, f"pre_{operation}")(_hook_request(request))
    except PKIError:
        raise
    except Exception as error:  # an installation's own code may raise anything
        logger.exception("pre_%s failed", operation)
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


def run_post_hook(pending: PendingHook) -> bool:
    """Run a ``post_`` hook; returns whether it succeeded. A failure is recorded, never raised.

    Not even that of the record: the row then stays as it is, and the hook runs once more.
    """
    certificate = pending.certificate
    request = HookRequest(
        common_name=certificate.common_name,
        device_serial=certificate.device_serial,
        csr_der=bytes(certificate.csr_der),
        label=pending.label,
        client_fingerprint=certificate.client_fingerprint,
        client_subject=certificate.client_subject,
        tenant_id=certificate.tenant_id,
        source_ip=certificate.source_ip,
        request_id=certificate.request_id,
    )
    settle: Callable[[], object]
    try:
        getattr(installed_hook(), f"post_{certificate.operation}")(request, certificate)
    except Exception as error:  # an installation's own code may raise anything
        logger.exception("post_%s failed for %s", certificate.operation, certificate)
        succeeded = False
        settle = partial(_postpone, pending, f"{type(error).__name__}: {error}")
    else:
        succeeded = True
        settle = partial(PendingHook.objects.filter(pk=pending.pk).delete)
    try:
        in_write_transaction(settle)
    except (PKIError, Error):
        logger.exception("post_%s for %s will run again", certificate.operation, certificate)
    return succeeded


def _postpone(pending: PendingHook, why: str) -> None:
    """Twice as long after each failure. An update, so that no row comes back that was deleted."""
    pause = min(_FIRST_RETRY * 2 ** min(pending.attempts, 30), _LAST_RETRY)
    PendingHook.objects.filter(pk=pending.pk).update(
        attempts=pending.attempts + 1,
        last_error=why.replace("\0", "")[:500],
        next_attempt_at=timezone.now() + pause,
    )


def run_pending_hooks() -> tuple[int, int]:
    """Run every ``post_`` hook whose time has come; returns how many succeeded and failed."""
    due = list(PendingHook.objects.filter(next_attempt_at__lte=timezone.now())[:500])
    succeeded = sum(run_post_hook(pending) for pending in due)
    return succeeded, len(due) - succeeded


def record_refusal(operation: Operation, refused: PKIError, *, actor: Actor, target: str) -> None:
    """Put a refusal on the audit trail, where its request id finds it.

    Best effort: when the database is what failed, the log line has to do.
    """

    def record() -> None:
        audit_trail.record(
            f"refuse-{operation}",
            actor=actor,
            target=target,
            reason=str(refused),
        )

    try:
        in_write_transaction(record)
    except PKIError:
        logger.exception("the refusal of %s isn't on the audit trail", target)
