"""The people side's settings, on the database and the AWS account of the parent's test."""

import json
import os
from dataclasses import replace
from pathlib import Path

from estserver.config.database import database_settings
from estserver.settings.admin import *  # noqa: F403
from estserver.settings.admin import EST_DATA_DIR, IOT, PKI

_given = json.loads(os.environ["CHILD_SETTINGS"])

DATABASES = {
    "default": database_settings(os.environ.get("TEST_DATABASE_URL", ""), data_dir=EST_DATA_DIR)
}
DATABASES["default"]["NAME"] = _given["database"]
PKI = replace(PKI, data_dir=EST_DATA_DIR)
IOT = replace(
    IOT, template_path=Path(_given["template"]), policy_name=_given["policy"], request_seconds=0
)
LOGGING_CONFIG = None
