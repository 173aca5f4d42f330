"""The names that Zappa gives the EventBridge rules of the schedules."""

import hashlib

MINUTELY = "estserver.schedule.every_minute"
HOURLY = "estserver.schedule.every_hour"

_LONGEST = 64
"""Characters of a rule's name.
https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_EnableRule.html
"""


def rule_name(project: str, path: str) -> str:
    """Return the name of the rule that runs the function ``path`` of the stage ``admin``.

    It is what Zappa's ``get_scheduled_event_name`` returns, which is no part of the package. A name
    that would be too long begins with a digest in place of the Lambda function's name.
    """
    name = _joined(f"{project}-admin", path)
    if len(name) < _LONGEST:
        return name
    digest = hashlib.sha1(f"{project}-admin".encode(), usedforsecurity=False).hexdigest()
    return _joined(digest, path)


def _joined(prefix: str, path: str) -> str:
    width = max(0, _LONGEST - 1 - len(path))
    return f"{prefix[:width]}-{path}"[:_LONGEST]
