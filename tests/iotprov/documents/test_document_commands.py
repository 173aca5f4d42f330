"""`template`, `policy` and `outbox`, as an operator types them."""

import io
import json

import pytest
from django.core.management import CommandError, call_command

from iotprov.documents.versions import Kind, body_in_force, body_of_file
from iotprov.models import DocumentVersion, Provisioning
from iotprov.policy.breadth import allows_everything
from pki.models import AuditEvent, IssuedCertificate
from tests.support.builders import make_csr
from tests.support.commands import refused, rows, run

State = Provisioning.State


@pytest.fixture
def policy(installation, tmp_path):
    """The file of a policy that differs from the one in force in its layout."""
    path = tmp_path / "policy.json"
    path.write_text(body_of_file(Kind.POLICY).replace("\n", "\n\n", 1))
    return path


def test_versions_are_added_listed_compared_and_brought_back(policy):
    before = body_in_force(Kind.POLICY)
    assert rows("policy", "list") == []
    run("policy", "add", policy, "--reason", "layout")
    assert refused("policy", "diff")[1] == 1
    run("policy", "add", before, "--reason", "back")  # a text in place of a file
    run("policy", "roll-back", "1", "--reason", "layout again")

    listed = rows("policy", "list")
    assert [(one["version"], one["status"], one["reason"]) for one in listed] == [
        (3, "in force", "layout again (back to v1)"),
        (2, "replaced", "back"),
        (1, "replaced", "layout"),
    ]
    assert run("policy", "show") == run("policy", "show", "1") == f"{policy.read_text()}\n"
    assert run("policy", "diff").splitlines()[:2] == ["--- v2", "+++ in force"]
    assert run("policy", "diff", "1", "3") == "There is no difference.\n"
    assert AuditEvent.objects.filter(action="add-iot-policy-version").count() == 3


def test_a_version_that_somebody_else_replaced_is_not_overwritten(policy):
    run("policy", "add", policy, "--reason", "r", "--based-on", "0")
    policy.write_text(policy.read_text().replace("\n", "\n\n", 1))

    run("policy", "add", policy, "--reason", "r", "--based-on", "1")
    policy.write_text(policy.read_text().replace("\n", "\n\n", 1))
    sentence, code = refused("policy", "add", policy, "--reason", "r", "--based-on", "1")

    assert code == 1
    assert "came in force since you began" in sentence


def test_a_text_with_errors_is_refused_with_line_and_column(installation, tmp_path):
    path = tmp_path / "template.json"
    path.write_text('{"Parameters": {}, "Resources": 7}')
    out = io.StringIO()

    with pytest.raises(CommandError, match="Errors: ") as caught:
        call_command("template", "validate", str(path), "--json", stdout=out)
    problem = json.loads(out.getvalue().splitlines()[0])

    assert caught.value.returncode == 1
    assert (problem["severity"], problem["line"]) == ("error", 1)
    assert refused("template", "add", path, "--reason", "r")[1] == 1
    assert refused("template", "validate", tmp_path / "none")[1] == 1
    assert not DocumentVersion.objects.exists()


@pytest.mark.parametrize(
    ("statement", "is_broad"),
    [
        ({"Effect": "Allow", "Action": "iot:*"}, True),
        ({"Effect": "Allow", "Action": ["iot:Connect", "*"]}, True),
        ({"Effect": "Allow", "Action": "IOT:*"}, True),
        ({"Effect": "Deny", "Action": "iot:*"}, False),
        ({"Effect": "Allow", "Action": ["iot:Connect"]}, False),
    ],
)
def test_a_policy_that_allows_everything_is_known(statement, is_broad):
    assert allows_everything(json.dumps({"Statement": statement})) is is_broad
    assert allows_everything(json.dumps({"Statement": [statement]})) is is_broad


@pytest.mark.parametrize("text", ["", "[]", "{", '{"Statement": 7}', '{"Statement": ["x"]}'])
def test_a_text_that_is_no_policy_allows_nothing(text):
    assert not allows_everything(text)


# The outbox


@pytest.fixture
def row(est_client):
    """A row of the outbox that waits."""
    est_client.simpleenroll(make_csr("sensor-1"))
    certificate = IssuedCertificate.objects.for_name("sensor-1").get()
    return Provisioning.objects.create(certificate=certificate, target="default")


def test_rows_are_listed_parked_and_retried(row):
    [listed] = rows("outbox", "list", "--state", "pending")
    assert (listed["id"], listed["thing"]) == (str(row.pk), "sensor-1")

    assert "parked" in run("outbox", "park", "sensor-1", "--reason", "a broken thing")
    row.refresh_from_db()
    assert row.state == State.PARKED
    assert "Only a pending row" in refused("outbox", "park", row.pk, "--reason", "r")[0]

    for name in (str(row.pk), row.certificate.serial_number, "SENSOR-1"):
        run("outbox", "retry", name, "--reason", "mended")
        row.refresh_from_db()
        assert row.state == State.PENDING
    assert AuditEvent.objects.filter(action="provisioning-retry").count() == 3


def test_all_parked_rows_of_a_target_are_retried(row):
    run("outbox", "park", "--every-pending", "--reason", "r")

    assert run("outbox", "retry", "--every-parked", "--target", "default").count("pending") == 1
    assert run("outbox", "retry", "--every-parked") == ""
    assert refused("outbox", "retry", "--every-parked", "--target", "venus")[1] == 1


def test_rows_or_all_of_them_are_named(row):
    assert refused("outbox", "retry")[1] == 2
    assert refused("outbox", "retry", "sensor-1", "--every-parked")[1] == 2
    assert "has no row 'x'" in refused("outbox", "retry", "x")[0]
    assert "needs a reason" in refused("outbox", "park", "sensor-1")[0]
