"""manage.py drift: lines, exit codes, and nothing claimed of what wasn't looked at."""

import io
import json
from contextlib import contextmanager
from dataclasses import replace

import pytest
from django.core.management import CommandError, call_command

from iotprov import client as iot_client
from iotprov.conf import IoTTarget
from iotprov.models import Provisioning
from pki.denylist.entries import deny
from pki.models import AuditEvent
from tests.conftest import TESTER
from tests.iotprov.aws_edge import TIMEOUT
from tests.iotprov.cloud import POLICY, active, make_due
from tests.iotprov.drift.drifting import agreed, found_before_failing, listing_edge
from tests.support.aws_faults import Fault, aws_calls, failing

__all__ = ["agreed", "listing_edge"]

READS = {
    "iam:GetRole",
    "iam:ListAttachedRolePolicies",
    "iot:DescribeCACertificate",
    "iot:DescribeCertificate",
    "iot:DescribeProvisioningTemplate",
    "iot:GetPolicy",
    "iot:ListAttachedPolicies",
    "iot:ListCACertificates",
    "iot:ListCertificatesByCA",
    "iot:ListPrincipalThingsV2",
    "sts:GetCallerIdentity",
}
"""Every call of a comparison."""

_REFUSALS = {
    Fault.ACCESS_DENIED: ("AccessDeniedException", 403),
    Fault.SERVER_ERROR: ("InternalFailure", 500),
    Fault.THROTTLE: ("ThrottlingException", 400),
    Fault.TIMEOUT: (TIMEOUT, 0),
}


def run(*options):
    """Exit code, standard output, what went wrong."""
    out = io.StringIO()
    try:
        call_command("drift", *options, stdout=out)
    except CommandError as error:
        return error.returncode, out.getvalue(), str(error)
    return 0, out.getvalue(), ""


@contextmanager
def broken(agreed, call, fault):
    """Let every call fail, whoever plays it: the edge or moto."""
    service, operation = call.split(":")
    iot_client._account.cache_clear()
    if agreed.edge.serves(operation):
        code, status = _REFUSALS[fault]
        with agreed.edge.failing(operation, code, status=status):
            yield
    else:
        with failing(service, operation, fault):
            yield


@pytest.fixture
def disturbed(agreed):
    """A certificate that was stopped in the console, and one that isn't listed."""
    agreed.edge.unlisted.add(agreed.enroll("sensor-1").fingerprint_sha256)
    agreed.set_status(agreed.enroll("sensor-2", key=1), "INACTIVE")
    agreed.enroll("sensor-3", key=2)
    return agreed


def test_every_call_of_a_comparison_is_listed_here(disturbed):
    iot_client._account.cache_clear()
    disturbed.edge.calls.clear()
    with aws_calls() as calls:  # of those that the edge answers nobody else hears
        run("--deep")

    by_the_edge = {name for name, _ in disturbed.edge.calls if disturbed.edge.serves(name)}
    assert set(calls) | {f"iot:{name}" for name in by_the_edge} == READS


@pytest.mark.parametrize("fault", _REFUSALS, ids=lambda fault: fault.value)
def test_T20_what_cant_be_looked_at_ends_in_exit_code_3_and_no_claim(disturbed, fault):
    for call in sorted(READS):
        with broken(disturbed, call, fault):
            code, out, error = run("--deep")

        assert code == 3, (call, out, error)
        assert f"{call} failed with" in error
        assert "Not everything could be compared" in error
        assert "agree" not in out
        assert "Not everything could be compared" in out
        # What could be looked at was: the certificates' part, or all before it.
        is_of_certificates = call in ("iot:ListCertificatesByCA", "sts:GetCallerIdentity")
        assert is_of_certificates or "ACTIVE here -> INACTIVE in AWS" in out, call
    assert run("--deep")[0] == 1


def test_a_list_that_breaks_off_lets_nobody_be_called_missing(agreed):
    stopped = agreed.enroll("sensor-1")
    agreed.enroll("sensor-2", key=1)
    agreed.set_status(stopped, "INACTIVE")
    agreed.edge.page_size = 1
    agreed.edge.fail("ListCertificatesByCA", "", worked=True)  # the first page comes
    agreed.edge.fail("ListCertificatesByCA", "UnauthorizedException", status=401)

    differences, error = found_before_failing()

    assert [one.theirs for one in differences] == ["INACTIVE"]
    assert error.parts == ("certificates",)


def test_a_target_that_agrees_says_so_and_what_wasnt_looked_at(agreed):
    agreed.enroll("sensor-1")

    assert run() == (
        0,
        "default: AWS IoT and the record agree.\n"
        "default: The things and policies of certificates were not compared. "
        "Use --deep for that.\n",
        "",
    )
    assert run("--deep") == (0, "default: AWS IoT and the record agree.\n", "")


