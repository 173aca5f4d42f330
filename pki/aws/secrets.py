"""Secrets in AWS Secrets Manager: read, remembered, and filled where there is nothing yet.

Values are in no message. ``sensitive_variables`` hides them from error reports: those of the
function it decorates, and of all that it calls, boto3 included, which is told to log less as well
(``pki.aws.clients``).
"""

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from django.views.decorators.debug import sensitive_variables

from pki.aws import clients as aws
from pki.aws.clients import DEFAULT_LOCATION, READ_TIMEOUT, AWSLocation
from pki.aws.secrets_extension import ask_extension
from pki.conf import pki_settings
from pki.operators.errors import OperatorError, RemoteFailure

logger = logging.getLogger(__name__)

REFRESH_SECONDS = 300
"""How long a secret is used before its version is looked at again."""

_HURRIED = 2
"""Seconds that a request waits for such a look; without an answer it goes on with what it has."""

_OURS = "est-server-"
_PLACEHOLDER_LENGTH = 10  # as in the CDK sample, whose stacks make secrets before their contents

T = TypeVar("T")


def is_placeholder(text: str) -> bool:
    """Whether a secret of the CDK sample says "not there": ``NULL``, ``NONE``, "" or as short."""
    return len(text.strip()) <= _PLACEHOLDER_LENGTH


@dataclass(frozen=True, slots=True)
class SecretValue:
    """The current version of a secret."""

    content: bytes = field(repr=False)
    version_id: str

    @property
    def is_ours(self) -> bool:
        """Whether this server wrote it."""
        return self.version_id.startswith(_OURS)


@sensitive_variables()
def read_secret(
    name: str, place: AWSLocation = DEFAULT_LOCATION, *, read_timeout: int = READ_TIMEOUT
) -> SecretValue | None:
    """The secret of that name or ARN; ``None`` when there is none, or it never had a value.

    ``read_timeout`` is in seconds. Raises ``OperatorError`` when the secret is scheduled for
    deletion, ``RemoteFailure`` when it can't be had.
    """
    try:
        with aws.as_remote_failure("secretsmanager:GetSecretValue"):
            client = aws.client("secretsmanager", place, read_timeout=read_timeout)
            answer = client.get_secret_value(SecretId=name)
    except RemoteFailure as error:
        if error.code == "ResourceNotFoundException":
            return None
        if error.code == "InvalidRequestException":
            current_version(
                name, place, read_timeout=read_timeout
            )  # has the words for the likeliest cause
        raise
    return _value(answer)


@sensitive_variables()
def use_secret(
    name: str, place: AWSLocation = DEFAULT_LOCATION, *, read_timeout: int = READ_TIMEOUT
) -> SecretValue | None:
    """The secret for use, maybe some minutes old: from the Lambda extension where there is one.

    What it returns and raises is ``read_secret``'s; whoever writes the secret next reads it there.
    """
    answer = ask_extension(name, _with_region(place), read_timeout=read_timeout)
    return read_secret(name, place, read_timeout=read_timeout) if answer is None else _value(answer)


def _with_region(place: AWSLocation) -> AWSLocation:
    return replace(place, region=place.region or pki_settings().aws_region)


@sensitive_variables()
def _value(answer: Mapping[str, Any]) -> SecretValue:
    content = answer.get("SecretBinary")
    if content is None:
        content = answer.get("SecretString", "").encode()
    return SecretValue(content, answer["VersionId"])


def _version_in_use(name: str, place: AWSLocation, *, read_timeout: int) -> str:
    answer = ask_extension(name, _with_region(place), read_timeout=read_timeout)
    if answer is None:
        return current_version(name, place, read_timeout=read_timeout)
    return str(answer["VersionId"])


def current_version(
    name: str, place: AWSLocation = DEFAULT_LOCATION, *, read_timeout: int = READ_TIMEOUT
) -> str:
    """The id of the secret's current version; "" when ``read_secret`` would return ``None``.

    Raises what ``read_secret`` raises.
    """
    try:
        with aws.as_remote_failure("secretsmanager:DescribeSecret"):
            client = aws.client("secretsmanager", place, read_timeout=read_timeout)
            answer = client.describe_secret(SecretId=name)
    except RemoteFailure as error:
        if error.code == "ResourceNotFoundException":
            return ""
        raise
    if answer.get("DeletedDate"):
        raise OperatorError(
            f"the secret {name} is scheduled for deletion: restore it "
            f"(aws secretsmanager restore-secret --secret-id {name}), or wait until it is gone"
        )
    versions: dict[str, list[str]] = answer.get("VersionIdsToStages", {})
    return next((one for one, stages in versions.items() if "AWSCURRENT" in stages), "")


