"""What only the database knows, for CloudWatch's alarms: looked at each minute, on Lambda."""

import datetime
import logging

from django.conf import settings
from django.db.models import Min
from django.utils import timezone

from estserver.operations.metrics import CA_DAYS, OUTBOX_AGE, Metric, metric_fields
from iotprov.provisioning.backlog import backlogs
from pki.models import CertificateAuthority

logger = logging.getLogger(__name__)

_DAY = datetime.timedelta(days=1)


def report() -> None:
    """Write a log line that CloudWatch makes metrics of; elsewhere nobody would read it."""
    if settings.IS_LAMBDA:
        logger.info("measured", extra={"fields": metric_fields(*measures())})


def measures() -> list[Metric]:
    """The age of the oldest outbox row, and the days until the first CA expires that issues.

    A CA that is retiring has a successor; one that has expired counts below zero.
    """
    age = max((backlog.age for backlog in backlogs()), default=datetime.timedelta())
    found = [Metric(OUTBOX_AGE, round(age.total_seconds(), 1), "Seconds")]
    first = CertificateAuthority.objects.issuing().aggregate(first=Min("not_after"))["first"]
    if first is not None:
        found.append(Metric(CA_DAYS, round((first - timezone.now()) / _DAY, 2), "None"))
    return found