def test_a_difference_is_a_line_and_exit_code_1_and_is_mended_once(agreed):
    row = agreed.enroll("sensor-1")
    agreed.set_status(row, "INACTIVE")
    line = (
        f"default: certificate {row}: ACTIVE here -> INACTIVE in AWS (differs). "
        "Run drift --repair to mend it."
    )

    code, out, error = run()
    assert (code, out.splitlines()[0]) == (1, line)
    assert error == "AWS IoT and the record differ: 1 difference left."

    code, out, _ = run("--repair", "--dry-run")
    assert (code, out.splitlines()[0]) == (1, f"{line} It would be mended.")
    assert agreed.cloud.held_of(row.fingerprint_sha256).status == "INACTIVE"

    code, out, _ = run("--repair")
    assert (code, out.splitlines()[:2]) == (
        0,
        [
            f"{line} Given to the outbox.",
            "default: 1 difference, 0 alarming. --repair can mend 1, and has mended 1.",
        ],
    )
    assert agreed.cloud.held_of(row.fingerprint_sha256) == active("sensor-1")
    assert AuditEvent.objects.get(action="repair-drift").reason == "drift --repair"
    assert run("--repair")[0] == 0
    assert AuditEvent.objects.filter(action="repair-drift").count() == 1


def test_what_isnt_ours_is_left_and_exit_code_1_says_so(agreed):
    row = agreed.enroll("sensor-1")
    agreed.set_status(row, "REVOKED")

    for _ in range(2):
        code, out, _ = run("--repair")
        assert code == 1
        assert "--repair can mend 0, and has mended 0." in out


def test_json_is_an_object_on_each_line(agreed):
    row = agreed.enroll("sensor-1")
    agreed.set_status(row, "INACTIVE")

    code, out, _ = run("--json")

    difference, tally = map(json.loads, out.splitlines())
    assert code == 1
    assert difference == {
        "target": "default",
        "kind": "certificate",
        "name": str(row),
        "ours": "ACTIVE",
        "theirs": "INACTIVE",
        "direction": "differs",
        "is_ours": True,
        "is_alarming": False,
        "is_under_way": False,
        "is_mended": False,
        "advice": "Run drift --repair to mend it.",
    }
    assert (tally["differences"], tally["is_complete"], tally["is_deep"]) == (1, True, False)


def test_what_is_under_way_is_shown_and_no_failure(agreed):
    agreed.enroll("sensor-1")
    deny("name", "sensor-1", reason="stolen", actor=TESTER)

    code, out, _ = run()

    assert code == 0
    assert "INACTIVE here -> ACTIVE in AWS (differs). The outbox works on it." in out
    assert "default: AWS IoT and the record agree. Under way in the outbox: 1." in out


@pytest.mark.parametrize("fault", [Fault.ACCESS_DENIED, Fault.TIMEOUT], ids=lambda one: one.value)
def test_T20_a_repair_that_fails_ends_in_exit_code_3_and_the_next_one_mends(
    agreed, device_ca, fault
):
    row = agreed.enroll("sensor-1")
    ca_id, template = device_ca.fingerprint_sha256, "est_iot_provisioning_template"
    changes = {
        "iot:CreatePolicyVersion": lambda: agreed.iot.create_policy_version(
            policyName=POLICY, policyDocument="{}", setAsDefault=True
        ),
        "iot:UpdateCACertificate": lambda: agreed.iot.update_ca_certificate(
            certificateId=ca_id, newStatus="INACTIVE"
        ),
        "iot:UpdateCertificate": lambda: agreed.set_status(row, "INACTIVE"),
        "iot:UpdateProvisioningTemplate": lambda: agreed.edge.templates[template].update(
            enabled=False
        ),
    }

    for call, change in changes.items():
        change()
        with broken(agreed, call, fault):
            code, out, error = run("--repair")
        assert code == 3, (call, out)
        assert f"{call} failed with" in error
        assert "--repair can mend 1, and has mended 0." in out
        make_due()
        assert run("--repair")[0] == 0
        assert run()[0] == 0
    assert not Provisioning.objects.exclude(state="settled").exists()


def test_every_target_is_compared_or_the_one_that_is_named(agreed, settings):
    targets = (IoTTarget("default"), IoTTarget("us", "us-east-1"))
    settings.IOT = replace(settings.IOT, targets=targets)

    code, out, error = run("--target", "eu")
    assert (code, out) == (1, "")
    assert "Choose one of default, us." in error
    assert run("--target", "default")[0] == 0

    code, out, error = run()
    assert "default: AWS IoT and the record agree" in out
    assert "us: IoT policy est_iot_policy_default: the configured file here -> nothing" in out
    assert code == 3  # nobody plays templates there
    assert "us: Not everything could be compared" in error
