"""Whether an IoT policy allows everything, so that a person has to confirm its push."""

import json
from typing import Any

_EVERYTHING = frozenset({"*", "iot:*"})


def allows_everything(body: str) -> bool:
    """Return whether a statement of the policy allows ``*`` or ``iot:*``.

    A text that is no policy allows nothing. AWS takes one statement or a list, and one action or a
    list: https://docs.aws.amazon.com/iot/latest/developerguide/iot-policies.html
    """
    try:
        policy = json.loads(body)
    except ValueError:
        return False
    statements = _listed(policy.get("Statement")) if isinstance(policy, dict) else []
    return any(
        isinstance(statement, dict)
        and statement.get("Effect") == "Allow"
        and _EVERYTHING & {str(action).lower() for action in _listed(statement.get("Action"))}
        for statement in statements
    )


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
