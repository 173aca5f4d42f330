"""The one place that makes boto3 clients and puts AWS's errors into words.

boto3 takes a quarter of a second to import, so it is imported when the first client is made: an
installation that doesn't use AWS never pays for it, nor does `/cacerts`.
"""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pki.conf import pki_settings, setting_name
from pki.operators.errors import RemoteFailure

CONNECT_TIMEOUT = 5  # seconds
READ_TIMEOUT = 5  # seconds
ATTEMPTS = 3
"""As AWS counts: the first one included. What takes longer is the outbox's to repeat."""


@dataclass(frozen=True, slots=True)
class AWSLocation:
    """Where calls go: a region, and the role to assume there for another account.

    An empty region is the one that the environment names (``AWS_REGION``, a profile).
    """

    region: str = ""
    role_arn: str = ""


DEFAULT_LOCATION = AWSLocation()

# What boto3's `standard` mode repeats by itself, and we later:
# https://docs.aws.amazon.com/boto3/latest/guide/retries.html
_THROTTLED = frozenset(
    {
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "SlowDown",
        "Throttling",
        "ThrottledException",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "NotAuthorized",
        "SignatureDoesNotMatch",
        "UnauthorizedException",
        "UnrecognizedClientException",
    }
)

_lock = threading.Lock()
_clients: dict[tuple[Any, ...], Any] = {}
_sessions: dict[tuple[str, str], Any] = {}


def client(
    service: str, place: AWSLocation = DEFAULT_LOCATION, *, read_timeout: int = READ_TIMEOUT
) -> Any:
    """The boto3 client of ``service`` (``kms``, ``iot``), made once per process and place.

    ``read_timeout`` is the read timeout in seconds; with one below the usual, nothing is repeated
    either: whoever waits for it has no time for that. Raises ``RemoteFailure`` when there is no
    region, or the role can't be assumed. ``AWS_ENDPOINT_URL`` works, as everywhere in boto3.
    """
    # boto3 itself knows AWS_DEFAULT_REGION only; every other tool of AWS's knows this one.
    region = place.region or pki_settings().aws_region or os.environ.get("AWS_REGION", "")
    key = (service, region, place.role_arn, read_timeout)
    made = _clients.get(key)
    if made is None:
        with _lock:  # boto3's sessions aren't safe to share while clients are being made
            made = _clients.get(key)
            if made is None:
                made = _clients[key] = _make(service, region, place.role_arn, read_timeout)
    return made


def forget_clients() -> None:
    """Make new clients at next use: the credentials or the endpoint are others now."""
    with _lock:
        _clients.clear()
        _sessions.clear()


def _make(service: str, region: str, role_arn: str, read_timeout: int) -> Any:
    # At DEBUG it logs every request and answer whole, and those of Secrets Manager hold keys.
    logging.getLogger("botocore").setLevel(logging.WARNING)
    with as_remote_failure(f"{service}:client"):
        return _session(region, role_arn).client(service, config=_config(read_timeout))


def _config(read_timeout: int) -> Any:
    from botocore.config import Config

    is_hurried = read_timeout < READ_TIMEOUT
    return Config(
        connect_timeout=min(CONNECT_TIMEOUT, read_timeout),
        read_timeout=read_timeout,
        retries={"mode": "standard", "total_max_attempts": 1 if is_hurried else ATTEMPTS},
    )


def _session(region: str, role_arn: str) -> Any:
    """The session for a region, as the role if there is one; made once.

    Each session reads botocore's descriptions of AWS anew, 100 ms for every client.
    """
    from boto3.session import Session

    made = _sessions.get((region, role_arn))
    if made is None:
        made = (
            _session_of_role(_session(region, ""), role_arn)
            if role_arn
            else Session(region_name=region or None)
        )
        _sessions[region, role_arn] = made
    return made


