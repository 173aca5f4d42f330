"""The device side loads nothing of the tools, whatever it is asked."""

import subprocess
import sys

from tests.estserver.deploy.packages import ROOT

PROGRAM = """
import sys
import estserver.wsgi_est
import estserver.functions.est
from pki.issuance.issue import issue_certificate
of_tools = ("estserver.tools", "estserver.smoke", "estserver.console", "pki.issuance.unsigned",
            "pki.encoding.shapes", "pki.encoding.extension_words", "pki.record.audit_newest")
print(sorted(name for name in sys.modules if name.startswith(of_tools)))
"""


def test_the_device_side_loads_no_tool(tmp_path):
    """With all that a server loads that lives long. A cold start loads a part of it."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env={"EST_DATA_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "estserver.settings.est"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "[]\n"
