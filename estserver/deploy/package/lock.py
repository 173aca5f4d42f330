"""Which of the locked distributions travel with a stage.

``requirements.txt`` says of each distribution who wants it (``# via``). A stage takes what can be
reached from the roots, the lines of ``requirements/main.in``, less those that it has no use for:
so whatever is added to ``main.in``, for a hook or a signer, is packaged with all that it needs.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

STAGES = ("est", "admin")

_UNUSED_BY_BOTH = frozenset({"gunicorn", "pydantic", "pyyaml"})
_UNUSED: Mapping[str, frozenset[str]] = {
    # Without Zappa, `requests` isn't reached, which DRF would import if it were there.
    "est": _UNUSED_BY_BOTH | {"zappa", "whitenoise", "django-csp"},
    "admin": _UNUSED_BY_BOTH | {"apig-wsgi"},
}
_ALL_THAT_IS_USED_OF: Mapping[str, frozenset[str]] = {
    # Zappa's handler; the rest of its needs are those of its command line.
    "zappa": frozenset({"boto3", "durationpy", "werkzeug"}),
}
_ROOT = "-r requirements/main.in"
_NAME = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(\[[^]]*\])?==", re.ASCII)


@dataclass(frozen=True)
class Locked:
    """A distribution of the lock."""

    name: str
    text: str
    """Its lines: version, marker, hashes."""
    wanted_by: frozenset[str]
    """Names of distributions; and ``-r requirements/main.in`` when we ask for it ourselves."""


def read_lock(text: str) -> dict[str, Locked]:
    """The distributions in a compiled ``requirements.txt``, by name."""
    blocks: list[list[str]] = []
    for line in text.splitlines():
        if _NAME.match(line):
            blocks.append([])
        if blocks:
            blocks[-1].append(line)
    return {locked.name: locked for locked in map(_locked, blocks)}


def stage_requirements(lock: str, stage: str) -> str:
    """The part of the lock that ``stage`` takes, as text for ``pip install --require-hashes``."""
    locked = read_lock(lock)
    return "\n".join(locked[name].text for name in sorted(_reached(locked, stage))) + "\n"


def _reached(locked: Mapping[str, Locked], stage: str) -> set[str]:
    unused = _UNUSED[stage]
    reached = {
        name for name, each in locked.items() if _ROOT in each.wanted_by and name not in unused
    }
    found = reached
    while found:
        found = {
            name
            for name, each in locked.items()
            if name not in reached | unused
            and any(
                parent in reached and name in _ALL_THAT_IS_USED_OF.get(parent, {name})
                for parent in each.wanted_by
            )
        }
        reached = reached | found
    return reached


def _locked(lines: list[str]) -> Locked:
    comments = [line.strip().removeprefix("#").strip() for line in lines if "#" in line]
    parents = {comment.removeprefix("via").strip() for comment in comments}
    matched = _NAME.match(lines[0])
    if matched is None:
        raise AssertionError("a block begins with a name")
    text = "\n".join(line for line in lines if line.strip() and not line.strip().startswith("#"))
    return Locked(matched[1].lower().replace("_", "-"), text, frozenset(filter(None, parents)))
