"""What an operator chooses: one YAML file and three environment variables, as frozen values.

Reading and validating a file takes PyYAML and pydantic, which no Lambda package holds. Therefore
`load_config` imports them, and this package does not, nor does it import the keys
(`estserver.config.keys`). A function reads values that were validated when its package was made
(`estserver.config.packaged`).
"""

import os
from collections.abc import Mapping
from pathlib import Path

from estserver.config.errors import ConfigError
from estserver.config.values import PROJECT_ROOT, Config, data_directory
from pki.aws.ownership import MADE_BY

__all__ = ["MADE_BY", "PROJECT_ROOT", "Config", "ConfigError", "data_directory", "load_config"]


def load_config(path: Path | None = None, *, environ: Mapping[str, str] = os.environ) -> Config:
    """Read the configuration: ``path``, else the file that EST_CONFIG names, else config.yaml.

    EST_DATA_DIR moves the data directory, and DATABASE_URL wins over the file's databaseUrl.
    Raises ConfigError, with a line for each problem.
    """
    from estserver.config.loader import read_config

    return read_config(path, environ)
