"""Clients of AWS IoT, by target. No other module of this package reaches AWS.

Every call goes through ``calling``, which puts AWS's errors into words::

    with calling(target, "iot", "DescribeThing") as iot:
        iot.describe_thing(thingName=name)
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from iotprov.conf import IoTTarget
from pki.aws.clients import READ_TIMEOUT, AWSLocation, as_remote_failure, aws_client
from pki.operators.errors import RemoteFailure


@contextmanager
def calling(
    target: IoTTarget, service: str, operation: str, *, read_timeout: int = READ_TIMEOUT
) -> Iterator[Any]:
    """Give the boto3 client for one call; raises ``RemoteFailure`` with call, code and advice.

    ``read_timeout`` is the read timeout in seconds.
    """
    call = f"{service}:{operation}"
    if target.name != "default":
        call += f" at {target.name}"
    with as_remote_failure(call):
        yield aws_client(service, target.place, read_timeout=read_timeout)


def is_code(error: RemoteFailure, *codes: str) -> bool:
    """Return whether AWS's code is one of ``codes``, such as ``ResourceNotFoundException``."""
    return error.code in codes


def region_of(target: IoTTarget) -> str:
    """Return the target's region. Raises ``RemoteFailure`` when none is set."""
    with as_remote_failure("iot:client"):
        return str(aws_client("iot", target.place).meta.region_name)


def account_of(target: IoTTarget, *, read_timeout: int = READ_TIMEOUT) -> str:
    """Return the number of the target's account. Raises ``RemoteFailure`` without credentials.

    ``read_timeout`` is the read timeout in seconds; AWS is asked once a process.
    """
    return _account(target.place, read_timeout)


@cache
def _account(place: AWSLocation, read_timeout: int) -> str:
    with as_remote_failure("sts:GetCallerIdentity"):
        return str(
            aws_client("sts", place, read_timeout=read_timeout).get_caller_identity()["Account"]
        )


def partition_of(target: IoTTarget) -> str:
    """Return ``aws``, ``aws-cn`` or ``aws-us-gov``: the partition in every ARN of the region."""
    with as_remote_failure("iot:client"):
        return str(aws_client("iot", target.place).meta.partition)
