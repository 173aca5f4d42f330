"""The schema that a version of the code knows, as each version's description says it.

A rollback needs it. The function for devices runs no commands, so what it knows has to be written
down when its version is published.
"""

import re
from collections.abc import Mapping

_NUMBER = re.compile(r"(\d+)")
_BEGIN = "schema: "
DESCRIPTION_LIMIT = 256
"""Characters. https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html"""


def schema_here() -> dict[str, str]:
    """Return the number of each app's last migration in the code at hand."""
    from django.db.migrations.loader import MigrationLoader

    loader = MigrationLoader(None)
    last: dict[str, str] = {}
    for app, name in loader.disk_migrations:
        number = _number(name)
        last[app] = max(last.get(app, ""), number)
    return last


def description_here() -> str:
    """Return the description of a function that runs the code at hand."""
    listed = " ".join(f"{app} {number}" for app, number in sorted(schema_here().items()))
    description = f"EST server; {_BEGIN}{listed}"
    if len(description) > DESCRIPTION_LIMIT:
        raise ValueError(f"{len(description)} characters describe the schema.")
    return description


def schema_of(description: str) -> dict[str, str]:
    """Return what a version's description says; empty when it says nothing of a schema."""
    _, found, listed = description.partition(_BEGIN)
    words = listed.split() if found else []
    return dict(zip(words[::2], words[1::2], strict=False))


def applied_in(printed: str) -> dict[str, list[str]]:
    """Return the applied migrations of each app, from what ``showmigrations`` prints."""
    applied: dict[str, list[str]] = {}
    app = ""
    for line in printed.splitlines():
        if line and not line.startswith(" "):
            app = line.strip()
        elif line.startswith(" [X] "):
            applied.setdefault(app, []).append(line.removeprefix(" [X] ").split()[0])
    return applied


def not_covered(applied: Mapping[str, list[str]], known: Mapping[str, str]) -> list[str]:
    """Return the applied migrations that code with the schema ``known`` does not have."""
    return [
        f"{app}.{name}"
        for app, names in sorted(applied.items())
        for name in names
        if _number(name) > known.get(app, "")
    ]


def _number(migration: str) -> str:
    found = _NUMBER.match(migration)
    return found[1] if found else migration
