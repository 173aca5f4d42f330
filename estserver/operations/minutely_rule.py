"""The minutely rule on Lambda, which is disabled while there is nothing to do.

An idle installation then runs 24 times a day in place of 1464 times, and its database is left
alone in between. The hourly rule is never disabled. It enables the minutely one when something
will be due before it runs again, so whatever goes wrong here delays work by an hour and loses none.

Why no work is left behind a disabled rule:

* Who writes work that is due within an hour enables the rule after the commit, unless the same
  process did so within ``ONCE_IN``. What is due later is seen by an hourly run before it is due.
* The minutely run disables the rule when nothing is due soon and the audit trail has had no row for
  ``QUIET``. Then **it looks again**, and enables the rule if it finds either.
* Work committed before the second look is found by that look while it waits.
* Work committed after the second look finds the rule enabled by its own call, which comes after
  the disabling; or its process made no call, because work that it wrote at most ``ONCE_IN`` earlier
  enabled the rule. If that earlier work was committed after the second look, the rule was enabled
  after it, too. Otherwise the second look found its row of the audit trail, which is younger than
  ``QUIET``, and enabled the rule. For that, ``ONCE_IN`` with the time of a request (30 seconds) and
  the difference of two clocks must be shorter than ``QUIET``.

Work that an operator makes due again without a row of the audit trail (``provision_pending --now``)
can miss this by the width of a call, and then waits for the hourly run.
"""

import datetime
import logging
import os
import threading
import time

from django.conf import settings
from django.utils import timezone

from estserver.config.rule_names import MINUTELY, rule_name
from estserver.enrollment.pending import next_hook_due
from pki.aws.clients import AWSLocation, as_remote_failure, aws_client
from pki.models import AuditEvent
from pki.operators.errors import RemoteFailure

logger = logging.getLogger(__name__)

QUIET = datetime.timedelta(minutes=10)
"""How long the audit trail has to be quiet before the rule is disabled."""
ONCE_IN = datetime.timedelta(minutes=2)
"""A process enables the rule at most once in this time, however much it writes."""
SOON = datetime.timedelta(hours=1)
"""Work due later than this needs no call, because the hourly rule runs before it is due."""
LOOK_AHEAD = datetime.timedelta(minutes=70)
"""What a run looks ahead: longer than the hourly rule may take until its next run."""
CALL_SECONDS = 1
"""For the connection and again for the answer, because a device waits. No call is repeated."""

_lock = threading.Lock()
_tried_at: tuple[float, float] | None = None
"""When this process last tried to enable the rule, by both clocks. A frozen function's monotonic
clock may stand still, and the other one can be set back."""


def is_in_use() -> bool:
    """Return whether this process may disable and enable the rule."""
    return settings.IS_LAMBDA and settings.CONFIG.deployment.pause_idle_schedule


def wake(due_at: datetime.datetime) -> None:
    """Enable the rule if work is due soon. A failure is logged, and never raised."""
    global _tried_at
    if not is_in_use() or due_at > timezone.now() + SOON:
        return
    with _lock:
        if _has_tried_lately():
            return
        _tried_at = (time.monotonic(), time.time())
    try:
        _change("enable_rule")
    except Exception:  # of any kind: the device gets its answer, and the hourly rule does the work
        logger.warning("the minutely schedule may stay paused for an hour", exc_info=True)


def forget() -> None:
    """Forget when the rule was enabled, as a process that has just started."""
    global _tried_at
    _tried_at = None


def pause_if_idle() -> None:
    """Disable the rule if nothing is due soon and nothing was done lately.

    Raises ``RemoteFailure`` and what the database raises. The rule then stays or is enabled again.
    """
    if not is_in_use() or not is_idle():
        return
    _change("disable_rule")
    is_still_idle = False
    try:
        is_still_idle = is_idle()
    finally:
        if not is_still_idle:
            _change("enable_rule")
    if is_still_idle:
        logger.info("the minutely schedule is paused, because nothing is due")


def resume_if_due() -> bool:
    """Enable the rule if something is due soon; return False if AWS refused.

    The caller then does what is due itself. Raises what the database raises.
    """
    if not is_in_use() or not _is_anything_due_soon():
        return True
    try:
        _change("enable_rule")
    except RemoteFailure:
        logger.warning("the minutely schedule could not be resumed", exc_info=True)
        return False
    return True


def is_idle() -> bool:
    """Return whether nothing is due soon and the audit trail has been quiet."""
    if _is_anything_due_soon():
        return False
    return not AuditEvent.objects.filter(at__gte=timezone.now() - QUIET).exists()


def _is_anything_due_soon() -> bool:
    # Imported here: a device side without AWS IoT need not load it when it registers a hook.
    from estserver.webhooks.messages import next_message_due
    from iotprov.provisioning.backlog import next_due
    from pki.jobs.worker import next_job_due

    limit = timezone.now() + LOOK_AHEAD
    dues = (next_due(), next_hook_due(), next_job_due(), next_message_due())
    return any(due is not None and due <= limit for due in dues)


def _has_tried_lately() -> bool:
    if _tried_at is None:
        return False
    passed = (time.monotonic() - _tried_at[0], time.time() - _tried_at[1])
    return all(0 <= seconds < ONCE_IN.total_seconds() for seconds in passed)


def _change(method: str) -> None:
    """Call EventBridge in the function's own region. Raises ``RemoteFailure``.

    https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_EnableRule.html
    """
    here = AWSLocation(os.environ.get("AWS_REGION", ""))
    operation = {"enable_rule": "EnableRule", "disable_rule": "DisableRule"}[method]
    with as_remote_failure(f"events:{operation}"):
        client = aws_client("events", here, read_timeout=CALL_SECONDS)
        getattr(client, method)(Name=rule_name(settings.CONFIG.deployment.project_name, MINUTELY))
