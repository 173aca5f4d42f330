"""What runs by the clock: each minute and each hour, on Lambda and on a laptop alike.

Zappa's ``events`` name ``every_minute`` and ``every_hour`` (zappa_settings.json, stage ``admin``);
`runest` calls the same two. Running twice at once, or not at all for a while, does no harm.
"""

import logging
from collections.abc import Callable
from typing import Any

from django.db import close_old_connections

from estserver.enrollment.enroll import run_pending_hooks
from estserver.operations.gauges import report
from iotprov.provisioning.outbox import enqueue_expired
from iotprov.provisioning.worker import drain
from pki.record.intents import settle_intents

logger = logging.getLogger(__name__)

DRAIN_SECONDS = 40.0
"""Of the function's 60: a call under way needs time to end, and the hooks have some before."""


def every_minute(event: Any, context: Any) -> None:
    """Run the post hooks that are due, make AWS IoT agree with the record, and measure.

    Raises the first failure after all has been tried, so that the function counts as failed.
    """
    _run_each(run_pending_hooks, _drain, report)


def every_hour(event: Any, context: Any) -> None:
    """Turn abandoned intents void, and look for certificates that expired in AWS IoT."""
    _run_each(settle_intents, enqueue_expired)


def _drain() -> None:
    done = drain(seconds=DRAIN_SECONDS)
    if done.settled or done.error:
        logger.info("outbox: %s", done)


def _run_each(*chores: Callable[[], object]) -> None:
    failed: list[Exception] = []
    close_old_connections()
    for chore in chores:
        try:
            chore()
        except Exception as error:  # one chore's fault mustn't keep the others from their turn
            logger.exception("%s failed", getattr(chore, "__name__", chore))
            failed.append(error)
    close_old_connections()
    if failed:
        raise failed[0]
