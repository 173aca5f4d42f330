"""When to try again after a failure, and who has to mend it."""

import datetime
import random
from enum import Enum

from pki.operators.errors import OperatorError, RemoteFailure

MOST_ATTEMPTS = 5
"""A row is parked after this many permanent failures in a row."""


class RetryAdvice(Enum):
    """What has to happen before another attempt can succeed."""

    THROTTLED = "AWS asks for fewer calls a second, and nothing is wrong with the row"
    TRANSIENT = "the fault lies in the network or at AWS, and passes by itself"
    NEEDS_OPERATOR = "an operator has to mend something at the target, such as a role or a CA"
    PERMANENT = "the row cannot be carried out as it is"


_FIRST_PAUSE = {
    RetryAdvice.THROTTLED: 2.0,
    RetryAdvice.TRANSIENT: 5.0,
    RetryAdvice.NEEDS_OPERATOR: 60.0,
    RetryAdvice.PERMANENT: 60.0,
}
_LONGEST_PAUSE = {
    RetryAdvice.THROTTLED: 30.0,
    # Short: ``worker.drain`` skips a target that is down after a few rows. Only these few wait, and
    # work goes on within minutes of the target's return.
    RetryAdvice.TRANSIENT: 120.0,
    RetryAdvice.NEEDS_OPERATOR: 3600.0,
    RetryAdvice.PERMANENT: 3600.0,
}  # seconds

# AWS judged what this row asks for, and will judge it in the same way each time. LimitExceeded,
# which pki.aws.clients takes for a throttle, means here that ten policies are attached already.
_PERMANENT_CODES = frozenset(
    {
        "DifferentCertificate",  # raised by iotprov.provisioning.iot_certificates
        "InvalidParameterException",
        "InvalidRequestException",
        "LimitExceededException",
        "ParamValidation",
        "ValidationException",
    }
)
# Another party, such as JITP, changed the same thing at the same time, or a detachment, which is
# asynchronous, has not taken effect yet.
_TRANSIENT_CODES = frozenset(
    {
        "CertificateStateException",
        "ConflictingResourceUpdateException",
        "DeleteConflictException",
        "VersionConflictException",
    }
)


def retry_advice(error: OperatorError) -> RetryAdvice:
    """Return what has to happen before the row that failed with ``error`` can succeed.

    An error that is not known to be the row's own fault is taken for the operator's to mend:
    missing rights or credentials, a missing CA, policy or group, a template that does not fit.
    Such rows are retried for ever.
    """
    if not isinstance(error, RemoteFailure):
        return RetryAdvice.NEEDS_OPERATOR
    if error.code in _PERMANENT_CODES:
        return RetryAdvice.PERMANENT
    if error.is_throttled:
        return RetryAdvice.THROTTLED
    if error.is_transient or error.code in _TRANSIENT_CODES:
        return RetryAdvice.TRANSIENT
    return RetryAdvice.NEEDS_OPERATOR


def pause_before_next(advice: RetryAdvice, failures: int) -> datetime.timedelta:
    """Return how long to wait after the ``failures``-th failure in a row: doubled each time.

    The pause is between half and all of the step, so that rows that failed together are not
    retried together.
    """
    step = _FIRST_PAUSE[advice] * 2 ** min(max(failures, 1) - 1, 20)
    longest = min(step, _LONGEST_PAUSE[advice])
    return datetime.timedelta(seconds=longest * random.uniform(0.5, 1.0))  # noqa: S311  # jitter
