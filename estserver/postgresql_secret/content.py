"""The content of a database's secret, and what it means beside the settings."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.views.decorators.debug import sensitive_variables

from estserver.config import ConfigError
from estserver.config.database import IAM_LOGIN, POSTGRESQL_BACKEND, database_settings

_CONFIGURED = ("HOST", "PORT", "NAME")
_MISSING = {"HOST": "host", "NAME": "dbname", "USER": "username", "PASSWORD": "password"}
_KEYS = {**_MISSING, "PORT": "port"}


@sensitive_variables()
def with_secret(settings: Mapping[str, Any], name: str, content: bytes) -> dict[str, Any]:
    """Return the ``settings`` of a database, completed by the secret ``name``.

    The secret is a URL or RDS's JSON. User and password are the secret's. Host, port and database
    are the settings' where they have them, because RDS's own secrets may have none, and an RDS
    Proxy has another host than they say.
    https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html

    Raises ConfigError, whose text holds nothing of the content.
    """
    text = content.decode(errors="replace").strip()
    said = _of_json(name, text) if text.startswith("{") else _of_url(name, text)
    options = {**said.pop("OPTIONS", {}), **settings["OPTIONS"]}
    configured = {key: settings[key] for key in _CONFIGURED if settings[key]}
    whole = {**settings, **said, **configured, "OPTIONS": options}
    if missing := [key for attribute, key in _MISSING.items() if not whole[attribute]]:
        raise ConfigError(
            f"The secret {name} has no {' and no '.join(missing)}. Add it, or put host and name "
            "of the database into databaseUrl (postgresql://host:port/name)."
        )
    return whole


@sensitive_variables()
def _of_url(name: str, text: str) -> dict[str, Any]:
    try:
        said = database_settings(text, data_dir=Path()) if text else {}
    except ConfigError as error:
        raise ConfigError(f"The secret {name} cannot be used. {error}") from error
    if said.get("ENGINE") != POSTGRESQL_BACKEND or IAM_LOGIN in said:
        raise ConfigError(
            f"The secret {name} is neither a postgresql:// URL nor RDS's JSON "
            '({"host": ..., "dbname": ..., "username": ..., "password": ...}). Correct it.'
        )
    return {key: said[key] for key in (*_KEYS, "OPTIONS")}


@sensitive_variables()
def _of_json(name: str, text: str) -> dict[str, Any]:
    try:
        said = json.loads(text)
    except ValueError:
        # Without the exception as a cause, because it holds the text.
        said = None
    if not isinstance(said, dict):
        raise ConfigError(f"The secret {name} begins like JSON and is not JSON. Correct it.")
    engine = str(said.get("engine", "postgres"))
    if "postgres" not in engine:
        raise ConfigError(
            f"The secret {name} is of a database of the kind {engine[:20]!r}. Wanted: PostgreSQL's."
        )
    return {attribute: str(said.get(key, "")) for attribute, key in _KEYS.items()}
