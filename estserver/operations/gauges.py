"""Measurements from the database for CloudWatch's alarms, taken by the schedule on Lambda."""

import datetime
import logging

from django.conf import settings
from django.db.models import Min
from django.utils import timezone

from estserver.operations.metrics import CA_DAYS, OUTBOX_AGE, Metric, metric_fields
from iotprov.provisioning.backlog import backlogs
from pki.models import CertificateAuthority

logger = logging.getLogger(__name__)

CA_DAYS_LEFT = 90
"""Days before the end of a CA from which on an alarm and the doctor ask for its rollover."""
OUTBOX_SECONDS = 900
"""The age of the outbox's oldest row from which on an alarm and the doctor call it late."""

_DAY = datetime.timedelta(days=1)


def report() -> None:
    """Write the gauges as a log line, of which CloudWatch makes metrics. Only on Lambda."""
    if settings.IS_LAMBDA:
        logger.info("measured", extra={"fields": metric_fields(*gauges())})


def gauges() -> list[Metric]:
    """Return the age of the oldest outbox row, and the days until the first issuing CA expires.

    A retiring CA is left out, because it has a successor. The days of an expired CA are negative.
    """
    age = max((backlog.age for backlog in backlogs()), default=datetime.timedelta())
    metrics = [Metric(OUTBOX_AGE, round(age.total_seconds(), 1), "Seconds")]
    first = CertificateAuthority.objects.issuing().aggregate(first=Min("not_after"))["first"]
    if first is not None:
        metrics.append(Metric(CA_DAYS, round((first - timezone.now()) / _DAY, 2), "None"))
    return metrics
