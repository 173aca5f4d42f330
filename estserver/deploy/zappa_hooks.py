"""What Zappa calls on its way (``callbacks`` in ``zappa_settings.json``).

Zappa would pack the whole virtual environment and working directory, with byte code that Lambda
finds stale. Its ``exclude`` therefore leaves everything out: what it makes is a zip with its own
handler and settings, and `fill_zip` puts our package into that. So ``zappa package``, ``deploy``
and ``update`` all upload the same, and need no option.

Zappa loads this file by its path, and doesn't look for modules in the project: so nothing of ours
is imported before `_find_project`.
"""

import sys
from pathlib import Path
from typing import Any

from click import ClickException


def fill_zip(zappa: Any) -> None:
    """The callback ``zip``: put the stage's package into the zip that Zappa has begun.

    Raises ClickException, which ends Zappa before anything is uploaded.
    """
    _find_project()
    from estserver.config import ConfigError, load_config
    from estserver.deploy.package.build import fill
    from pki.operators.errors import OperatorError

    zip_path = Path(zappa.zip_path)
    try:
        config = load_config()
        _check_settings(zappa, config.properties)
        fill(zip_path, zappa.api_stage, config)
    except (ConfigError, OperatorError) as error:
        zip_path.unlink(missing_ok=True)
        raise ClickException(f"the package of {zappa.api_stage} wasn't made: {error}") from error


def _find_project() -> None:
    root = str(Path(__file__).resolve().parents[2])
    if root not in sys.path:
        sys.path.insert(0, root)


def _check_settings(zappa: Any, properties: Any) -> None:
    """Zappa makes the function, we what runs in it: they have to agree."""
    from pki.operators.errors import OperatorError

    for key, name, found, wanted in (
        ("lambdaRuntime", "runtime", zappa.runtime, properties.lambda_runtime),
        ("lambdaArchitecture", "architecture", zappa.architecture, properties.lambda_architecture),
    ):
        if found != wanted:
            raise OperatorError(
                f"zappa_settings.json has the {name} {found}, and Properties.{key} is {wanted}; "
                "set both to the same"
            )
