"""Whether AWS holds what we asked for, though it answers in words of its own."""

import json
from collections.abc import Mapping
from typing import Any


def covers(seen: Any, wanted: Any) -> bool:
    """Whether ``seen`` says all that ``wanted`` does; AWS adds fields that we never set."""
    if isinstance(wanted, Mapping):
        return isinstance(seen, Mapping) and all(
            key in seen and covers(seen[key], value) for key, value in wanted.items()
        )
    if isinstance(wanted, list | tuple):
        return (
            isinstance(seen, list | tuple)
            and len(seen) == len(wanted)
            and all(covers(*pair) for pair in zip(seen, wanted, strict=True))
        )
    return bool(seen == wanted)


def policy_from(text: str | None) -> Any:
    """An API's resource policy. API Gateway gives it back with its quotes escaped once more."""
    if not text:
        return None
    try:
        return _normal(json.loads(text))
    except ValueError:
        return _normal(json.loads(json.loads(f'"{text}"')))


def same_policy(text: str | None, wanted: Mapping[str, Any] | None) -> bool:
    """Whether a policy, as AWS gives it back, is the one that we set."""
    return bool(policy_from(text) == (_normal(wanted) if wanted else None))


def _normal(value: Any) -> Any:
    """One spelling: AWS writes a list of one as the one."""
    if isinstance(value, Mapping):
        return {key: _normal(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return _normal(value[0]) if len(value) == 1 else [_normal(each) for each in value]
    return value
