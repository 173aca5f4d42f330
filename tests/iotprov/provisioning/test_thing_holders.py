"""Two thing names never share a thing, whatever the template says and whoever made it (T47)."""

from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from iotprov.conf import IoTTarget
from iotprov.models import Provisioning
from iotprov.provisioning import certificate_provisioning
from iotprov.provisioning.thing_holders import check_thing
from iotprov.provisioning.worker import drain
from tests.cases.table import FOLDER as CASES
from tests.iotprov.cloud import Held, active, make_due, record, settle_all
from tests.iotprov.conftest import template
from tests.iotprov.samples import ref
from tests.support.aws_faults import Fault, aws_calls, failing
from tests.support.builders import make_ca, make_certificate, make_csr, make_key, make_name


@pytest.fixture
def enroll(cloud, est_client, earlier_profile):
    """Enroll a name in mode ``register``, perhaps with a serialNumber; returns the certificate."""
    earlier_profile(iot_provisioning="register")

    def send(name, key=0, **subject):
        csr = make_csr(name, key=make_key(index=key), **subject)
        response = est_client.simpleenroll(csr)
        assert response.status_code == 200, response.text
        return response.certificate

    return send


@pytest.fixture
def name_things(use_template):
    """Let the template in force, which an earlier release took, name things in this way."""

    def use(thing_name, *parameters):
        body = template()
        body["Resources"]["thing"]["Properties"]["ThingName"] = thing_name
        for name in parameters:
            body["Parameters"][f"AWS::IoT::Certificate::{name}"] = {"Type": "String"}
        use_template(body)

    return use


def row_of(certificate):
    return Provisioning.objects.get(certificate=record(certificate))


def attach_elsewhere(cloud, thing, name):
    """What another system leaves: a thing with a certificate that is not on record here."""
    certificate = make_certificate(
        make_ca("Another CA"), subject=make_name(name, organization="Other")
    )
    pem = certificate.public_bytes(Encoding.PEM).decode()
    arn = cloud.iot.register_certificate(certificatePem=pem, status="ACTIVE")["certificateArn"]
    if thing not in cloud.things():
        cloud.iot.create_thing(thingName=thing)
    cloud.iot.attach_thing_principal(thingName=thing, principal=arn)
    return arn


def principals(cloud, thing):
    return cloud.iot.list_thing_principals(thingName=thing)["principals"]


@pytest.mark.parametrize("thing_name", [ref("SerialNumber"), "SN-1"])
def test_T47_a_thing_of_another_name_is_refused_before_anything_is_registered(
    cloud, enroll, name_things, thing_name
):
    name_things(thing_name, "SerialNumber")
    first = enroll("sensor-1", key=1, serial_number="SN-1")

    with aws_calls() as calls:
        second = enroll("sensor-2", key=2, serial_number="SN-1")

    assert cloud.held() == {record(first).fingerprint_sha256: active("SN-1")}
    assert calls == ["iot:DescribeThing", "iot:ListThingPrincipals"]
    refused = row_of(second)
    assert refused.state == "pending"
    assert "The thing SN-1 at the target default belongs to another device" in refused.error
    assert "of 'sensor-1' is attached to it, and this one is of 'sensor-2'" in refused.error


def test_T47_the_device_gets_its_thing_when_the_other_is_detached(cloud, enroll):
    arn = attach_elsewhere(cloud, "sensor-1", "somebody")
    certificate = enroll("sensor-1")
    assert "of 'somebody' is attached to it" in row_of(certificate).error
    assert principals(cloud, "sensor-1") == [arn]

    cloud.iot.detach_thing_principal(thingName="sensor-1", principal=arn)
    settle_all()

    assert cloud.held_of(record(certificate).fingerprint_sha256) == active("sensor-1")


def test_T47_a_certificate_without_one_common_name_counts_as_another_device(cloud, enroll):
    attach_elsewhere(cloud, "sensor-1", None)

    assert "of no single common name is attached to it" in row_of(enroll("sensor-1")).error


