"""Compare what AWS answers with what was set, although AWS adds fields and reformats."""

import json
from collections.abc import Mapping
from typing import Any


def covers(seen: Any, wanted: Any) -> bool:
    """Whether ``seen`` holds all of ``wanted``. Fields that AWS adds are ignored."""
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
    """Return an API's resource policy. API Gateway answers it with its quotes escaped once more."""
    if not text:
        return None
    try:
        return _normal(json.loads(text))
    except ValueError:
        return _normal(json.loads(json.loads(f'"{text}"')))


def same_policy(text: str | None, wanted: Mapping[str, Any] | None) -> bool:
    """Whether a policy, as AWS answers it, is the wanted one."""
    return bool(policy_from(text) == (_normal(wanted) if wanted else None))


def _normal(value: Any) -> Any:
    """Return one spelling, because AWS writes a list of one element as the element."""
    if isinstance(value, Mapping):
        return {key: _normal(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return _normal(value[0]) if len(value) == 1 else [_normal(each) for each in value]
    return value
