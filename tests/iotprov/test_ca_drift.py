"""Where AWS IoT's CAs and our record of them disagree."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from iotprov import ca_registry
from iotprov.ca_drift import Direction, ca_differences
from iotprov.ca_registration import register_ca
from iotprov.conf import IoTTarget
from iotprov.models import CARegistration
from pki import aws
from pki.authorities import make_successor
from pki.exceptions import RemoteFailure
from pki.models import CertificateAuthority
from tests.aws_faults import Fault, aws_calls, failing
from tests.builders import make_ca
from tests.conftest import TESTER
from tests.iotprov.test_ca_registration import courtesy

HERE = IoTTarget("default")


@pytest.fixture(autouse=True)
def _jitp(settings):
    settings.IOT = replace(settings.IOT, is_jitp_configured=True)


def differences(*listed):
    with courtesy(listed=(listed,)):
        drift = ca_differences(HERE)
    assert drift.unseen == ""
    return [(one.ca, one.direction, one.text) for one in drift.differences]


def id_of(ca):
    return ca.certificate.fingerprint(SHA256()).hex()


def test_a_ca_that_is_registered_as_it_should_be_is_no_drift(aws_cloud, device_ca):
    register_ca(device_ca, HERE, actor=TESTER)

    with aws_calls() as calls:
        assert differences(id_of(device_ca)) == []
    assert set(calls) <= {"iot:DescribeCACertificate", "iot:ListCACertificates"}


def test_a_ca_that_aws_doesnt_know_is_here_only(aws_cloud, device_ca):
    assert differences() == [("device-ca", Direction.HERE_ONLY, "AWS IoT doesn't know it")]


def test_a_registration_that_isnt_on_record_is_in_aws_only(aws_cloud, device_ca):
    register_ca(device_ca, HERE, actor=TESTER)
    CARegistration.objects.all().delete()

    ((name, direction, text),) = differences(id_of(device_ca))

    assert (name, direction) == ("device-ca", Direction.AWS_ONLY)
    assert text == f"it is registered as {id_of(device_ca)}, which isn't on record here"


def test_what_was_changed_in_aws_is_named_and_register_ca_mends_it(aws_cloud, device_ca):
    register_ca(device_ca, HERE, actor=TESTER)
    aws.client("iot").update_ca_certificate(certificateId=id_of(device_ca), newStatus="INACTIVE")

    assert differences(id_of(device_ca)) == [
        ("device-ca", Direction.DIFFERS, "status INACTIVE -> ACTIVE")
    ]

    register_ca(device_ca, HERE, actor=TESTER)
    assert differences(id_of(device_ca)) == []


def test_a_ca_of_somebody_else_is_named_and_isnt_ours_to_mend(aws_cloud, device_ca):
    register_ca(device_ca, HERE, actor=TESTER)
    stranger = aws.client("iot").register_ca_certificate(
        caCertificate=make_ca("Stranger").certificate.public_bytes(Encoding.PEM).decode(),
        certificateMode="SNI_ONLY",
        setAsActive=True,
        registrationConfig={"templateName": "theirs"},
    )["certificateId"]

    with courtesy(listed=((id_of(device_ca),), (stranger,))):
        (one,) = ca_differences(HERE).differences

    assert (one.ca, one.direction, one.is_ours) == (stranger, Direction.AWS_ONLY, False)
    assert one.text == (
        "CN=Stranger is no device CA of this server: ACTIVE, devices of it can register themselves"
    )


def test_a_retiring_ca_that_was_registered_still_counts(aws_cloud, device_ca):
    register_ca(device_ca, HERE, actor=TESTER)
    successor = make_successor(device_ca, actor=TESTER, reason="old")
    aws.client("iot").update_ca_certificate(certificateId=id_of(device_ca), newStatus="INACTIVE")

    assert set(differences(id_of(device_ca))) == {
        ("device-ca", Direction.DIFFERS, "status INACTIVE -> ACTIVE"),
        (successor.name, Direction.HERE_ONLY, "AWS IoT doesn't know it"),
    }


def test_a_revoked_ca_that_is_active_in_aws_is_named(aws_cloud, device_ca):
    register_ca(device_ca, HERE, actor=TESTER)
    CertificateAuthority.objects.update(status=CertificateAuthority.Status.REVOKED)

    texts = [text for _, _, text in differences(id_of(device_ca))]

    assert texts == ["status ACTIVE -> INACTIVE", "auto registration on -> off"]


def test_a_list_that_isnt_to_be_had_is_said_and_the_rest_compared(aws_cloud, device_ca):
    with failing("iot", "ListCACertificates", Fault.ACCESS_DENIED):
        drift = ca_differences(HERE)

    assert [one.direction for one in drift.differences] == [Direction.HERE_ONLY]
    assert drift.unseen.startswith("iot:ListCACertificates failed with AccessDeniedException")


def test_a_ca_that_cant_be_looked_at_is_no_drift_but_a_failure(aws_cloud, device_ca):
    with (
        failing("iot", "DescribeCACertificate", Fault.ACCESS_DENIED),
        pytest.raises(RemoteFailure, match="iot:DescribeCACertificate failed"),
    ):
        ca_differences(HERE)


def test_differences_know_nothing_of_other_targets(aws_cloud, device_ca):
    us = IoTTarget("us", "us-east-1")
    register_ca(device_ca, us, actor=TESTER)

    assert ca_registry.find_by_id(device_ca.certificate, HERE) is None
    assert differences() == [("device-ca", Direction.HERE_ONLY, "AWS IoT doesn't know it")]
