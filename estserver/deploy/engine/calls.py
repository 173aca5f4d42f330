"""Calls to AWS: those that read are made at once, those that change are data until performed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pki.aws.clients import AWSLocation, as_remote_failure, aws_client
from pki.operators.errors import RemoteFailure

READ_TIMEOUT = 60
"""Seconds. A call for an operator may take longer than one for a device that waits."""

_MISSING = frozenset(
    {
        "404",
        "DashboardNotFoundError",
        "NoSuchBucket",
        "NoSuchBucketPolicy",
        "NoSuchConfiguration",
        "NoSuchEntity",
        "NoSuchKey",
        "NoSuchLifecycleConfiguration",
        "NoSuchPublicAccessBlockConfiguration",
        "NoSuchTagSet",
        "NoSuchVersion",
        "NotFound",
        "NotFoundException",
        "ObjectLockConfigurationNotFoundError",
        "OwnershipControlsNotFoundError",
        "ResourceNotFound",
        "ResourceNotFoundException",
        "ServerSideEncryptionConfigurationNotFoundError",
        "WAFNonexistentItemException",
    }
)


@dataclass(frozen=True, slots=True)
class Answer:
    """A parameter's value that an earlier call will answer, such as ``KeyMetadata.KeyId``."""

    call: str
    path: str

    def __str__(self) -> str:
        return f"<{self.path} of {self.call}>"


@dataclass(frozen=True, slots=True)
class Call:
    """One change: ``apigateway``, ``CreateDomainName``, its parameters, and why it is needed.

    ``reason`` is a phrase, which the plan shows above the call.
    """

    service: str
    operation: str
    reason: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    secret: frozenset[str] = frozenset()
    """Names of parameters that are never printed."""
    region: str = ""
    """Where the call goes; "" for the deployment's own region."""

    @property
    def name(self) -> str:
        """``service:Operation``, as in IAM policies and error messages."""
        return f"{self.service}:{self.operation}"

    def __str__(self) -> str:
        shown = {
            key: "(not shown)" if key in self.secret else _readable(value)
            for key, value in self.parameters.items()
        }
        where = f" in {self.region}" if self.region else ""
        return f"{self.name}{where} {json.dumps(shown, ensure_ascii=True)}"

    __repr__ = __str__  # a traceback shows no more than the screen

    @property
    def in_full(self) -> str:
        """The call with the documents in its parameters, such as policies, in lines of their own.

        AWS takes a document as a text, in which each quotation mark is escaped.
        """
        documents: list[str] = []
        shown = {
            key: "(not shown)" if key in self.secret else _unfolded(_readable(value), documents)
            for key, value in self.parameters.items()
        }
        if not documents:
            return str(self)
        where = f" in {self.region}" if self.region else ""
        return f"{self.name}{where} {json.dumps(shown, ensure_ascii=True, indent=2)}"


def _readable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _readable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_readable(each) for each in value]
    if isinstance(value, bytes):
        return f"({len(value)} bytes)"
    return str(value) if isinstance(value, Answer) else value


def _unfolded(value: Any, documents: list[str]) -> Any:
    """Return a value with the JSON documents in it read, and add each to ``documents``."""
    if isinstance(value, dict):
        return {key: _unfolded(each, documents) for key, each in value.items()}
    if isinstance(value, list):
        return [_unfolded(each, documents) for each in value]
    if isinstance(value, str) and value.startswith("{"):
        try:
            read = json.loads(value)
        except ValueError:
            return value
        documents.append(value)
        return read
    return value


def ask(service: str, operation: str, *, region: str = "", **parameters: Any) -> Any:
    """Make a call that changes nothing, and return its answer. Raises ``RemoteFailure``.

    ``region`` is where the call goes; "" for the deployment's own region.
    """
    with as_remote_failure(f"{service}:{operation}"):
        return send(service, operation, parameters, region)


def ask_if_any(service: str, operation: str, *, region: str = "", **parameters: Any) -> Any:
    """Do as ``ask`` does, and return ``None`` when AWS answers that there is no such resource."""
    try:
        return ask(service, operation, region=region, **parameters)
    except RemoteFailure as error:
        if error.code in _MISSING:
            return None
        raise


def ask_all(
    service: str, operation: str, key: str, *, region: str = "", **parameters: Any
) -> list[Any]:
    """Return the items under ``key`` of every page. Raises ``RemoteFailure``."""
    with as_remote_failure(f"{service}:{operation}"):
        client = aws_client(service, AWSLocation(region), read_timeout=READ_TIMEOUT)
        pages = client.get_paginator(_method(client, operation))
        return [item for page in pages.paginate(**parameters) for item in page.get(key, [])]


def send(service: str, operation: str, parameters: Mapping[str, Any], region: str = "") -> Any:
    """Send a call through boto3, whose exceptions it raises."""
    client = aws_client(service, AWSLocation(region), read_timeout=READ_TIMEOUT)
    return getattr(client, _method(client, operation))(**parameters)


def _method(client: Any, operation: str) -> str:
    """Return boto3's name of an operation: ``create_web_acl`` for ``CreateWebACL``."""
    spelled: Mapping[str, str] = client.meta.method_to_api_mapping
    return next(method for method, name in spelled.items() if name == operation)
