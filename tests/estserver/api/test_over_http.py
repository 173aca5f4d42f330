"""Programs that others wrote call the API over HTTP: curl, as docs/api.md prints it, and a client
that openapi-python-client makes from docs/openapi.yaml."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from estserver.api.reasons import APIReason
from estserver.config import PROJECT_ROOT
from pki.models import DenylistEntry, IssuedCertificate, Job
from tests.support.builders import make_csr

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = PROJECT_ROOT / "docs" / "api.md"
LINES = re.compile(r"```bash\n(curl .*?)```", re.DOTALL)


@pytest.fixture
def served(officer, est_client, live_server):
    """The environment of a shell that calls the API of a server, on which sensor-1 has enrolled."""
    assert est_client.simpleenroll(make_csr("sensor-1")).status_code == 200
    return {
        **os.environ,
        "EST_API": f"{live_server.url}/api/v1",
        "EST_TOKEN": officer.headers["Authorization"].removeprefix("Bearer "),
    }


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_lines_of_the_page_work_as_they_are_printed(served):
    answers = []
    lines = LINES.findall(PAGE.read_text(encoding="utf-8"))
    for line in lines:
        done = subprocess.run(
            ["sh", "-c", line], env=served, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (line, done.stderr)
        answers.append(json.loads(done.stdout))

    assert len(lines) == 10
    assert answers[0]["person"] == "ca-officer"
    assert answers[2]["results"][0]["common_name"] == "sensor-1"
    assert DenylistEntry.objects.get().value == "sensor-1"
    assert answers[5]["is_refused"]
    assert answers[6]["count"] == 1
    assert Job.objects.get().pk.hex == answers[7]["job"].replace("-", "")
    assert answers[8]["changes"]["validity_days"]["after"] == 90


def test_the_page_has_each_code():
    text = PAGE.read_text(encoding="utf-8")

    for reason in APIReason:
        row = f"| `{reason.code}` | {reason.status.value} | {reason.meaning} | {reason.advice} |"
        assert row in text


USES = """
import os
from est_made import AuthenticatedClient
from est_made.api.certificates import get_certificates, post_certificate_revoke
from est_made.api.denylist import get_denylist, post_denylist
from est_made.models import DenyInputRequest, DenyInputRequestKind, RevokeInputRequest

client = AuthenticatedClient(
    base_url=os.environ["EST_API"].removesuffix("/api/v1"), token=os.environ["EST_TOKEN"]
)
(row,) = get_certificates.sync(client=client, q="sensor-1").results
assert row.status == "active" and row.profile == "default", row
body = DenyInputRequest(kind=DenyInputRequestKind.NAME, value="sensor-1", reason="stolen")
denied = post_denylist.sync(client=client, body=body, idempotency_key="once")
assert denied.outcome == "new" and denied.entry.value == "sensor-1", denied
assert post_denylist.sync(client=client, body=body, idempotency_key="once").outcome == "new"
assert get_denylist.sync(client=client).results[0].reason == "stolen"
from est_made.models import RevokeInputRequestReason as Why
revocation = RevokeInputRequest(reason=Why.KEYCOMPROMISE, comment="stolen")
revoked = post_certificate_revoke.sync(str(row.id), client=client, body=revocation)
assert revoked.outcome == "revoked", revoked
problem = post_certificate_revoke.sync("0badcafe", client=client, body=revocation)
assert problem.code == "api-not-found", problem
"""


def test_a_client_that_is_made_from_the_file_lists_denies_and_revokes(served, tmp_path):
    settings = tmp_path / "made.yaml"
    settings.write_text("post_hooks: []\n", encoding="utf-8")
    maker = Path(sys.executable).with_name("openapi-python-client")
    file = PROJECT_ROOT / "docs" / "openapi.yaml"
    places = ("--path", file, "--output-path", tmp_path / "est_made", "--config", settings)
    subprocess.run(
        [maker, "generate", "--meta", "none", *places],
        check=True,
        capture_output=True,
    )
    done = subprocess.run(
        [sys.executable, "-c", USES],
        env={**served, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert IssuedCertificate.objects.get(common_name="sensor-1").state == "revoked"
    assert DenylistEntry.objects.filter(kind="name", value="sensor-1").count() == 1
