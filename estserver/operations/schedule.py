"""Scheduled work for each minute and each hour, on Lambda and on one machine alike.

Zappa's ``events`` name ``every_minute`` and ``every_hour`` (zappa_settings.json, stage ``admin``),
and ``runest`` calls the same two. It does no harm if they run twice at once or pause for a while.
On Lambda the minutely one is paused while there is nothing to do (``minutely_rule``).
"""

import logging
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections
from django.utils.module_loading import import_string

from estserver.enrollment.pending import run_pending_hooks
from estserver.enrollment.refusal_counts import remove_old_counts
from estserver.operations.audit_report import write_heads
from estserver.operations.gauges import report
from estserver.operations.idempotency_keys import remove_old_keys
from estserver.operations.metrics import DATABASE_FAILURES, IOT_THROTTLES, SCHEDULE_RUNS, one
from estserver.operations.minutely_rule import pause_if_idle, resume_if_due
from estserver.people.sign_in.limits import remove_old_failures
from estserver.webhooks.messages import remove_old_messages, send_due
from estserver.webhooks.reading import read_events
from iotprov.provisioning.ca_withdrawal import continue_withdrawals
from iotprov.provisioning.outbox import enqueue_expired
from iotprov.provisioning.worker import drain
from pki.exceptions import PKIError
from pki.jobs.worker import work_on_jobs
from pki.reasons import Reason
from pki.record.intents import settle_intents

logger = logging.getLogger(__name__)

DRAIN_SECONDS = 30.0
"""How long the outbox may be drained, of the 60 s until the next run. Hooks and the CAs that AWS
IoT has to follow come before it, and a call that has begun must end."""
JOB_SECONDS = 15.0
"""How long bulk jobs may be worked on before the outbox, which has to follow what they change."""

EVENT_SECONDS = 5.0
"""How long events may be read for webhooks, after everything that devices wait for."""
MESSAGE_SECONDS = 10.0
"""How long webhooks, mails and topics are called, but for the last call, which has to end."""

_TELL_NOTICES = "estserver.console.overview.telling.tell_notices"
"""What tells people of notices. These follow from the overview, which stands above this room."""


def every_minute(event: Any, context: Any) -> None:
    """Run what is due: hooks, CAs that AWS IoT has to follow, jobs, the outbox, and messages.

    Then write the gauges.

    Raises the first failure after all of them have run, so that the function counts as failed.
    """
    _run_each(*_due_work(), report, pause_if_idle)


def every_hour(event: Any, context: Any) -> None:
    """Settle abandoned intents, enqueue expired certificates, and write the audit trail's heads.

    Remove counts of refusals and messages that no page shows any more, failed sign-ins that count
    no more, the API's idempotency keys that are not looked at any more, and sessions that are over.

    Then resume the minutely schedule if something will be due, and write the gauges, which no other
    run does while that schedule is paused. Raises the first failure after all of them have run.
    """

    def heads() -> None:
        write_heads(context)

    _run_each(
        settle_intents,
        enqueue_expired,
        heads,
        remove_old_counts,
        remove_old_failures,
        remove_old_messages,
        remove_old_keys,
        _remove_old_sessions,
        _resume,
        report,
    )


def _remove_old_sessions() -> None:
    from estserver.people.sessions.record import (
        remove_old_sessions,  # accounts are of the people side
    )

    remove_old_sessions()


def _due_work() -> tuple[Callable[[], object], ...]:
    # Looked up at each run, so that a test can replace one of them.
    return run_pending_hooks, continue_withdrawals, _work_on_jobs, _drain, _tell


def _resume() -> None:
    """Let the minutely schedule go on, or do its work here if AWS does not resume it."""
    if not resume_if_due():
        _run_each(*_due_work())


def _work_on_jobs() -> None:
    work_on_jobs(seconds=JOB_SECONDS)


def _drain() -> None:
    done = drain(seconds=DRAIN_SECONDS)
    if done.throttled and settings.IS_LAMBDA:
        logger.warning("AWS IoT throttles", extra={"fields": one(IOT_THROTTLES, done.throttled)})
    if done.settled or done.error:
        logger.info("outbox: %s", done)


def _tell() -> None:
    """Read what happened, and send what waits. Each part is done even if one before it failed."""
    try:
        read_events(seconds=EVENT_SECONDS)
    finally:
        try:
            import_string(_TELL_NOTICES)()
        finally:
            sent = send_due(seconds=MESSAGE_SECONDS)
    if sent.delivered or sent.failed:
        logger.info("messages: %d were taken, %d failed", sent.delivered, sent.failed)


def _run_each(*tasks: Callable[[], object]) -> None:
    failed: list[Exception] = []
    close_old_connections()
    for task in tasks:
        try:
            task()
        except Exception as error:  # of any kind, because the other tasks must run nevertheless
            logger.exception("%s failed", getattr(task, "__name__", task))
            failed.append(error)
    close_old_connections()
    if failed:
        if settings.IS_LAMBDA and any(map(_is_of_the_database, failed)):
            logger.error("the database does not answer", extra={"fields": one(DATABASE_FAILURES)})
        raise failed[0]
    if settings.IS_LAMBDA:
        logger.info("the schedule ran", extra={"fields": one(SCHEDULE_RUNS)})


def _is_of_the_database(error: Exception) -> bool:
    return isinstance(error, DatabaseError | InterfaceError) or (
        isinstance(error, PKIError) and error.reason is Reason.DATABASE_UNAVAILABLE
    )