def _session_of_role(session: Any, role_arn: str) -> Any:
    """A session that assumes ``role_arn``, and does so again before its credentials expire."""
    from boto3.session import Session
    from botocore.credentials import (
        AssumeRoleCredentialFetcher,
        DeferredRefreshableCredentials,
    )
    from botocore.session import get_session

    source = session._session
    fetcher = AssumeRoleCredentialFetcher(
        client_creator=lambda name, **options: source.create_client(
            name, **{"config": _config(READ_TIMEOUT), **options}
        ),
        source_credentials=source.get_credentials(),
        role_arn=role_arn,
        extra_args={"RoleSessionName": "est-server"},
    )
    assuming: Any = get_session()
    assuming._credentials = DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")
    assuming.set_config_variable("region", session.region_name)
    return Session(botocore_session=assuming)


@contextmanager
def as_remote_failure(call: str) -> Iterator[None]:
    """Turn what botocore raises inside into ``RemoteFailure``; ``call`` is ``service:Operation``.

    The error's code and a sentence are kept, and the request's parameters aren't: they may be
    secret.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise _from_answer(call, error.response) from error
    except BotoCoreError as error:
        raise _from_library(call, error) from error


def _from_answer(call: str, response: Any) -> RemoteFailure:
    said = response.get("Error", {})
    code = str(said.get("Code") or "Unknown")
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
    is_throttled = code in _THROTTLED or status == 429
    operation = call.split(" ")[0]
    if code in _DENIED:
        advice = f"let the role or user that this runs as call {operation}"
        if "Expired" in code or code in ("InvalidClientTokenId", "UnrecognizedClientException"):
            advice = "log in again: the credentials have expired or are of nobody"
    elif is_throttled:
        advice = "wait, or have the account's quota raised"
    elif status >= 500:
        advice = "try again: the fault is on the side of AWS"
    else:
        advice = "see what it says, and the account's console"
    return RemoteFailure(
        call,
        code,
        _message(said),
        advice,
        is_transient=is_throttled or status >= 500,
        is_throttled=is_throttled,
        details={
            name: value
            for name, value in response.items()
            if name in ("resourceId", "resourceArn") and isinstance(value, str)
        },
    )


def _message(said: Any) -> str:
    """AWS's own words, in a line. A page of HTML is a proxy's, or nobody's, and says nothing."""
    message = " ".join(str(said.get("Message") or "").split())
    return "no message" if not message or message.startswith("<") else message


def _from_library(call: str, error: Exception) -> RemoteFailure:
    """What went wrong before there was an answer: no credentials, no region, no connection."""
    from botocore import exceptions as known

    if isinstance(error, known.NoRegionError):
        return RemoteFailure(
            call,
            "NoRegion",
            "no region is set",
            f"set {setting_name('aws_region')}, or AWS_REGION",
        )
    if isinstance(error, known.CredentialRetrievalError):
        return RemoteFailure(
            call,
            "CredentialRetrieval",
            "the AWS credentials couldn't be fetched",
            "look at what provides them (the container's role, the profile's command)",
            is_transient=True,
        )
    if isinstance(error, known.NoCredentialsError | known.PartialCredentialsError):
        return RemoteFailure(
            call,
            "NoCredentials",
            "no AWS credentials were found",
            "log in (aws sso login), set AWS_PROFILE, or give the function a role",
        )
    if isinstance(error, known.ProfileNotFound | known.TokenRetrievalError | known.SSOError):
        return RemoteFailure(call, type(error).__name__, str(error), "log in to AWS again")
    if isinstance(error, known.ParamValidationError):
        # Its text quotes the values.
        return RemoteFailure(
            call, "ParamValidation", "a parameter isn't what AWS takes", "this is a bug: report it"
        )
    if isinstance(error, known.HTTPClientError | known.ConnectionError):
        return RemoteFailure(
            call,
            type(error).__name__.removesuffix("Error"),
            "the endpoint didn't answer in time, or can't be reached",
            "look at the network (in a VPC: the endpoints or the NAT), then try again",
            is_transient=True,
        )
    return RemoteFailure(call, type(error).__name__, "the call failed", "see the log")
