"""The placeholders ``<ACCOUNT_ID>`` and ``<REGION>``, which are filled for each target.

They are filled inside of string values of the parsed JSON. No value can therefore become a key, a
list or another string, whatever it contains.
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
    """Return a copy of JSON ``data`` with the placeholders filled. Their letter case is ignored.

    ARNs that begin with ``arn:aws:``, as those of the CDK sample do, get the target's ``partition``
    (``aws-cn``, ``aws-us-gov``). Raises ``DocumentError`` for a value that is not an account
    number, a region or a partition.
    """
    for what, value, form in (
        ("an account number", account, _ACCOUNT),
        ("a region", region, _REGION),
        ("a partition", partition, _PARTITION),
    ):
        if not form.fullmatch(value):
            raise DocumentError(
                f"{value[:40]!a} is not {what}. Check the target's region and credentials."
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
    """Return whether ``fill`` may change the text: a placeholder, or an ARN's partition."""
    return _PLACEHOLDER.search(text) is not None or _DEFAULT_ARN in text


def has_only_placeholder(text: str) -> bool:
    """Return whether the text is a placeholder and nothing else, in any letter case."""
    return _PLACEHOLDER.fullmatch(text) is not None


def with_examples(text: str) -> str:
    """Return ``text`` filled with example values, for rules about lengths and alphabets."""
    return _PLACEHOLDER.sub(lambda match: _EXAMPLE[match[1].lower()], text)


def unknown_placeholder(text: str) -> str:
    """Return the first text that looks like a placeholder and is none, or ""."""
    for match in _LIKE_ONE.finditer(text):
        if not _PLACEHOLDER.fullmatch(match[0]):
            return match[0]
    return ""
