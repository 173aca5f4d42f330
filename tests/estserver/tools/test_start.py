"""What a start does not load: the device side no tool and no table of people, and the web admin no
deployment.
"""

import subprocess
import sys

from tests.estserver.deploy.packages import ROOT

PROGRAM = """
import sys
import estserver.wsgi_est
import estserver.functions.est
from pki.issuance.issue import issue_certificate
of_tools = ("estserver.tools", "estserver.smoke", "estserver.console", "pki.issuance.unsigned",
            "pki.encoding.shapes", "pki.encoding.extension_words", "pki.record.audit_newest",
            "estserver.models.messages", "estserver.models.people", "estserver.models.programs")
print(sorted(name for name in sys.modules if name.startswith(of_tools)))
"""

PROGRAM_OF_HOUSEKEEPING = """
import django
django.setup()
from django.apps import apps
print(len(apps.get_app_config("estserver").models))
from estserver.models import IdempotencyKey
print(IdempotencyKey._meta.label)
try:
    from estserver.models import Weebhook
except ImportError:
    print("no such model")
"""


PROGRAM_OF_ADMIN = """
import django
django.setup()
import sys
import estserver.urls.admin
from django.contrib import admin
admin.site.urls
assert "estserver.console.tools.doctor_page" in sys.modules
print(sorted(name for name in sys.modules if name.startswith("estserver.deploy")))
"""


def said(program, data_dir, side):
    """What a process of its own prints."""
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"EST_DATA_DIR": str(data_dir), "DJANGO_SETTINGS_MODULE": f"estserver.settings.{side}"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_the_device_side_loads_no_tool(tmp_path):
    """With all that a server loads that lives long. A cold start loads a part of it."""
    assert said(PROGRAM, tmp_path, "est") == "[]\n"


def test_the_device_side_loads_a_table_of_people_when_it_is_asked_for(tmp_path):
    """Each model costs the start of the function about a millisecond."""
    assert said(PROGRAM_OF_HOUSEKEEPING, tmp_path, "est").splitlines() == [
        "4",
        "estserver.IdempotencyKey",
        "no such model",
    ]


def test_the_web_admin_loads_the_deployment_only_when_a_tool_needs_it(tmp_path):
    assert said(PROGRAM_OF_ADMIN, tmp_path, "admin") == "[]\n"
