"""``<ACCOUNT_ID>`` and ``<REGION>`` in a document, filled as data for each target.

Only string values of the parsed JSON are touched, so no value, however it is spelled, can become
a key, a list or another string.
"""

import re
from typing import Any

from iotprov.exceptions import DocumentError

_PLACEHOLDER = re.compile(r"<(ACCOUNT_ID|REGION)>", re.IGNORECASE)
_LIKE_ONE = re.compile(r"<[A-Za-z_ -]{1,40}>")

_ACCOUNT = re.compile(r"[0-9]{12}")
_REGION = re.compile(r"[a-z]{2,4}(?:-[a-z]{1,12}){1,3}-[0-9]{1,2}")
_PARTITION = re.compile(r"aws(?:-[a-z]{1,12}){0,3}")
_DEFAULT_ARN = "arn:aws:"

_EXAMPLE = {"account_id": "123456789012", "region": "ap-southeast-1"}


def fill(data: Any, *, account: str, region: str, partition: str) -> Any:
    """A copy of JSON ``data`` with the placeholders filled, in whatever letter case.

    ARNs that begin with ``arn:aws:``, as the ones of the CDK sample do, get the ``partition`` of
    the target (``aws-cn``, ``aws-us-gov``). Raises ``DocumentError`` for a value that isn't an
    account number, a region or a partition.
    """
    for what, value, form in (
        ("an account number", account, _ACCOUNT),
        ("a region", region, _REGION),
        ("a partition", partition, _PARTITION),
    ):
        if not form.fullmatch(value):
            raise DocumentError(
                f"{value[:40]!a} isn't {what}: look at the target's region and credentials"
            )
    return _filled(data, {"account_id": account, "region": region}, f"arn:{partition}:")


def _filled(data: Any, values: dict[str, str], arn: str) -> Any:
    if isinstance(data, dict):
        return {key: _filled(value, values, arn) for key, value in data.items()}
    if isinstance(data, list):
        return [_filled(value, values, arn) for value in data]
    if isinstance(data, str):
        text = _PLACEHOLDER.sub(lambda match: values[match[1].lower()], data)
        return arn + text.removeprefix(_DEFAULT_ARN) if text.startswith(_DEFAULT_ARN) else text
    return data


def has_placeholder(text: str) -> bool:
    """Whether ``fill`` would have anything to fill in, or an ARN to move to another partition."""
    return _PLACEHOLDER.search(text) is not None or _DEFAULT_ARN in text


def with_examples(text: str) -> str:
    """``text`` as it may look when it is filled, for rules about lengths and alphabets."""
    return _PLACEHOLDER.sub(lambda match: _EXAMPLE[match[1].lower()], text)


def unknown_placeholder(text: str) -> str:
    """What looks like a placeholder and isn't one of ours; "" when there is none."""
    for match in _LIKE_ONE.finditer(text):
        if not _PLACEHOLDER.fullmatch(match[0]):
            return match[0]
    return ""
