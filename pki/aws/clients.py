"""Makes boto3 clients, and turns AWS's errors into ``RemoteFailure``.

No other module imports boto3. It takes a quarter of a second to import, so it is imported when the
first client is made. An installation without AWS never imports it, nor does a cold start that
answers `/cacerts`.
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
from pki.waiting import waiting

CONNECT_TIMEOUT = 5  # seconds
READ_TIMEOUT = 5  # seconds
ATTEMPTS = 3
"""The number of attempts, the first one included. After the last, the outbox repeats the work."""


@dataclass(frozen=True, slots=True)
class AWSLocation:
    """The region that a call goes to, and the role to assume there for another account.

    An empty region is the one that the environment names (``AWS_REGION``, a profile).
    """

    region: str = ""
    role_arn: str = ""


DEFAULT_LOCATION = AWSLocation()

# The codes that boto3's `standard` mode repeats by itself, and the outbox later:
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


def aws_client(
    service: str, place: AWSLocation = DEFAULT_LOCATION, *, read_timeout: int = READ_TIMEOUT
) -> Any:
    """Return the boto3 client of ``service`` (``kms``, ``iot``), made once per process and place.

    ``read_timeout`` is in seconds. With one below ``READ_TIMEOUT``, a call is not repeated either,
    because a request waits for it. Raises ``RemoteFailure`` when there is no region, or the role
    cannot be assumed. ``AWS_ENDPOINT_URL`` works, as everywhere in boto3.
    """
    # boto3 reads AWS_DEFAULT_REGION only; AWS's other SDKs and Lambda use AWS_REGION.
    region = place.region or pki_settings().aws_region or os.environ.get("AWS_REGION", "")
    key = (service, region, place.role_arn, read_timeout)
    made = _clients.get(key)
    if made is None:
        with _lock:  # boto3's sessions are not thread-safe while they make clients
            made = _clients.get(key)
            if made is None:
                made = _clients[key] = _make(service, region, place.role_arn, read_timeout)
    return made


def current_credentials(place: AWSLocation = DEFAULT_LOCATION) -> tuple[str, str, str]:
    """Return this process's access key: its id, its secret and its session token ("" for none).

    Raises ``RemoteFailure`` when there are none.
    """
    from botocore.exceptions import NoCredentialsError

    region = place.region or pki_settings().aws_region or os.environ.get("AWS_REGION", "")
    with as_remote_failure("sts:credentials"):
        found = _session(region, place.role_arn).get_credentials()
        if found is None:
            raise NoCredentialsError
        frozen = found.get_frozen_credentials()
    return frozen.access_key, frozen.secret_key, frozen.token or ""


def forget_clients() -> None:
    """Make new clients at next use, because the credentials or the endpoint have changed."""
    with _lock:
        _clients.clear()
        _sessions.clear()


def _make(service: str, region: str, role_arn: str, read_timeout: int) -> Any:
    # At DEBUG botocore logs whole requests and answers, and those of Secrets Manager hold keys.
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
    """Return the session for a region, with the role's credentials if there is one.

    A session is made once, because each reads botocore's descriptions of AWS anew, which takes 100
    ms for every client.
    """
    from boto3.session import Session

    made = _sessions.get((region, role_arn))
    if made is None:
        made = (
            _session_of_role(_session(region, ""), role_arn)
            if role_arn
            else Session(region_name=region or None)
        )
        made.events.register("creating-client-class", _let_others_compute)
        _sessions[region, role_arn] = made
    return made


class _Waits:
    """A base of clients whose calls let others compute meanwhile."""

    def _make_api_call(self, operation_name: str, api_params: Any) -> Any:
        with waiting():
            return super()._make_api_call(operation_name, api_params)  # type: ignore[misc]


def _let_others_compute(base_classes: list[type], **_: Any) -> None:
    # https://docs.aws.amazon.com/boto3/latest/guide/events.html
    base_classes.insert(0, _Waits)


def _session_of_role(session: Any, role_arn: str) -> Any:
    """Return a session that assumes ``role_arn``, and again before its credentials expire.

    boto3 offers that for a role in the configuration file only, hence botocore's own classes.
    """
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
    """Turn botocore's errors inside the block into ``RemoteFailure``.

    ``call`` is ``service:Operation``. The failure has the error's code and message. It does not
    have the request's parameters, because they may be secret.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise _from_answer(call, error.response) from error
    except BotoCoreError as error:
        raise _from_library(call, error) from error


def _from_answer(call: str, response: Any) -> RemoteFailure:
    """Return the failure that AWS answered, with advice by its code and status."""
    answered = response.get("Error", {})
    code = str(answered.get("Code") or "Unknown")
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
    is_throttled = code in _THROTTLED or status == 429
    operation = call.split(" ")[0]
    if code in _DENIED:
        advice = f"Allow the role or user of this process to call {operation}."
        if "Expired" in code or code in ("InvalidClientTokenId", "UnrecognizedClientException"):
            advice = "Log in again. The AWS credentials are expired or invalid."
    elif is_throttled:
        advice = "Wait, or have the account's quota raised."
    elif status >= 500:
        advice = "Try again. The fault is on the side of AWS."
    else:
        advice = "Look at the message and at the account's console."
    return RemoteFailure(
        call,
        code,
        _message(answered),
        advice,
        is_transient=is_throttled or status >= 500,
        is_throttled=is_throttled,
        details={
            name: value
            for name, value in response.items()
            if name in ("resourceId", "resourceArn") and isinstance(value, str)
        },
    )


def _message(answered: Any) -> str:
    """Return AWS's message on one line. A page of HTML comes from a proxy, and is left out."""
    message = " ".join(str(answered.get("Message") or "").split())
    return "no message" if not message or message.startswith("<") else message


def _from_library(call: str, error: Exception) -> RemoteFailure:
    """Return the failure of a call without an answer: no credentials, region or connection."""
    from botocore import exceptions as known

    if isinstance(error, known.NoRegionError):
        return RemoteFailure(
            call,
            "NoRegion",
            "no region is set",
            f"Set {setting_name('aws_region')}, or AWS_REGION.",
        )
    if isinstance(error, known.CredentialRetrievalError):
        return RemoteFailure(
            call,
            "CredentialRetrieval",
            "the AWS credentials could not be fetched",
            "Look at what provides them (the container's role, the profile's command).",
            is_transient=True,
        )
    if isinstance(error, known.NoCredentialsError | known.PartialCredentialsError):
        return RemoteFailure(
            call,
            "NoCredentials",
            "no AWS credentials were found",
            "Log in (aws sso login), set AWS_PROFILE, or give the function a role.",
        )
    if isinstance(error, known.ProfileNotFound | known.TokenRetrievalError | known.SSOError):
        return RemoteFailure(call, type(error).__name__, str(error), "Log in to AWS again.")
    if isinstance(error, known.ParamValidationError):
        # botocore's own text quotes the values.
        return RemoteFailure(
            call,
            "ParamValidation",
            "a parameter has a value that AWS does not take",
            "This is a bug of this server. Report it.",
        )
    if isinstance(error, known.HTTPClientError | known.ConnectionError):
        return RemoteFailure(
            call,
            type(error).__name__.removesuffix("Error"),
            "the endpoint did not answer in time, or cannot be reached",
            "Check the network (in a VPC: the endpoints or the NAT), then try again.",
            is_transient=True,
        )
    return RemoteFailure(call, type(error).__name__, "the call failed", "Look at the log.")
