"""The configuration that travels in a Lambda package, validated when the package was made.

Reading a YAML file and validating it takes more than a tenth of a second, at every cold start.
``manage.py aws_package`` does it once and writes the outcome as ``estserver/packaged_config.py``,
a module of plain constructor calls. It exists in packages only, never in the working tree.

What is read there is `Values`, not the classes of `estserver.config.keys`: those are for writing a
file and for refusing one, and making them takes a thirtieth of a cold start.
"""

import os
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from typing import Any

from estserver.config.database import database_settings
from estserver.config.errors import ConfigError
from estserver.config.values import Config, data_directory

MODULE = "estserver.packaged_config"

NO_DATABASE = (
    "DATABASE_URL isn't set, and the package has neither databaseSecretName nor a databaseUrl (one "
    "with a password is never packaged); name a secret, or set DATABASE_URL in the function's "
    "environment"
)
SQLITE = (
    "the database is SQLite: on Lambda its file would be lost with each environment, and none "
    "would see what another issued; name a PostgreSQL database in DATABASE_URL or "
    "databaseSecretName"
)


class Values:
    """A section of a packaged configuration, or a part of one: the same attributes, validated.

    Compared and hashed by identity, and shown without its values, some of which are secret.
    """

    def __init__(self, **values: Any) -> None:
        vars(self).update(values)


def packaged_config(environ: Mapping[str, str] = os.environ) -> Config | None:
    """The package's configuration; ``None`` where there is no package.

    The environment's DATABASE_URL and EST_DATA_DIR win, as ever. Raises ConfigError for a
    database that can't be used.
    """
    try:
        module = import_module(MODULE)
    except ModuleNotFoundError as error:
        if error.name != MODULE:
            raise
        return None
    config: Config = module.CONFIG
    properties: Any = config.properties
    if url := environ.get("DATABASE_URL"):
        chosen = {"database_url": url, "database_secret_name": ""}
        properties = Values(**{**vars(properties), **chosen})
    config = replace(config, properties=properties, data_dir=data_directory(environ))
    _check_database(config, on_lambda="AWS_LAMBDA_FUNCTION_NAME" in environ)
    return config


def _check_database(config: Config, *, on_lambda: bool) -> None:
    url, secret_name = config.properties.database_url, config.properties.database_secret_name
    if on_lambda and not url and not secret_name:
        raise ConfigError(NO_DATABASE)
    chosen = database_settings(url, data_dir=config.data_dir, secret_name=secret_name)
    if on_lambda and chosen["ENGINE"].endswith("sqlite3"):
        raise ConfigError(SQLITE)