def test_T47_a_thing_without_certificates_is_taken_and_that_is_noted(cloud, enroll):
    cloud.iot.create_thing(thingName="sensor-1")

    row = row_of(enroll("sensor-1"))

    assert row.state == "settled"
    assert row.note == "The thing sensor-1 existed, and no other certificate was attached to it."


def test_T47_a_thing_with_certificates_of_the_same_name_is_taken_and_that_is_noted(cloud, enroll):
    attach_elsewhere(cloud, "sensor-1", "Sensor-1")

    row = row_of(enroll("sensor-1"))

    assert row.state == "settled"
    assert row.note == "The thing sensor-1 existed, with certificates of this device's name only."


def test_T47_the_name_of_a_certificate_that_deviates_is_read(cloud, enroll):
    """AWS IoT takes such a certificate. moto does not, so that its two answers are given here."""
    pem = (CASES / "client-underscore.pem").read_text()
    registry = SimpleNamespace(
        target=IoTTarget("elsewhere"),
        list_all=lambda *_, **__: [f"arn:aws:iot:eu-central-1:123456789012:cert/{'a' * 64}"],
        find=lambda _: SimpleNamespace(pem=pem),
    )

    said = check_thing(registry, "dev_01", record(enroll("dev_01")))

    assert said == "The thing dev_01 existed, with certificates of this device's name only."


def test_T47_a_thing_on_record_is_taken_without_asking_who_is_attached(cloud, enroll):
    enroll("sensor-1", key=1)

    with aws_calls() as calls:
        again = row_of(enroll("sensor-1", key=2))

    assert "iot:ListThingPrincipals" not in calls
    assert again.note == "The thing sensor-1 existed. It is on record as this device's."
    assert Provisioning.objects.order_by("id")[0].note == ""


def test_T47_a_changed_template_gives_no_device_the_thing_of_another(cloud, enroll, name_things):
    enroll("fleet-1", key=1)
    name_things({"Fn::Join": ["-", ["fleet", ref("CommonName")]]})

    other = enroll("1", key=2)

    assert "belongs to another device" in row_of(other).error
    assert len(principals(cloud, "fleet-1")) == 1


def test_T47_of_two_that_are_attached_at_once_the_later_one_is_withdrawn(
    cloud, enroll, name_things, monkeypatch
):
    name_things("one-for-all")
    make_thing = certificate_provisioning.make_thing

    def make_and_be_overtaken(registry, plan, existing, **options):
        make_thing(registry, plan, existing, **options)
        attach_elsewhere(cloud, plan.thing_name, "sensor-2")

    monkeypatch.setattr(certificate_provisioning, "make_thing", make_and_be_overtaken)

    certificate = enroll("sensor-1")

    assert cloud.held_of(record(certificate).fingerprint_sha256) == Held("INACTIVE")
    assert len(principals(cloud, "one-for-all")) == 1
    assert "belongs to another device" in row_of(certificate).error


def test_T47_who_cannot_be_withdrawn_at_once_is_withdrawn_by_the_schedule(
    cloud, enroll, name_things, monkeypatch
):
    name_things("one-for-all")
    make_thing = certificate_provisioning.make_thing

    def make_and_be_overtaken(registry, plan, existing, **options):
        make_thing(registry, plan, existing, **options)
        attach_elsewhere(cloud, plan.thing_name, "sensor-2")

    monkeypatch.setattr(certificate_provisioning, "make_thing", make_and_be_overtaken)
    with failing("iot", "UpdateCertificate", Fault.ACCESS_DENIED):
        fingerprint = record(enroll("sensor-1")).fingerprint_sha256
    assert cloud.held_of(fingerprint).status == "ACTIVE"

    make_due()
    drain()

    assert cloud.held_of(fingerprint) == Held("INACTIVE")
