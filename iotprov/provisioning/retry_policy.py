"""What a failure means for the next attempt: who mends it, and when it is worth trying again."""

import datetime
import random
from enum import Enum

from pki.operators.errors import OperatorError, RemoteFailure

MOST_ATTEMPTS = 5
"""After as many failures that nobody's waiting mends, a row is parked."""


class RetryAdvice(Enum):
    """What has to happen before another attempt can succeed."""

    THROTTLED = "AWS wants fewer calls a second: nothing is wrong with the row"
    TRANSIENT = "the fault is on the way or at AWS, and passes"
    NEEDS_OPERATOR = "a person has to do something at the target: a role, a CA, a policy"
    PERMANENT = "the row itself can't be carried out as it is"


_FIRST_PAUSE = {
    RetryAdvice.THROTTLED: 2.0,
    RetryAdvice.TRANSIENT: 5.0,
    RetryAdvice.NEEDS_OPERATOR: 60.0,
    RetryAdvice.PERMANENT: 60.0,
}
_LONGEST_PAUSE = {
    RetryAdvice.THROTTLED: 30.0,
    # Short: a target that is down is left alone after a few rows (see ``provisioning.drain``), so
    # only these few wait, and all goes on within minutes of its return.
    RetryAdvice.TRANSIENT: 120.0,
    RetryAdvice.NEEDS_OPERATOR: 3600.0,
    RetryAdvice.PERMANENT: 3600.0,
}  # seconds

# AWS looked at what this row asks for, and will say the same of it each time. LimitExceeded, which
# pki.aws.clients takes for a throttle, says here that ten policies are attached already.
_OF_THE_ROW = frozenset(
    {
        "DifferentCertificate",  # iotprov.provisioning.iot_certificates's own
        "InvalidParameterException",
        "InvalidRequestException",
        "LimitExceededException",
        "ParamValidation",
        "ValidationException",
    }
)
# Somebody else, JITP for one, changed the same thing at the same time, or a detachment, which is
# asynchronous, hasn't arrived yet.
_PASSING = frozenset(
    {
        "CertificateStateException",
        "ConflictingResourceUpdateException",
        "DeleteConflictException",
        "VersionConflictException",
    }
)


def retry_advice(error: OperatorError) -> RetryAdvice:
    """What ``error`` asks for.

    Whatever isn't known to be the row's own fault is taken for an operator's to mend: missing
    rights or credentials, a CA, policy or group that isn't there, a template that doesn't fit.
    Such rows are never given up.
    """
    if not isinstance(error, RemoteFailure):
        return RetryAdvice.NEEDS_OPERATOR
    if error.code in _OF_THE_ROW:
        return RetryAdvice.PERMANENT
    if error.is_throttled:
        return RetryAdvice.THROTTLED
    if error.is_transient or error.code in _PASSING:
        return RetryAdvice.TRANSIENT
    return RetryAdvice.NEEDS_OPERATOR


def pause_before_next(advice: RetryAdvice, failures: int) -> datetime.timedelta:
    """How long to wait after the ``failures``-th failure in a row: doubled each time, jittered.

    Between half and all of the step, so that rows which failed together don't come back together.
    """
    step = _FIRST_PAUSE[advice] * 2 ** min(max(failures, 1) - 1, 20)
    longest = min(step, _LONGEST_PAUSE[advice])
    return datetime.timedelta(seconds=longest * random.uniform(0.5, 1.0))  # noqa: S311  # jitter
