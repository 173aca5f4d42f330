"""What a failure means for the next attempt: who mends it, and when it is worth trying again."""

import datetime
import random
from enum import Enum

from pki.exceptions import OperatorError, RemoteFailure

MOST_ATTEMPTS = 5
"""After as many failures that nobody's waiting mends, a row is parked."""


class Prospect(Enum):
    """What has to happen before another attempt can succeed."""

    SLOWER = "AWS wants fewer calls a second: nothing is wrong with the row"
    TIME = "the fault is on the way or at AWS, and passes"
    OPERATOR = "a person has to do something at the target: a role, a CA, a policy"
    NONE = "the row itself can't be carried out as it is"


_FIRST_PAUSE = {
    Prospect.SLOWER: 2.0,
    Prospect.TIME: 5.0,
    Prospect.OPERATOR: 60.0,
    Prospect.NONE: 60.0,
}
_LONGEST_PAUSE = {
    Prospect.SLOWER: 30.0,
    # Short: a target that is down is left alone after a few rows (see ``provisioning.drain``), so
    # only these few wait, and all goes on within minutes of its return.
    Prospect.TIME: 120.0,
    Prospect.OPERATOR: 3600.0,
    Prospect.NONE: 3600.0,
}  # seconds

# An operator's: see AccessDenied and its like in pki.aws; what is named doesn't exist (a policy, a
# group); the CA isn't registered, or is ambiguous; the certificate is being given to an account.
_MENDED_BY_OPERATOR = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "CertificateConflictException",
        "CertificateValidationException",
        "CredentialRetrieval",
        "CredentialRetrievalError",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "NoCredentials",
        "NoRegion",
        "NotAuthorized",
        "ResourceNotFoundException",
        "SignatureDoesNotMatch",
        "TransferConflictException",
        "UnauthorizedException",
        "UnrecognizedClientException",
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
# Of pki.aws's list of throttles, in AWS IoT this one says: ten policies are attached already.
_LIMIT_OF_THE_ROW = "LimitExceededException"


def prospect_of(error: OperatorError) -> Prospect:
    """What ``error`` asks for. What isn't AWS's is ours: a template that doesn't fit, say."""
    if not isinstance(error, RemoteFailure):
        return Prospect.OPERATOR
    if error.code == _LIMIT_OF_THE_ROW:
        return Prospect.NONE
    if error.is_throttled:
        return Prospect.SLOWER
    if error.is_transient or error.code in _PASSING:
        return Prospect.TIME
    if error.code in _MENDED_BY_OPERATOR:
        return Prospect.OPERATOR
    return Prospect.NONE


def pause_before_next(prospect: Prospect, failures: int) -> datetime.timedelta:
    """How long to wait after the ``failures``-th failure in a row: doubled each time, jittered.

    Between half and all of the step, so that rows which failed together don't come back together.
    """
    step = _FIRST_PAUSE[prospect] * 2 ** min(max(failures, 1) - 1, 20)
    longest = min(step, _LONGEST_PAUSE[prospect])
    return datetime.timedelta(seconds=longest * random.uniform(0.5, 1.0))  # noqa: S311  # jitter