@sensitive_variables()
def write_secret(
    name: str,
    content: str | bytes,
    *,
    after: SecretValue | None,
    description: str,
    place: AWSLocation = DEFAULT_LOCATION,
    kms_key_id: str = "",
) -> None:
    """Let ``content`` follow the version ``after``, which is what ``read_secret`` returned.

    Without one the secret is created, with the installation's tags. Of two writers who saw the
    same version, one is refused: the new version's id follows from it, and a version never changes
    (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html). Raises
    ``OperatorError`` for that, ``RemoteFailure`` when it can't be written.
    """
    seen = after.version_id if after else ""
    version_id = _OURS + hashlib.sha256(f"{name} {seen}".encode()).hexdigest()[:48]
    value = {
        "SecretBinary" if isinstance(content, bytes) else "SecretString": content,
        "ClientRequestToken": version_id,
    }
    created = {
        "Name": name,
        "Description": description,
        "Tags": [{"Key": key, "Value": text} for key, text in pki_settings().tags],
        **({"KmsKeyId": kms_key_id} if kms_key_id else {}),
        **value,
    }
    client = aws.client("secretsmanager", place)
    failure = _failure_of("CreateSecret", client.create_secret, created) if after is None else None
    if after is not None or (failure and failure.code == "ResourceExistsException"):
        # A secret may exist without ever having had a value.
        failure = _failure_of("PutSecretValue", client.put_secret_value, {"SecretId": name} | value)
    if failure is None:
        return
    if failure.code == "ResourceExistsException":
        raise OperatorError(
            f"the secret {name} was filled by somebody else at this moment, and is never "
            "overwritten: run this again, to use what is there now"
        )
    if failure.code == "InvalidRequestException":
        current_version(name, place)
    raise failure


@sensitive_variables()
def _failure_of(
    operation: str, call: Callable[..., Any], parameters: dict[str, Any]
) -> RemoteFailure | None:
    """Why AWS didn't do it; ``None`` when it did."""
    try:
        with aws.as_remote_failure(f"secretsmanager:{operation}"):
            call(**parameters)
    except RemoteFailure as error:
        return error
    return None


@dataclass(frozen=True, slots=True)
class _Kept(Generic[T]):
    """What a secret was parsed to, and when its version was last looked at."""

    content: T = field(repr=False)
    version_id: str
    looked_at: float


class SecretCache(Generic[T]):
    """What secrets hold, parsed once per process, and anew when a secret's version changes.

    Safe to share between threads. After ``refresh_seconds`` one of them looks at the version,
    while the others go on with what they have.
    """

    def __init__(
        self,
        parse: Callable[[str, SecretValue | None, bool], T],
        place: AWSLocation = DEFAULT_LOCATION,
        refresh_seconds: float = REFRESH_SECONDS,
    ) -> None:
        """``parse`` gets name and value, and whether it is the first of this process."""
        self._parse = parse
        self._place = place
        self._refresh_seconds = refresh_seconds
        self._kept: dict[str, _Kept[T]] = {}
        self._failed: dict[str, tuple[float, OperatorError]] = {}
        self._fetching = threading.Lock()
        self._looking = threading.Lock()

    def get(self, name: str) -> T:
        """What the secret holds.

        Raises what ``read_secret`` and the parser raise. Only what is remembered outlives AWS
        being out of reach: when AWS says that the secret is gone or another, so it is.
        """
        kept = self._kept.get(name)
        if kept is None:
            return self._fetch_first(name).content
        if time.monotonic() - kept.looked_at >= self._refresh_seconds:
            return self._look_again(name, kept).content
        return kept.content

    def _fetch_first(self, name: str) -> _Kept[T]:
        asked_at = time.monotonic()
        with self._fetching:
            if name in self._kept:
                return self._kept[name]
            failed_at, failure = self._failed.get(name, (asked_at, None))
            if failure is not None and failed_at >= asked_at:
                raise failure  # whoever waited for an attempt shares its outcome
            try:
                kept = self._fetch(name, is_first=True, read_timeout=READ_TIMEOUT)
            except OperatorError as error:
                self._failed[name] = time.monotonic(), error
                raise
            self._kept[name] = kept
            return kept

    def _look_again(self, name: str, kept: _Kept[T]) -> _Kept[T]:
        if not self._looking.acquire(blocking=False):
            return kept
        try:
            if self._kept.get(name) is not kept:  # another thread was faster
                return self._kept.get(name, kept)
            try:
                version_id = _version_in_use(name, self._place, read_timeout=_HURRIED)
                if version_id != kept.version_id:
                    kept = self._fetch(name, is_first=False, read_timeout=_HURRIED)
                    logger.info("the secret %s has a new version, which is used from now on", name)
            except RemoteFailure as error:
                logger.warning("the secret %s is used as it was: %s", name, error)
            except OperatorError:
                del self._kept[name]
                raise
            self._kept[name] = replace(kept, looked_at=time.monotonic())
            return self._kept[name]
        finally:
            self._looking.release()

    def _fetch(self, name: str, *, is_first: bool, read_timeout: int) -> _Kept[T]:
        value = use_secret(name, self._place, read_timeout=read_timeout)
        version_id = value.version_id if value else ""
        return _Kept(self._parse(name, value, is_first), version_id, time.monotonic())
