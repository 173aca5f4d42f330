"""Hooks that are still to run after a certificate: ``post_enroll`` and ``post_reenroll``.

A row is written with the certificate and deleted when its hook has succeeded, so a crash or an
error in between delays a hook and does not lose it.
"""

import datetime
import logging
from collections.abc import Callable
from functools import partial

from django.db import Error
from django.db.models import Min
from django.utils import timezone

from estserver.enrollment.hooks import HookRequest, installed_hook
from estserver.models import PendingHook
from pki.exceptions import PKIError
from pki.models import IssuedCertificate
from pki.record import due_work
from pki.record.transactions import in_write_transaction
from pki.waiting import waiting

logger = logging.getLogger(__name__)

FIRST_RETRY = datetime.timedelta(minutes=1)
LAST_RETRY = datetime.timedelta(hours=6)
"""The pause doubles after each failure, from the first of these to the last."""

MOST_AT_ONCE = 500
"""Rows that one call of ``run_pending_hooks`` works on."""


def add_pending_hook(certificate: IssuedCertificate, *, label: str) -> PendingHook:
    """Record, in the caller's transaction, that a hook has to run after ``certificate``.

    The caller runs it at once. The schedule runs it if the process dies before that.
    """
    due_at = timezone.now() + FIRST_RETRY
    due_work.announce(due_at)
    return PendingHook.objects.create(certificate=certificate, label=label, next_attempt_at=due_at)


def run_post_hook(pending: PendingHook) -> bool:
    """Run a ``post_`` hook, and return whether it succeeded. A failure is recorded, never raised.

    If the failure cannot be recorded either, the row stays as it is and the hook runs once more.
    """
    certificate = pending.certificate
    settle: Callable[[], object]
    # Step 1: run the hook, outside of any transaction.
    try:
        hook = getattr(installed_hook(), f"post_{certificate.operation}")
        with waiting():
            hook(_hook_request(pending), certificate)
    except Exception as error:  # an installation's own code may raise anything
        logger.exception("post_%s failed for %s", certificate.operation, certificate)
        succeeded = False
        settle = partial(_postpone, pending, f"{type(error).__name__}: {error}")
    else:
        succeeded = True
        settle = partial(PendingHook.objects.filter(pk=pending.pk).delete)
    # Step 2: record the outcome.
    try:
        in_write_transaction(settle)
    except (PKIError, Error):
        logger.exception("post_%s for %s will run again", certificate.operation, certificate)
    return succeeded


def _hook_request(pending: PendingHook) -> HookRequest:
    """Return what the hook got before the certificate, from the record."""
    certificate = pending.certificate
    return HookRequest(
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


def _postpone(pending: PendingHook, error: str) -> None:
    """Set the next attempt. An update, so that a row that was deleted does not come back."""
    pause = min(FIRST_RETRY * 2 ** min(pending.attempts, 30), LAST_RETRY)
    PendingHook.objects.filter(pk=pending.pk).update(
        attempts=pending.attempts + 1,
        last_error=error.replace("\0", "")[:500],  # PostgreSQL takes no NUL
        next_attempt_at=timezone.now() + pause,
    )


def next_hook_due() -> datetime.datetime | None:
    """Return when the next hook is due to run again; None when none waits."""
    first: datetime.datetime | None
    first = PendingHook.objects.aggregate(first=Min("next_attempt_at"))["first"]
    return first


def run_pending_hooks() -> tuple[int, int]:
    """Run every ``post_`` hook that is due, and return how many succeeded and failed."""
    due = list(PendingHook.objects.filter(next_attempt_at__lte=timezone.now())[:MOST_AT_ONCE])
    succeeded = sum(run_post_hook(pending) for pending in due)
    return succeeded, len(due) - succeeded
