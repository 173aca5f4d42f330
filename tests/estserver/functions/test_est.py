"""The device side's Lambda handler, in a process of its own, because it changes the imports."""

import json
import subprocess
import sys

import pytest

from estserver.config import PROJECT_ROOT
from tests.support.est_client import DOMAIN, ESTClient

ASK = """
import json, sys
from estserver.functions.est import handler
from django.conf import settings
settings.EST_DOMAIN_NAMES, settings.ALLOWED_HOSTS = {sys.argv[1]}, [sys.argv[1]]
for event in json.load(sys.stdin):
    print("answer", json.dumps(handler(event, None)))
"""
PATHS = ["/日本", "/é%ff", "/\udcff", "/.well-known/est/cäcerts", "/.well-known/est/é/cacerts"]


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_T37_an_event_whose_path_is_not_ascii_is_a_404(tmp_path, version):
    events = [ESTClient(version=version).event("GET", path) for path in PATHS]

    done = subprocess.run(
        [sys.executable, "-c", ASK, DOMAIN],
        cwd=PROJECT_ROOT,
        env={"EST_DATA_DIR": str(tmp_path)},
        input=json.dumps(events),
        capture_output=True,
        text=True,
        check=True,
    )

    lines = [line for line in done.stdout.splitlines() if line.startswith("answer ")]
    statuses = [json.loads(line.removeprefix("answer "))["statusCode"] for line in lines]
    assert [int(status) for status in statuses] == [404] * len(PATHS)
    assert "Traceback" not in done.stdout + done.stderr
