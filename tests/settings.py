"""Settings of the tests: every app, the URLs of both sides, a database that threads can share."""

import atexit
import os
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from tests.support.in_memory import make_directory

_directory = os.environ["EST_DATA_DIR"] = str(make_directory("est-tests-"))
os.environ.pop("EST_CONFIG", None)


from estserver.config.database import database_settings
from estserver.settings.admin import *  # noqa: F403
from estserver.settings.admin import EST_DATA_DIR, IOT, PKI

atexit.register(shutil.rmtree, _directory, ignore_errors=True)

EST_DOMAIN = "est.example.com"
EST_DOMAIN_NAMES = frozenset({EST_DOMAIN})
EST_BOOTSTRAP_DOMAIN_NAME = ""
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "testserver", EST_DOMAIN]

# tests/test_on_postgresql.py runs some of the tests again with this variable.
DATABASES = {
    "default": database_settings(os.environ.get("TEST_DATABASE_URL", ""), data_dir=EST_DATA_DIR)
}
if "sqlite" in DATABASES["default"]["ENGINE"]:
    # Threads and child processes share a file, which they could not do with a database in memory.
    DATABASES["default"]["TEST"] = {"NAME": str(EST_DATA_DIR / "test.sqlite3")}

# AWS IoT learns of no certificate, unless a test asks for it.
PKI = replace(
    PKI,
    data_dir=EST_DATA_DIR,
    profile=replace(PKI.profile, iot_provisioning="none"),
    custom_secret_name="",
    server_names=(EST_DOMAIN,),
)
# A device waits for a few seconds only. A loaded machine may need longer for the same calls.
IOT = replace(IOT, request_seconds=60)
# A test that calls AWS reaches a moto server (tests/support/aws.py), and never an account.
for _name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
    os.environ.pop(_name, None)
os.environ |= {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",  # the discard port, on which no server listens
    # AWS IoT's SDK, which a test of the printed commands needs, brings another implementation of
    # signatures that boto3 would take. The product does not have it. botocore reads this when it
    # is imported, which conftest.py does.
    "BOTO_DISABLE_CRT": "true",
}
# As on a laptop. The tests of the second factor say otherwise.
EST_ADMIN_SECOND_FACTOR = "none"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Else a page that a slow machine opens a minute after the sign-in has four statements more.
EST_ADMIN_SESSION_NOTED_EVERY = timedelta(hours=1)
STATIC_ROOT = Path(EST_DATA_DIR) / "static"
STATIC_ROOT.mkdir(exist_ok=True)
LOGGING_CONFIG = None
