"""Where AWS IoT's CAs and our record of them disagree."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from iotprov.authorities.ca_registration import register_ca
from iotprov.conf import IoTTarget
from iotprov.drift import Direction
from iotprov.drift.authorities import ca_differences, foreign_ca_differences
from iotprov.models import CARegistration
from pki.authorities.succeed import make_successor
from pki.aws.clients import aws_client
from pki.models import CertificateAuthority
from pki.operators.errors import RemoteFailure
from tests.conftest import TESTER
from tests.iotprov.authorities.registering import courtesy, description, stubbed
from tests.support.aws_faults import Fault, aws_calls, failing
from tests.support.builders import make_ca

HERE = IoTTarget("default")


@pytest.fixture(autouse=True)
def _jitp(settings):
    settings.IOT = replace(settings.IOT, configure_jitp=True)


def differences():
    return [(one.name, one.direction, one.ours, one.theirs) for one in ca_differences(HERE)]


def id_of(ca):
    return ca.certificate.fingerprint(SHA256()).hex()


def test_a_ca_that_is_registered_as_it_should_be_is_no_difference(aws_cloud, device_ca):
    register_ca(device_ca, HERE, actor=TESTER)

    with aws_calls() as calls:
        assert differences() == []
    assert set(calls) == {"iot:DescribeCACertificate"}


def test_a_ca_that_aws_doesnt_know_is_here_only(aws_cloud, device_ca):
    assert differences() == [("device-ca", Direction.HERE_ONLY, "registered", "")]


def test_a_registration_that_isnt_on_record_is_in_aws_only(aws_cloud, device_ca):
    register_ca(device_ca, HERE, actor=TESTER)
    CARegistration.objects.all().delete()

    theirs = f"registered as {id_of(device_ca)}"
    assert differences() == [("device-ca", Direction.AWS_ONLY, "", theirs)]


def test_what_was_changed_in_aws_is_named_and_register_ca_mends_it(aws_cloud, device_ca):
    register_ca(device_ca, HERE, actor=TESTER)
    aws_client("iot").update_ca_certificate(certificateId=id_of(device_ca), newStatus="INACTIVE")

    assert differences() == [
        ("device-ca", Direction.DIFFERS, "status ACTIVE", "status INACTIVE"),
    ]

    register_ca(device_ca, HERE, actor=TESTER)
    assert differences() == []


def test_another_template_and_no_auto_registration_are_named(aws_cloud, device_ca):
    register_ca(device_ca, HERE, actor=TESTER)
    with stubbed() as stub:
        stub.add_response(
            "describe_ca_certificate", description(device_ca, auto="DISABLE", template="theirs")
        )
        assert differences() == [
            ("device-ca", Direction.DIFFERS, "auto registration on", "auto registration off"),
            (
                "device-ca",
                Direction.DIFFERS,
                "template est_iot_provisioning_template",
                "template theirs",
            ),
        ]


def test_a_ca_of_a_kind_that_aws_refuses_isnt_ours_to_mend(aws_cloud, device_ca):
    key = ed25519.Ed25519PrivateKey.generate()
    other = make_ca("Ed25519", key=key, issuer=make_ca("Root"))
    CertificateAuthority.objects.filter(pk=device_ca.pk).update(
        pem=other.certificate.public_bytes(Encoding.PEM).decode()
    )

    (one,) = ca_differences(HERE)

    assert not one.is_ours
    assert "AWS IoT does not take" in one.advice


def test_a_ca_of_somebody_else_is_named_and_isnt_ours_to_mend(aws_cloud, device_ca):
    register_ca(device_ca, HERE, actor=TESTER)
    stranger = aws_client("iot").register_ca_certificate(
        caCertificate=make_ca("Stranger").certificate.public_bytes(Encoding.PEM).decode(),
        certificateMode="SNI_ONLY",
        setAsActive=True,
        registrationConfig={"templateName": "theirs"},
    )["certificateId"]

    with courtesy(listed=((id_of(device_ca),), (stranger,))):
        (one,) = foreign_ca_differences(HERE)

    assert (one.name, one.direction, one.is_ours) == (stranger, Direction.AWS_ONLY, False)
    assert (one.ours, one.theirs) == (
        "",
        "CN=Stranger, ACTIVE, its devices can register themselves",
    )


def test_a_retiring_ca_that_was_registered_still_counts(aws_cloud, device_ca):
    register_ca(device_ca, HERE, actor=TESTER)
    successor = make_successor(device_ca, actor=TESTER, reason="old")
    aws_client("iot").update_ca_certificate(certificateId=id_of(device_ca), newStatus="INACTIVE")

    assert set(differences()) == {
        ("device-ca", Direction.DIFFERS, "status ACTIVE", "status INACTIVE"),
        (successor.name, Direction.HERE_ONLY, "registered", ""),
    }


def test_a_revoked_ca_that_is_active_in_aws_is_alarming(aws_cloud, device_ca):
    register_ca(device_ca, HERE, actor=TESTER)
    CertificateAuthority.objects.update(status=CertificateAuthority.Status.REVOKED)

    found = list(ca_differences(HERE))

    assert [one.theirs for one in found] == ["status ACTIVE", "auto registration on"]
    assert all(one.is_alarming for one in found)


def test_a_list_or_a_ca_that_cant_be_looked_at_is_no_difference_but_a_failure(aws_cloud, device_ca):
    with (
        failing("iot", "ListCACertificates", Fault.ACCESS_DENIED),
        pytest.raises(RemoteFailure, match="iot:ListCACertificates failed"),
    ):
        list(foreign_ca_differences(HERE))
    with (
        failing("iot", "DescribeCACertificate", Fault.ACCESS_DENIED),
        pytest.raises(RemoteFailure, match="iot:DescribeCACertificate failed"),
    ):
        list(ca_differences(HERE))


def test_differences_know_nothing_of_other_targets(aws_cloud, device_ca):
    us = IoTTarget("us", "us-east-1")
    register_ca(device_ca, us, actor=TESTER)

    assert differences() == [("device-ca", Direction.HERE_ONLY, "registered", "")]
