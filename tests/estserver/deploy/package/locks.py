"""Locks as `make lock` writes them, read by name."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Locked:
    """One distribution of a lock."""

    version: str
    marker: str
    hashes: frozenset[str]


def read_lock(text):
    """The distributions of a lock, by name."""
    entries = {}
    for entry in re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]:
        first, *rest = entry.splitlines()
        requirement, _, marker = first.rstrip("\\").partition(" ; ")
        name, _, version = requirement.strip().partition("==")
        hashes = frozenset(re.findall(r"--hash=(\S+)", "\n".join(rest)))
        entries[re.sub(r"\[.*\]", "", name)] = Locked(version, marker.strip(), hashes)
    return entries


def read_locks(paths):
    """The distributions of several locks together."""
    return {name: each for path in paths for name, each in read_lock(path.read_text()).items()}
