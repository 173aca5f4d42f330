"""Every target gets the CA once, whatever fails on the way."""

from dataclasses import replace

import pytest

from iotprov.authorities.ca_registration import register_everywhere
from iotprov.models import CARegistration
from pki.aws.clients import aws_client, forget_clients
from pki.models import AuditEvent
from tests.conftest import TESTER
from tests.iotprov.authorities.registering import (
    TARGETS,
    TEMPLATE,
    State,
    id_of,
    in_aws,
    register,
)
from tests.support.aws_faults import Fault, aws_calls, failing

# Several targets


def test_every_region_and_account_gets_the_ca_in_one_run(aws_cloud, device_ca, settings):
    settings.IOT = replace(settings.IOT, targets=TARGETS)

    rows = register_everywhere(device_ca, actor=TESTER)

    assert [(row.target, row.state) for row in rows] == [
        (target.name, State.REGISTERED) for target in TARGETS
    ]
    held = {id_of(device_ca)}
    assert set(in_aws()) == set(in_aws("us-east-1")) == held
    assert set(in_aws("eu-west-1", "210987654321")) == held
    assert not in_aws("eu-west-1")


def test_a_target_that_fails_is_on_record_and_doesnt_stop_the_others(aws_cloud, device_ca):
    forget_clients()
    with failing("sts", "AssumeRole", Fault.ACCESS_DENIED) as fault:
        here, other, us = register_everywhere(
            device_ca, actor=TESTER, targets=(TARGETS[0], TARGETS[2], TARGETS[1])
        )

    assert fault.met
    assert (here.state, us.state) == (State.REGISTERED, State.REGISTERED)
    assert other.state == State.FAILED
    assert "at other failed with AccessDenied" in other.error
    assert other.error == CARegistration.objects.get(target="other").error


def test_a_failure_forgets_nothing_of_what_was_known(aws_cloud, device_ca):
    register(device_ca)

    with failing("iot", "DescribeCACertificate", Fault.ACCESS_DENIED):
        row = register(device_ca)

    assert row.state == State.FAILED
    assert row.certificate_id == id_of(device_ca)
    assert register(device_ca).error == ""
    assert AuditEvent.objects.filter(action="register-ca").count() == 1


# Faults at every call


@pytest.mark.parametrize("fault", list(Fault))
@pytest.mark.parametrize(
    ("operation", "is_known", "mode"),
    [
        ("DescribeCACertificate", False, "SNI_ONLY"),
        ("ListCACertificates", False, "SNI_ONLY"),
        ("DescribeProvisioningTemplate", False, "SNI_ONLY"),
        ("RegisterCACertificate", False, "SNI_ONLY"),
        ("GetRegistrationCode", False, "DEFAULT"),
        ("UpdateCACertificate", True, "SNI_ONLY"),
    ],
)
@pytest.mark.parametrize("attempts", [1, 10])
def test_T20_a_fault_at_any_call_leaves_the_ca_registered_once_by_the_next_run(
    aws_cloud, device_ca, settings, operation, is_known, mode, fault, attempts
):
    settings.IOT = replace(settings.IOT, ca_certificate_mode=mode)
    if is_known:
        aws_client("iot").register_ca_certificate(
            caCertificate=device_ca.pem, certificateMode="SNI_ONLY"
        )

    with failing("iot", operation, fault, times=1, attempts=attempts) as met:
        first = register(device_ca)
    row = register(device_ca)

    assert met.met == 1
    if first.state == State.FAILED:
        assert f"iot:{operation} failed with" in first.error
    assert row.state == State.REGISTERED, row.error
    assert CARegistration.objects.count() == 1
    assert [(one.certificate_id, one.status) for one in in_aws().values()] == [
        (id_of(device_ca), "ACTIVE")
    ]
    assert in_aws()[id_of(device_ca)].registration_config == {"templateName": TEMPLATE}
    assert AuditEvent.objects.filter(action="register-ca").count() == 1


def test_T20_a_registration_whose_answer_was_lost_isnt_made_again(aws_cloud, device_ca):
    with failing("iot", "RegisterCACertificate", Fault.SUCCESS_THEN_TIMEOUT, times=1):
        assert register(device_ca).state == State.FAILED

    with aws_calls() as calls:
        assert register(device_ca).state == State.REGISTERED
    assert "iot:RegisterCACertificate" not in calls
