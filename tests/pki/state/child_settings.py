"""The device side's own settings, on the database and data directory of the parent's test."""

import os
from dataclasses import replace

from estserver.config.database import database_settings
from estserver.settings.est import *  # noqa: F403
from estserver.settings.est import EST_DATA_DIR, PKI
from tests.pki.state import signers

DATABASES = {
    "default": database_settings(os.environ.get("TEST_DATABASE_URL", ""), data_dir=EST_DATA_DIR)
}
DATABASES["default"]["NAME"] = os.environ["CHILD_DATABASE"]
PKI = replace(
    PKI,
    data_dir=EST_DATA_DIR,
    signers={**PKI.signers, "keyfile": {"BACKEND": signers.PATH, "OPTIONS": {}}},
)
EST_DOMAIN_NAMES = frozenset({"est.example.com"})
ALLOWED_HOSTS = [*EST_DOMAIN_NAMES]
EST_ENROLLMENT_HOOK_CLASS = "tests.pki.state.faults.TrappedHook"
LOGGING_CONFIG = None
