"""Calls to AWS as data: named, printed without secrets."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pki.aws.clients import as_remote_failure, aws_client
from pki.operators.errors import RemoteFailure

PATIENCE = 60
"""Seconds; what an operator waits for may take longer than what a device waits for."""

_MISSING = frozenset(
    {
        "404",
        "NoSuchBucket",
        "NoSuchBucketPolicy",
        "NoSuchConfiguration",
        "NoSuchEntity",
        "NoSuchKey",
        "NoSuchLifecycleConfiguration",
        "NoSuchPublicAccessBlockConfiguration",
        "NoSuchTagSet",
        "NoSuchVersion",
        "NotFoundException",
        "OwnershipControlsNotFoundError",
        "ResourceNotFoundException",
        "ServerSideEncryptionConfigurationNotFoundError",
        "WAFNonexistentItemException",
    }
)


@dataclass(frozen=True, slots=True)
class Answer:
    """Stands in parameters for what an earlier call will answer: ``KeyMetadata.KeyId``."""

    call: str
    path: str

    def __str__(self) -> str:
        return f"<{self.path} of {self.call}>"


@dataclass(frozen=True, slots=True)
class Call:
    """One change: ``apigateway``, ``CreateDomainName``, its parameters, and why it is needed."""

    service: str
    operation: str
    reason: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    secret: frozenset[str] = frozenset()
    """Parameters that are never shown."""

    @property
    def name(self) -> str:
        """``service:Operation``, as in IAM policies and error messages."""
        return f"{self.service}:{self.operation}"

    def __str__(self) -> str:
        shown = {
            key: "(not shown)" if key in self.secret else _readable(value)
            for key, value in self.parameters.items()
        }
        return f"{self.name} {json.dumps(shown, ensure_ascii=True)}"

    __repr__ = __str__  # a traceback shows no more than the screen


def _readable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _readable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_readable(each) for each in value]
    if isinstance(value, bytes):
        return f"({len(value)} bytes)"
    return str(value) if isinstance(value, Answer) else value


def ask(service: str, operation: str, **parameters: Any) -> Any:
    """What a call that changes nothing answers. Raises ``RemoteFailure``."""
    with as_remote_failure(f"{service}:{operation}"):
        return send(service, operation, parameters)


def ask_if_any(service: str, operation: str, **parameters: Any) -> Any:
    """As ``ask``; ``None`` when AWS says that there is no such thing."""
    try:
        return ask(service, operation, **parameters)
    except RemoteFailure as error:
        if error.code in _MISSING:
            return None
        raise


def ask_all(service: str, operation: str, key: str, **parameters: Any) -> list[Any]:
    """The items under ``key`` of every page. Raises ``RemoteFailure``."""
    with as_remote_failure(f"{service}:{operation}"):
        client = aws_client(service, read_timeout=PATIENCE)
        pages = client.get_paginator(_method(client, operation))
        return [item for page in pages.paginate(**parameters) for item in page.get(key, [])]


def send(service: str, operation: str, parameters: Mapping[str, Any]) -> Any:
    client = aws_client(service, read_timeout=PATIENCE)
    return getattr(client, _method(client, operation))(**parameters)


def _method(client: Any, operation: str) -> str:
    """How boto3 spells ``CreateWebACL``: ``create_web_acl``."""
    spelled: Mapping[str, str] = client.meta.method_to_api_mapping
    return next(method for method, name in spelled.items() if name == operation)
