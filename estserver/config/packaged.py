"""The configuration that travels in a Lambda package, validated when the package was made.

Reading a YAML file and validating it takes more than a tenth of a second, at every cold start.
``manage.py aws_package`` does it once and writes the result as ``estserver/packaged_config.json``.
The file exists in packages only, never in the working tree.

Its sections are read as `Values`, not as the classes of `estserver.config.keys`: only who writes a
file or refuses one needs those classes, and making them takes a thirtieth of a cold start.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NoReturn

from estserver.config.database import database_settings
from estserver.config.errors import ConfigError
from estserver.config.values import PROJECT_ROOT, Config, data_directory

FILE = Path("estserver", "packaged_config.json")
"""The file's place in a package, which is a project root as well."""

NO_DATABASE = (
    "DATABASE_URL is not set, and the package has neither databaseSecretName nor a databaseUrl "
    "(one with a password is never packaged). Name a secret, or set DATABASE_URL in the function's "
    "environment."
)
SQLITE = (
    "The database is SQLite. On Lambda its file would be lost with each environment, and no "
    "environment would see what another one issued. Name a PostgreSQL database in DATABASE_URL or "
    "databaseSecretName."
)


class Values:
    """A section of a packaged configuration, or an entry of one: the same attributes, validated.

    Compared and hashed by identity, and shown without its values, some of which are secret.
    """

    def __init__(self, **values: Any) -> None:
        vars(self).update(values)


def as_json(config: Config) -> str:
    """Return the text of the file for ``config``, without its data directory.

    Raises TypeError for a value that JSON has no word for.
    """
    content = {**asdict(config), "source": config.source and str(config.source)}
    del content["data_dir"]  # a function's environment decides it
    return json.dumps(content, indent=1, default=_refuse)


def packaged_config(
    environ: Mapping[str, str] = os.environ, *, root: Path = PROJECT_ROOT
) -> Config | None:
    """Return the configuration of the package at ``root``; ``None`` where there is no package.

    The environment's DATABASE_URL and EST_DATA_DIR win over it. Raises ConfigError for a file that
    cannot be read and for a database that cannot be used.
    """
    content = _content(root / FILE)
    if content is None:
        return None
    try:
        config = _config(content, data_directory(environ))
    except (AttributeError, KeyError, TypeError):
        raise _unreadable("it does not have the form that this version writes") from None
    if url := environ.get("DATABASE_URL"):
        properties = {**vars(config.properties), "database_url": url, "database_secret_name": ""}
        config = replace(config, properties=Values(**properties))  # type: ignore[arg-type]
    _check_database(config, on_lambda="AWS_LAMBDA_FUNCTION_NAME" in environ)
    return config


def _content(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable((error.strerror or "unknown error").lower()) from error
    except ValueError:  # neither JSON nor UTF-8; its text is not shown, as it may hold values
        raise _unreadable("it is not JSON") from None


def _unreadable(reason: str) -> ConfigError:
    return ConfigError(
        f"The package's configuration {FILE} cannot be read ({reason}). Make the package again: "
        "manage.py aws_package."
    )


def _config(content: Any, data_dir: Path) -> Config:
    signers = content["properties"].pop("signers")
    properties, deployment = _section(content["properties"]), _section(content["deployment"])
    properties["signers"] = {alias: Values(**signer) for alias, signer in signers.items()}
    return Config(
        **{
            **_section(content),
            "properties": Values(**properties),
            "deployment": Values(**deployment),
            "source": Path(content["source"]) if content["source"] else None,
            "data_dir": data_dir,
        }
    )


def _section(content: dict[str, Any]) -> dict[str, Any]:
    """A section's values. Its lists become tuples again, and the mappings in them entries."""
    return {
        name: tuple(Values(**each) if isinstance(each, dict) else each for each in value)
        if isinstance(value, list)
        else value
        for name, value in content.items()
    }


def _refuse(value: object) -> NoReturn:
    raise TypeError(f"A {type(value).__name__} cannot be written into a package.")


def _check_database(config: Config, *, on_lambda: bool) -> None:
    url, secret_name = config.properties.database_url, config.properties.database_secret_name
    if on_lambda and not url and not secret_name:
        raise ConfigError(NO_DATABASE)
    chosen = database_settings(url, data_dir=config.data_dir, secret_name=secret_name)
    if on_lambda and chosen["ENGINE"].endswith("sqlite3"):
        raise ConfigError(SQLITE)
