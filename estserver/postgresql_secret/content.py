"""What a database's secret says, and what it means beside the settings."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.views.decorators.debug import sensitive_variables

from estserver.config import ConfigError
from estserver.config.database import database_settings

_CONFIGURED = ("HOST", "PORT", "NAME")
_MISSING = {"HOST": "host", "NAME": "dbname", "USER": "username", "PASSWORD": "password"}
_KEYS = {**_MISSING, "PORT": "port"}


@sensitive_variables()
def with_secret(settings: Mapping[str, Any], name: str, content: bytes) -> dict[str, Any]:
    """``settings`` of a database, completed by the secret ``name``.

    The secret is a URL or RDS's JSON. User and password are the secret's; host, port and database
    are the settings' where they have them: RDS's own secrets have none, and an RDS Proxy stands at
    another host than they say. TLS is required unless a URL has another ``sslmode``.
    https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html

    Raises ConfigError, in a sentence without any of the content.
    """
    text = content.decode(errors="replace").strip()
    said = _of_json(name, text) if text.startswith("{") else _of_url(name, text)
    options = {"sslmode": "require", **said.pop("OPTIONS", {}), **settings["OPTIONS"]}
    configured = {key: settings[key] for key in _CONFIGURED if settings[key]}
    whole = {**settings, **said, **configured, "OPTIONS": options}
    if missing := [key for attribute, key in _MISSING.items() if not whole[attribute]]:
        raise ConfigError(
            f"the secret {name} has no {' and no '.join(missing)}; add it, or put host and name "
            "of the database into databaseUrl (postgresql://host:port/name)"
        )
    return whole


@sensitive_variables()
def _of_url(name: str, text: str) -> dict[str, Any]:
    try:
        said = database_settings(text, data_dir=Path()) if text else {}
    except ConfigError as error:
        raise ConfigError(f"the secret {name}: {error}") from error
    if said.get("ENGINE") != "django.db.backends.postgresql":
        raise ConfigError(
            f"the secret {name} is neither a postgresql:// URL nor RDS's JSON "
            '({"host": ..., "dbname": ..., "username": ..., "password": ...}); correct it'
        )
    return {key: said[key] for key in (*_KEYS, "OPTIONS")}


@sensitive_variables()
def _of_json(name: str, text: str) -> dict[str, Any]:
    try:
        said = json.loads(text)
    except ValueError:
        # Not as a cause: its exception holds the text.
        said = None
    if not isinstance(said, dict):
        raise ConfigError(f"the secret {name} begins as JSON and isn't; correct it")
    engine = str(said.get("engine", "postgres"))
    if "postgres" not in engine:
        raise ConfigError(
            f"the secret {name} is of a database of the kind {engine[:20]!r}; wanted PostgreSQL's"
        )
    return {attribute: str(said.get(key, "")) for attribute, key in _KEYS.items()}
