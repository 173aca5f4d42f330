"""Secrets in AWS Secrets Manager: to read, and to fill if they are empty.

No message holds a value. ``sensitive_variables`` hides the variables of a function, and of every
function that it calls, from error reports. botocore logs no values either (``pki.aws.clients``).
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.views.decorators.debug import sensitive_variables

from pki.aws.clients import (
    DEFAULT_LOCATION,
    READ_TIMEOUT,
    AWSLocation,
    as_remote_failure,
    aws_client,
)
from pki.aws.ownership import refuse_of_another, tags_of
from pki.aws.secrets_extension import ask_extension
from pki.conf import pki_settings
from pki.operators.errors import OperatorError, RemoteFailure

_OWN_VERSIONS = "est-server-"
"""The beginning of the version ids that this server writes."""
_PLACEHOLDER_LENGTH = 10  # as in the CDK sample, whose stacks make secrets before their contents


def is_placeholder(text: str) -> bool:
    """Return whether a secret's text is a placeholder of the CDK sample: ``NULL``, ``NONE``, ""."""
    return len(text.strip()) <= _PLACEHOLDER_LENGTH


@dataclass(frozen=True, slots=True)
class SecretValue:
    """The current version of a secret."""

    content: bytes = field(repr=False)
    version_id: str

    @property
    def is_ours(self) -> bool:
        """Whether this server wrote it."""
        return self.version_id.startswith(_OWN_VERSIONS)


@sensitive_variables()
def read_secret(
    name: str,
    place: AWSLocation = DEFAULT_LOCATION,
    *,
    read_timeout: int = READ_TIMEOUT,
    version_stage: str = "AWSCURRENT",
) -> SecretValue | None:
    """Return the secret of that name or ARN; ``None`` if there is none, or it never had a value.

    ``read_timeout`` is in seconds. ``version_stage`` is ``AWSPREVIOUS`` for the version before.
    Raises ``OperatorError`` when the secret is scheduled for deletion, ``RemoteFailure`` when it
    cannot be read.
    """
    try:
        with as_remote_failure("secretsmanager:GetSecretValue"):
            client = aws_client("secretsmanager", place, read_timeout=read_timeout)
            answer = client.get_secret_value(SecretId=name, VersionStage=version_stage)
    except RemoteFailure as error:
        if error.code == "ResourceNotFoundException":
            return None
        if error.code == "InvalidRequestException":
            # Most likely the secret is scheduled for deletion. Then this raises the right error.
            current_version(name, place, read_timeout=read_timeout)
        raise
    return _value(answer)


@sensitive_variables()
def use_secret(
    name: str, place: AWSLocation = DEFAULT_LOCATION, *, read_timeout: int = READ_TIMEOUT
) -> SecretValue | None:
    """Return the secret for use, which may be some minutes old.

    The Lambda extension answers where there is one. Returns and raises what ``read_secret`` does. A
    caller that will write the secret reads it with ``read_secret``.
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


def version_in_use(
    name: str, place: AWSLocation = DEFAULT_LOCATION, *, read_timeout: int = READ_TIMEOUT
) -> str:
    """Return the id of the version that ``use_secret`` would return.

    Raises what ``read_secret`` raises.
    """
    answer = ask_extension(name, _with_region(place), read_timeout=read_timeout)
    if answer is None:
        return current_version(name, place, read_timeout=read_timeout)
    return str(answer["VersionId"])


def current_version(
    name: str, place: AWSLocation = DEFAULT_LOCATION, *, read_timeout: int = READ_TIMEOUT
) -> str:
    """Return the id of the secret's current version; "" if ``read_secret`` would return ``None``.

    Raises what ``read_secret`` raises.
    """
    answer = _described(name, place, read_timeout)
    if answer is None:
        return ""
    if answer.get("DeletedDate"):
        raise OperatorError(
            f"The secret {name} is scheduled for deletion. Restore it (manage.py aws_deploy "
            f"--restore, or aws secretsmanager restore-secret --secret-id {name}), or wait until "
            "it is gone."
        )
    versions: dict[str, list[str]] = answer.get("VersionIdsToStages", {})
    return next((one for one, stages in versions.items() if "AWSCURRENT" in stages), "")


def refuse_secret_of_another(name: str, place: AWSLocation = DEFAULT_LOCATION) -> None:
    """Raise ``OperatorError`` if the secret belongs to another project (threat T60).

    Who is about to put a CA into a secret, or to take one from it, asks this first. Raises
    ``RemoteFailure`` when the secret cannot be looked at.
    """
    found = _described(name, place, READ_TIMEOUT)
    if found is not None:
        refuse_of_another(
            f"The secret {name}",
            tags_of(found.get("Tags", [])),
            pki_settings().project_name,
            "Take its name out of the configuration, so that the project gets secrets of its own, "
            "or name another secret.",
        )


def _described(name: str, place: AWSLocation, read_timeout: int) -> Mapping[str, Any] | None:
    """Return what Secrets Manager says about a secret without its value; ``None`` for none."""
    try:
        with as_remote_failure("secretsmanager:DescribeSecret"):
            client = aws_client("secretsmanager", place, read_timeout=read_timeout)
            answer: Mapping[str, Any] = client.describe_secret(SecretId=name)
    except RemoteFailure as error:
        if error.code == "ResourceNotFoundException":
            return None
        raise
    return answer


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
    """Write ``content`` as the version that follows ``after``, which ``read_secret`` returned.

    If ``after`` is ``None``, the secret is created, with the installation's tags. Of two writers
    who read the same version, one is refused: the new version's id is made from that version's, and
    Secrets Manager never changes the content of a version. Raises ``OperatorError`` for that, and
    ``RemoteFailure`` when the secret cannot be written.
    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html
    """
    previous = after.version_id if after else ""
    version_id = _OWN_VERSIONS + hashlib.sha256(f"{name} {previous}".encode()).hexdigest()[:48]
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
    client = aws_client("secretsmanager", place)
    failure = _failure_of("CreateSecret", client.create_secret, created) if after is None else None
    if after is not None or (failure and failure.code == "ResourceExistsException"):
        # A secret may exist without ever having had a value.
        failure = _failure_of("PutSecretValue", client.put_secret_value, {"SecretId": name} | value)
    if failure is None:
        return
    if failure.code == "ResourceExistsException":
        raise OperatorError(
            f"Another process filled the secret {name} at this moment, and it is never "
            "overwritten. Run this again, to use what is there now."
        )
    if failure.code == "InvalidRequestException":
        current_version(name, place)
    raise failure


@sensitive_variables()
def _failure_of(
    operation: str, call: Callable[..., Any], parameters: dict[str, Any]
) -> RemoteFailure | None:
    """Return why AWS did not do it; ``None`` if it did."""
    try:
        with as_remote_failure(f"secretsmanager:{operation}"):
            call(**parameters)
    except RemoteFailure as error:
        return error
    return None
