"""What an operator chooses: one YAML file and three environment variables, as frozen values.

Reading and validating a file takes PyYAML and pydantic, which a cold start should not pay for.
`load_config` imports them, this package does not, so that a Lambda function can be handed a
configuration that was validated when it was packaged. For the same reason this package does not
import the keys themselves (`estserver.config.keys`): a hundred fields with their types, of which a
package has the values.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from estserver.config.errors import ConfigError
from estserver.config.values import MADE_BY, PROJECT_ROOT, Config, data_directory

__all__ = ["MADE_BY", "PROJECT_ROOT", "Config", "ConfigError", "data_directory", "load_config"]


def load_config(path: Path | None = None, *, environ: Mapping[str, str] = os.environ) -> Config:
    """Read the configuration: ``path``, else the file that EST_CONFIG names, else config.yaml.

    EST_DATA_DIR moves the data directory, and DATABASE_URL wins over the file's databaseUrl.
    Raises ConfigError, with a line for each problem.
    """
    from estserver.config.loader import read_config

    return read_config(path, environ)
