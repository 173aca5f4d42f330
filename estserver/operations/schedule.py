"""Scheduled work for each minute and each hour, on Lambda and on one machine alike.

Zappa's ``events`` name ``every_minute`` and ``every_hour`` (zappa_settings.json, stage ``admin``),
and ``runest`` calls the same two. It does no harm if they run twice at once or pause for a while.
"""

import logging
from collections.abc import Callable
from typing import Any

from django.db import close_old_connections

from estserver.enrollment.pending import run_pending_hooks
from estserver.operations.audit_report import write_heads
from estserver.operations.gauges import report
from iotprov.provisioning.ca_withdrawal import continue_withdrawals
from iotprov.provisioning.outbox import enqueue_expired
from iotprov.provisioning.worker import drain
from pki.record.intents import settle_intents

logger = logging.getLogger(__name__)

DRAIN_SECONDS = 30.0
"""How long the outbox may be drained, of the function's 60 s. Hooks and the CAs that AWS IoT has to
follow come before it, and a call that has begun must end."""


def every_minute(event: Any, context: Any) -> None:
    """Run what is due: post hooks, CAs that AWS IoT has to follow, the outbox, and the gauges.

    Raises the first failure after all of them have run, so that the function counts as failed.
    """
    _run_each(run_pending_hooks, continue_withdrawals, _drain, report)


def every_hour(event: Any, context: Any) -> None:
    """Settle abandoned intents, enqueue expired certificates, and write the audit trail's heads.

    Raises the first failure after all three have run.
    """

    def heads() -> None:
        write_heads(context)

    _run_each(settle_intents, enqueue_expired, heads)


def _drain() -> None:
    done = drain(seconds=DRAIN_SECONDS)
    if done.settled or done.error:
        logger.info("outbox: %s", done)


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
        raise failed[0]
