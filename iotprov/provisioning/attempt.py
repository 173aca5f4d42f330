"""One attempt at one row of the outbox: make AWS IoT agree with it, and record the result."""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from cryptography import x509
from django.db import Error
from django.utils import timezone

from iotprov.client import account_of, partition_of, region_of
from iotprov.conf import IoTTarget, find_target
from iotprov.documents.versions import body_in_force, filled
from iotprov.json_text.placeholders import has_placeholder
from iotprov.models import DocumentVersion
from iotprov.provisioning import leases
from iotprov.provisioning.certificate_provisioning import CertificateProvisioning
from iotprov.provisioning.desired_state import desired_state
from iotprov.provisioning.iot_certificates import Registry
from iotprov.provisioning.leases import Job
from iotprov.provisioning.record_facts import read_facts
from iotprov.provisioning.retry_policy import RetryAdvice, retry_advice
from iotprov.template.planned_thing import PlannedThing, plan_thing
from pki.exceptions import PKIError
from pki.operators.errors import OperatorError

logger = logging.getLogger(__name__)


class OutOfTime(Exception):
    """There is no time for another call. The calls made so far keep their effect."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """The result of an attempt."""

    is_settled: bool = False
    is_parked: bool = False
    advice: RetryAdvice | None = None
    """After a failure, what has to happen before the next attempt."""
    error: Exception | None = None


def attempt(job: Job, *, read_timeout: int, before_call: Callable[[str], None]) -> Attempt:
    """Make AWS IoT agree with a leased row, and record the result in the row.

    Raises ``OutOfTime``, with the lease given back, and what the database raises. In that case the
    lease runs out by itself.
    """
    try:
        outcome = _provisioning(job, read_timeout, before_call).carry_out()
    except OutOfTime:
        leases.release(job)
        raise
    except (PKIError, Error):
        raise
    except OperatorError as error:
        is_parked = leases.postpone(job, error)
        logger.warning("%s at %s: %s", job.certificate_id, job.target, error)
        return Attempt(is_parked=is_parked, advice=retry_advice(error), error=error)
    except Exception as error:  # one faulty row must not stop the others
        logger.exception("%s at %s cannot be carried out", job.certificate_id, job.target)
        is_parked = leases.postpone(job, error)
        return Attempt(is_parked=is_parked, advice=RetryAdvice.PERMANENT, error=error)
    return Attempt(is_settled=leases.settle(job, outcome))


def _provisioning(
    job: Job, read_timeout: int, before_call: Callable[[str], None]
) -> CertificateProvisioning:
    target = find_target(job.target)
    if target is None:
        raise OperatorError(
            f"The configuration no longer has the target {job.target}. "
            "Name it again, or park the row."
        )
    now = timezone.now()
    facts = read_facts(job.certificate_id, job.target, now)
    return CertificateProvisioning(
        facts=facts,
        desired=desired_state(facts, now),
        registry=Registry(target, read_timeout, before_call),
        plan=partial(_plan, target, read_timeout),
        remember_thing=partial(leases.remember_thing, job),
        is_thing_ours=job.is_thing_ours,
    )


def _plan(target: IoTTarget, read_timeout: int, certificate: x509.Certificate) -> PlannedThing:
    """Return the thing that the template in force makes of ``certificate`` at ``target``."""
    kind = DocumentVersion.Kind.TEMPLATE
    body = body_in_force(kind)
    if has_placeholder(body):  # only then AWS is asked for the account
        account = account_of(target, read_timeout=read_timeout)
        document = filled(
            kind,
            body,
            account=account,
            region=region_of(target),
            partition=partition_of(target),
        )
        body = json.dumps(document)
    return plan_thing(body, certificate)
