"""How many statements a request costs, and what it never loads."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from pki.models import IssuedCertificate
from pki.record import audit_trail
from pki.record.transactions import in_write_transaction
from tests.conftest import TESTER
from tests.support.builders import make_csr, make_key


def statements(send):
    """The SQL of one request; the test's own savepoints stand for BEGIN and COMMIT."""
    with CaptureQueriesContext(connection) as captured:
        response = send()
    return response, [query["sql"] for query in captured]


def test_cacerts_and_csrattrs_cost_one_statement_each_once_prepared(stranger):
    stranger.cacerts()
    for send in (stranger.cacerts, stranger.csrattrs):
        response, said = statements(send)
        assert response.status_code in (200, 204)
        assert len(said) == 1, said


def test_healthz_costs_none_and_readyz_one_after_a_write(stranger):
    """Without one it writes: tests/estserver/operations/test_readiness.py."""
    stranger.cacerts()
    in_write_transaction(lambda: audit_trail.record("test", actor=TESTER, target="test"))
    for path, most in (("/healthz", 0), ("/readyz", 1)):
        response, said = statements(lambda path=path: stranger.request("GET", path))
        assert response.status_code == 200
        assert len(said) <= most, said


def test_what_a_stranger_can_cause_is_bounded_by_one_statement(stranger, est_client):
    stranger.cacerts()
    for send in (
        lambda: stranger.simpleenroll(make_csr()),
        lambda: stranger.simpleenroll(b"x" * 40_000),
        lambda: stranger.request("GET", "/nowhere"),
        lambda: stranger.request("PUT", stranger.url("cacerts")),
        lambda: est_client.request("GET", "/", headers={"Host": "evil.example"}),
    ):
        _, said = statements(send)
        assert len(said) <= 1, said


def test_a_first_enrollment_costs_at_most_14_statements(est_client):
    est_client.simpleenroll(make_csr("sensor-0"))  # the process is warm, its audit chain open
    csr = make_csr("sensor-1", key=make_key("ec-p256", 1))

    response, said = statements(lambda: est_client.simpleenroll(csr))

    assert response.status_code == 200
    assert len(said) <= 14, "\n".join(said)


def test_a_renewal_costs_at_most_18_statements(est_client):
    device = est_client.using(est_client.simpleenroll(make_csr("sensor-1")).certificate)
    csr = make_csr("sensor-1", key=make_key("ec-p256", 1))

    response, said = statements(lambda: device.simplereenroll(csr))

    assert response.status_code == 200
    assert len(said) <= 18, "\n".join(said)


def test_a_replay_writes_nothing(est_client):
    csr = make_csr("sensor-1")
    est_client.simpleenroll(csr)

    response, said = statements(lambda: est_client.simpleenroll(csr))

    assert response.status_code == 200
    assert not [sql for sql in said if sql.startswith(("INSERT", "UPDATE", "DELETE"))]
    assert len(said) <= 7, "\n".join(said)


def test_the_count_does_not_grow_with_what_is_on_record(est_client):
    counts = []
    for number in range(12):
        csr = make_csr(f"sensor-{number}", key=make_key("ec-p256", number))
        response, said = statements(lambda csr=csr: est_client.simpleenroll(csr))
        assert response.status_code == 200
        counts.append(len(said))

    assert len(set(counts[1:])) == 1
    assert IssuedCertificate.objects.count() == 13  # and the test client's


SCRIPT = """
import sys
from estserver.wsgi_est import application
from io import BytesIO

def call(path):
    environ = {
        "REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": "", "SERVER_NAME": "localhost",
        "SERVER_PORT": "8443", "HTTP_HOST": "localhost", "wsgi.input": BytesIO(),
        "wsgi.url_scheme": "https", "CONTENT_LENGTH": "0", "SERVER_PROTOCOL": "HTTP/1.1",
    }
    status = []
    b"".join(application(environ, lambda line, headers: status.append(line)))
    return status[0]

from django.core.management import call_command
call_command("migrate", verbosity=0)
from pki.record.audit_trail import Actor
from pki.authorities.bootstrap import bootstrap_cas
bootstrap_cas(actor=Actor("test"))
print(call("/.well-known/est/cacerts"))
loaded = {name.partition(".")[0] for name in sys.modules}
print(sorted(loaded & {"boto3", "botocore", "s3transfer", "zappa"}))
"""


@pytest.mark.parametrize("module", ["estserver.wsgi_est", "estserver.functions.est"])
def test_the_device_side_answers_cacerts_and_signs_without_loading_aws(tmp_path, module):
    environment = {
        "PATH": os.environ["PATH"],
        "EST_DATA_DIR": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "estserver.settings.est",
    }
    script = SCRIPT.replace("estserver.wsgi_est", module)
    if module.endswith("functions.est"):
        script = script.replace("import application", "import application, handler")
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[3],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    status, aws = done.stdout.splitlines()[-2:]
    assert status == "200 OK", done.stdout + done.stderr
    assert aws == "[]"
