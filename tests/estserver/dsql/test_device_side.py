"""The device side as its own database role: what it does for devices, and what it can never do."""

import base64
import json
import subprocess
import sys

import pytest
from psycopg import errors

from estserver.dsql.grants import ADMIN_ROLE, DEVICE_RIGHTS, DEVICE_ROLE
from tests.estserver.deploy.devices import enroll_event, issued
from tests.estserver.deploy.packages import ROOT
from tests.support.dsql.clients import connect
from tests.support.est_client import ESTClient

pytestmark = pytest.mark.postgresql

PROGRAM = ROOT / "tests" / "estserver" / "deploy" / "function_process.py"


@pytest.fixture
def client(installed):
    """The first client, behind API Gateway."""
    return ESTClient.from_files(installed.directory / "test-client.pem")


def ask(installed, *events):
    """What the function est, as the database role est_device, answers: statuses and bodies."""
    file = installed.directory / "events.json"
    file.write_text(json.dumps(events))
    done = subprocess.run(
        [sys.executable, PROGRAM, ROOT, "estserver.lambda_est.handler", file],
        cwd=ROOT,
        env=installed.environment(DEVICE_ROLE)
        | {"DJANGO_SETTINGS_MODULE": "estserver.settings.est"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("answer ")]
    answers = [json.loads(line.partition(" ")[2]) for line in lines]
    return [each.get("statusCode", each) for each in answers], answers


def body(answer):
    return (
        base64.b64decode(answer["body"]) if answer["isBase64Encoded"] else answer["body"].encode()
    )


def test_a_device_enrolls_and_renews_with_these_rights(installed, client):
    statuses, answers = ask(
        installed,
        enroll_event(client, "pump-1"),
        client.event("GET", client.url("cacerts")),
        client.event("GET", client.url("csrattrs")),
        client.event("GET", "/crl/device-ca.crl"),
        client.event("GET", "/readyz"),
    )
    assert statuses == [200, 200, 204, 200, 200], [body(each) for each in answers]

    device = client.using(issued(body(answers[0])))
    statuses, answers = ask(installed, enroll_event(device, "pump-1", operation="simplereenroll"))

    assert statuses == [200], answers
    assert installed.rows("SELECT count(*) FROM est_server.iotprov_provisioning") == [(2,)]
    assert installed.cluster.state.refusals == []


def test_a_refusal_is_on_the_trail_and_counted_with_these_rights(installed, client):
    refused = [enroll_event(client, f"lost-{n}", operation="simplereenroll") for n in range(2)]

    statuses, answers = ask(installed, *refused)

    assert all(400 <= status < 500 for status in statuses), answers
    on_trail = "SELECT count(*) FROM est_server.pki_auditevent WHERE starts_with(action, 'refuse-')"
    counted = "SELECT sum(count) FROM est_server.estserver_refusalcount"
    assert installed.rows(on_trail) == installed.rows(counted) != [(0,)]
    assert installed.cluster.state.refusals == []


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM pki_auditevent",
        "UPDATE pki_auditevent SET reason = ''",
        "DELETE FROM pki_issuedcertificate",
        "DELETE FROM pki_denylistentry",
        "INSERT INTO pki_denylistentry DEFAULT VALUES",
        "SELECT * FROM auth_user",
        "SELECT * FROM django_session",
        "ALTER TABLE pki_auditevent ADD COLUMN x text",
        "DROP TABLE pki_auditevent",
        "CREATE TABLE mine (id int PRIMARY KEY)",
    ],
)
def test_T48_the_device_side_changes_neither_schema_nor_trail(installed, statement):
    with (
        connect(installed.cluster, DEVICE_ROLE, options="-c search_path=est_server") as session,
        pytest.raises(errors.InsufficientPrivilege),
    ):
        session.execute(statement)


def test_each_right_is_needed(installed, client):
    """Without one of them a request fails, or the one that is refused for its lack is named."""
    needed = {
        (table, right)
        for table, rights in DEVICE_RIGHTS.items()
        for right in rights
        if (table, right) not in NEEDED_BY_OTHERS
    }
    idle = set()
    for number, (table, right) in enumerate(sorted(needed)):
        installed.rows(f"REVOKE {right} ON est_server.{table} FROM {DEVICE_ROLE}")
        statuses, _ = ask(
            installed,
            enroll_event(client, f"pump-{number}"),
            client.event("GET", "/crl/device-ca.crl"),
            client.event("GET", "/readyz"),
        )
        if statuses == [200, 200, 200]:
            idle.add((table, right))
        installed.rows(f"GRANT {right} ON est_server.{table} TO {DEVICE_ROLE}")

    assert idle == set()


NEEDED_BY_OTHERS = {
    ("django_migrations", "SELECT"),  # checks that no migration is missing
    *(("estserver_pendinghook", right) for right in DEVICE_RIGHTS["estserver_pendinghook"]),
    # A refusal counts itself.
    *(("estserver_refusalcount", right) for right in DEVICE_RIGHTS["estserver_refusalcount"]),
    # A row of the outbox is changed when a revocation meets it.
    ("iotprov_provisioning", "SELECT"),
    ("iotprov_provisioning", "UPDATE"),
    ("pki_generation", "INSERT"),  # of the first request ever
    ("pki_generation", "UPDATE"),  # readiness, when nothing else was written for ten seconds
    ("pki_certificateauthority", "UPDATE"),  # a revocation list, when the last one is a day old
    ("pki_auditevent", "SELECT"),  # the end of a chain, after a conflict
}
"""Rights that no request of this test takes, with who does. The admin's role owns the tables."""


def test_rights_of_an_earlier_version_go(installed):
    installed.rows(f"GRANT DELETE ON est_server.pki_auditevent TO {DEVICE_ROLE}")
    installed.rows(f"REVOKE SELECT ON est_server.pki_denylistentry FROM {DEVICE_ROLE}")

    installed.manage("migrate", "--no-input", user=ADMIN_ROLE)

    held = installed.rows(
        "SELECT table_name, privilege_type FROM information_schema.role_table_grants "
        "WHERE grantee = %s AND table_name IN ('pki_auditevent', 'pki_denylistentry')",
        DEVICE_ROLE,
    )
    assert {*held} == {
        ("pki_auditevent", "SELECT"),
        ("pki_auditevent", "INSERT"),
        ("pki_denylistentry", "SELECT"),
    }
