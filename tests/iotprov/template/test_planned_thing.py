"""What AWS IoT would make of a certificate, worked out from template and subject."""

import hashlib
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from iotprov.exceptions import TemplateError
from iotprov.template.contents import Override, Overrides
from iotprov.template.planned_thing import plan_thing
from tests.iotprov.samples import DEFAULT_TEMPLATE, TEMPLATE, ref, template
from tests.support.builders import make_ca, make_certificate, make_name


def certificate(**subject):
    return make_certificate(make_ca(), subject=make_name("sensor-1", **subject))


def test_samples_template_gives_the_thing_that_the_sample_made():
    planned = plan_thing(TEMPLATE, certificate(serial_number="SN-1", country="DE"))

    assert planned.thing_name == "sensor-1"
    assert dict(planned.attributes) == {"version": "v1", "serialNumber": "SN-1"}
    assert planned.policy_names == ("est_iot_policy_default",)
    assert planned.certificate_status == "ACTIVE"
    assert (planned.thing_type, planned.groups, planned.billing_group) == ("", (), "")
    assert planned.overrides == Overrides()


def test_the_default_template_makes_a_thing_of_a_common_name_alone():
    planned = plan_thing(DEFAULT_TEMPLATE, certificate())

    assert planned.thing_name == "sensor-1"
    assert dict(planned.attributes) == {"version": "v1"}
    assert planned.policy_names == ("est_iot_policy_default",)


def test_everything_a_template_can_say_is_in_the_plan():
    body = template(
        parameters=("CommonName", "SerialNumber", "Country", "Id"),
        thing={
            "ThingName": {"Fn::Join": ["-", ["eu", ref("CommonName")]]},
            "AttributePayload": {"certificate": ref("Id")},
            "ThingTypeName": {"Fn::Join": ["", ["type_", ref("Country")]]},
            "ThingGroups": ["all", ref("Country")],
            "BillingGroup": "mine",
        },
        certificate={"Status": "Inactive", "ThingPrincipalType": "EXCLUSIVE_THING"},
        override_thing={"AttributePayload": "MERGE", "ThingTypeName": "REPLACE"},
        override_certificate={"Status": "FAIL"},
    )
    made = certificate(serial_number="SN-1", country="DE")

    planned = plan_thing(body, made)

    digest = hashlib.sha256(made.public_bytes(Encoding.DER)).hexdigest()
    assert planned.thing_name == "eu-sensor-1"
    assert dict(planned.attributes) == {"certificate": digest}
    assert planned.thing_type == "type_DE"
    assert planned.groups == ("all", "DE")
    assert planned.billing_group == "mine"
    assert planned.certificate_status == "INACTIVE"
    assert planned.principal_type == "EXCLUSIVE_THING"
    assert planned.overrides == Overrides(
        Override.MERGE, Override.REPLACE, Override.DO_NOTHING, Override.FAIL
    )


def test_each_parameter_is_taken_from_its_attribute_of_the_subject():
    values = {
        "CommonName": ("sensor-1", NameOID.COMMON_NAME),
        "Country": ("DE", NameOID.COUNTRY_NAME),
        "DistinguishedNameQualifier": ("q", NameOID.DN_QUALIFIER),
        "Organization": ("o", NameOID.ORGANIZATION_NAME),
        "OrganizationalUnit": ("u", NameOID.ORGANIZATIONAL_UNIT_NAME),
        "SerialNumber": ("s", NameOID.SERIAL_NUMBER),
        "StateName": ("st", NameOID.STATE_OR_PROVINCE_NAME),
    }
    subject = x509.Name([x509.NameAttribute(oid, value) for value, oid in values.values()])
    body = template(
        parameters=(*values, "Id"),
        thing={"AttributePayload": {name: ref(name) for name in values}, "ThingTypeName": "t"},
    )

    planned = plan_thing(body, make_certificate(make_ca(), subject=subject))

    assert dict(planned.attributes) == {name: value for name, (value, _) in values.items()}


def test_default_stands_in_for_what_the_subject_lacks():
    body = TEMPLATE.replace(
        'Country": {\n         "Type": "String"',
        'Country": {\n         "Type": "String", "Default": "DE"',
    )

    assert plan_thing(body, certificate(serial_number="SN-1")).thing_name == "sensor-1"


@pytest.mark.parametrize(
    ("body", "subject", "complaint"),
    [
        (TEMPLATE, {"serial_number": "1"}, r"Country from the subject, .* has no countryName"),
        (TEMPLATE, {}, r"has no serialNumber, countryName"),
        (template(), {"serial_number": "a b"}, r"serialNumber would be 'a b', .* refuses"),
        (
            template(thing={"ThingName": {"Fn::Join": [" ", [ref("CommonName"), "x"]]}}),
            {"serial_number": "1"},
            r"The thing name would be 'sensor-1 x'",
        ),
        (
            template(thing={"ThingName": {"Fn::Join": ["x" * 70, ["", "", ref("CommonName")]]}}),
            {"serial_number": "1"},
            r"The thing name would be",
        ),
        (
            template(thing={"ThingGroups": [ref("SerialNumber")]}),
            {"serial_number": "a.b"},
            r"A thing group would be 'a.b'",
        ),
        (template(policy={"PolicyName": "Admin"}), {"serial_number": "1"}, r"policy 'Admin'"),
        ("{", {}, r"cannot be used. Line 1, column 2"),
        ("[]", {}, r"cannot be used. Line 1, column 1"),
    ],
)
def test_what_aws_iot_would_refuse_is_refused_with_a_sentence(body, subject, complaint):
    with pytest.raises(TemplateError, match=complaint):
        plan_thing(body, certificate(**subject))


def test_policy_of_the_installation_may_be_written_out(settings):
    settings.IOT = replace(settings.IOT, policy_name="mine")

    planned = plan_thing(template(policy={"PolicyName": "mine"}), certificate(serial_number="SN-1"))

    assert planned.policy_names == ("mine",)
