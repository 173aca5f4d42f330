"""Two texts of a document compared as JSON, whatever their layout."""

import difflib
import json

from iotprov.conf import IoTTarget
from iotprov.documents.aws_documents import DefaultVersion
from iotprov.documents.versions import name_of


def is_same_json(one: str, other: str) -> bool:
    """Return whether two texts are the same JSON."""
    return _indented(one) == _indented(other)


def unified_diff(kind: str, target: IoTTarget, found: DefaultVersion | None, text: str) -> str:
    """Return a unified diff from what AWS has to ``text``; "" if they are the same JSON.

    Both sides are indented JSON with sorted keys.
    """
    name = name_of(kind)
    version = "nothing" if found is None else f"version {found.version}"
    lines = difflib.unified_diff(
        _indented(found.body) if found else [],
        _indented(text),
        f"{name} at {target.name} ({version})",
        f"{name} here",
        lineterm="",
    )
    return "\n".join(lines)


def _indented(body: str) -> list[str]:
    try:
        data = json.loads(body)
    except ValueError:  # written by another tool; compared as text
        return body.splitlines()
    return json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False).splitlines()
