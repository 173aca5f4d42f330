"""The configuration in force, value by value, with where each comes from. No secret is in it.

A function on Lambda reads this too, so nothing here needs PyYAML or pydantic at its import.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from estserver.config.errors import ConfigError
from estserver.config.key_names import key_name
from estserver.config.values import Config

SECRET = frozenset({"database_url", "options"})
"""Fields shown as set or not set: a database's URL, and the options of a signer."""

SET, NOT_SET, DEFAULT = "set", "not set", "default"
VARIABLES = ("EST_CONFIG", "EST_DATA_DIR", "DATABASE_URL")
"""The variables of the environment that the configuration reads."""

_SECTIONS = (("Properties", "properties"), ("DeploymentOptions", "deployment"))
_SHOWN_VARIABLES = frozenset({"EST_CONFIG", "EST_DATA_DIR"})


@dataclass(frozen=True, slots=True)
class EffectiveValue:
    """One value in force."""

    section: str
    key: str
    value: str
    source: str
    """A file with the line, ``environment: NAME``, or ``default``."""


def effective_values(
    config: Config, environ: Mapping[str, str] = os.environ
) -> list[EffectiveValue]:
    """Return every key of both sections, and the variables of the environment.

    Lines are those of the file as it is now. A server that runs has read it at its start.
    """
    lines = _lines(config)
    name = config.source.name if config.source else ""
    found = []
    for section, attribute in _SECTIONS:
        for field, value in _values(getattr(config, attribute)):
            key = key_name(field)
            if field == "database_url" and environ.get("DATABASE_URL"):
                source = "environment: DATABASE_URL"
            elif (section, key) in lines:
                source = f"{name}:{lines[section, key]}"
            elif section == "Properties" and key in config.given:
                source = name  # a package has the values, and not the file
            else:
                source = DEFAULT
            found.append(EffectiveValue(section, key, _shown(field, value), source))
    for variable in VARIABLES:
        given = environ.get(variable, "")
        text = given if variable in _SHOWN_VARIABLES else SET
        found.append(
            EffectiveValue(
                "Environment",
                variable,
                text if given else NOT_SET,
                f"environment: {variable}" if given else DEFAULT,
            )
        )
    return found


def database_parts(database: Mapping[str, Any]) -> list[EffectiveValue]:
    """Return what Django was given for the database, with its password as set or not set."""
    shown = {
        "kind": str(database["ENGINE"]).rpartition(".")[2],
        "name": str(database.get("NAME") or ""),
        "host": str(database.get("HOST") or ""),
        "port": str(database.get("PORT") or ""),
        "user": str(database.get("USER") or ""),
        "password": SET if database.get("PASSWORD") else NOT_SET,
    }
    return [
        EffectiveValue("Database", key, value or NOT_SET, "DATABASES of Django")
        for key, value in shown.items()
    ]


def _lines(config: Config) -> dict[tuple[str, str], int]:
    """Return the line of each key of the file; nothing where the file cannot be read any more."""
    if config.source is None or not config.source.is_file():
        return {}
    try:
        from estserver.config.yaml import read_yaml  # no package has PyYAML

        document = read_yaml(config.source)
    except (ImportError, ConfigError):
        return {}
    return {
        (str(path[0]), str(path[1])): line
        for path, line in document.lines.items()
        if len(path) == 2
    }


def _values(section: Any) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a section, which is a dataclass, or in a package its ``Values``."""
    if is_dataclass(section):
        names = [field.name for field in fields(section)]
    else:
        names = list(vars(section))
    for name in names:
        yield name, getattr(section, name)


def _shown(field: str, value: Any) -> str:
    if field in SECRET:
        return SET if value else NOT_SET
    plain = _plain(value)
    if plain in ("", None):
        return NOT_SET
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def _plain(value: Any) -> Any:
    """Return a value as JSON has it, without the secrets in its entries."""
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    if is_dataclass(value) or hasattr(value, "__dict__"):
        return {
            key_name(name): (SET if each else NOT_SET) if name in SECRET else _plain(each)
            for name, each in _values(value)
        }
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)
