"""The command register_ca."""

import io
import json
from dataclasses import replace

import pytest
from django.core.management import CommandError, call_command

from iotprov.models import CARegistration
from pki.authorities.succeed import make_successor
from pki.aws.clients import aws_client
from pki.models import AuditEvent
from tests.conftest import TESTER
from tests.iotprov.authorities.registering import TARGETS, TEMPLATE, id_of, in_aws, register
from tests.support.aws_faults import Fault, aws_calls, failing


def run(*arguments):
    out = io.StringIO()
    call_command("register_ca", *arguments, stdout=out)
    return out.getvalue().splitlines()


def test_the_command_registers_every_active_device_ca(aws_cloud, device_ca):
    successor = make_successor(device_ca, actor=TESTER, reason="old")

    (line,) = run()

    assert line == (
        f"{successor} at default: registered, ACTIVE, JITP by {TEMPLATE}, id {id_of(successor)}"
    )
    assert run() == [line]
    assert run("device-ca")[0].startswith("device-ca at default: registered, ACTIVE")


def test_the_command_may_be_about_one_target(aws_cloud, device_ca, settings):
    settings.IOT = replace(settings.IOT, targets=TARGETS)

    (line,) = run("device-ca", "--target", "us")

    assert line.startswith("device-ca at us: registered")
    assert not in_aws()
    assert in_aws("us-east-1")


def test_a_dry_run_says_what_would_be_done_and_does_nothing(aws_cloud, device_ca):
    with aws_calls() as calls:
        lines = run("--dry-run")

    assert lines == [f"device-ca at default: would be registered, SNI_ONLY, JITP by {TEMPLATE}"]
    assert not any("Register" in call or "Update" in call for call in calls)
    assert not CARegistration.objects.exists()

    aws_client("iot").register_ca_certificate(
        caCertificate=device_ca.pem, certificateMode="SNI_ONLY"
    )
    assert run("--dry-run") == [
        "device-ca at default: would be changed: status INACTIVE -> ACTIVE, "
        f"auto registration off -> on, template none -> {TEMPLATE}"
    ]


@pytest.mark.parametrize("arguments", [(), ("--dry-run",)])
def test_a_failure_at_a_target_is_a_line_and_exit_code_3(
    aws_cloud, device_ca, settings, arguments, capsys
):
    settings.IOT = replace(settings.IOT, targets=TARGETS[:2])
    out = io.StringIO()
    with (
        failing("iot", "DescribeCACertificate", Fault.ACCESS_DENIED, times=1),
        pytest.raises(CommandError, match="1 failed") as caught,
    ):
        call_command("register_ca", *arguments, stdout=out)

    assert caught.value.returncode == 3
    first, second = out.getvalue().splitlines()
    assert first.startswith(
        "device-ca at default: failed: iot:DescribeCACertificate failed with AccessDeniedException"
    )
    assert first.endswith(
        "Allow the role or user of this process to call iot:DescribeCACertificate."
    )
    assert second.startswith("device-ca at us: ")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("nobody",), "There is no CA 'nobody'"),
        (("client-ca",), "Register a device CA"),
        (
            ("--target", "mars"),
            "There is no target 'mars' in Properties.iotTargets. Choose one of default",
        ),
    ],
)
def test_what_isnt_there_is_named_and_exits_1(aws_cloud, device_ca, arguments, complaint):
    with pytest.raises(CommandError, match=complaint) as caught:
        run(*arguments)
    assert caught.value.returncode == 1


def test_before_bootstrap_there_is_nothing_to_register(aws_cloud, db):
    with pytest.raises(CommandError, match="Run bootstrap_cas first"):
        run()


def test_no_key_and_no_proof_is_on_record(aws_cloud, device_ca, mode_default):
    register(device_ca)

    event = AuditEvent.objects.get(action="register-ca")
    said = json.dumps([event.before, event.after])
    assert "BEGIN" not in said
