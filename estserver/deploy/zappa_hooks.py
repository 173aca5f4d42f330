"""The callback ``zip`` under the name that earlier ``zappa_settings.json`` files give it.

Zappa loads this file by its path, in a process whose path does not hold the project.
"""

import sys
from pathlib import Path

PROJECT_ROOT = str(Path(__file__).resolve().parents[2])
if PROJECT_ROOT not in sys.path:
    sys.path.insert(0, PROJECT_ROOT)

from estserver.deploy.zappa_callbacks import fill_zip  # noqa: E402 - the path comes first

__all__ = ["fill_zip"]
