"""What stands in for AWS IoT's templates, lists and tags keeps to AWS's rules."""

import json

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.serialization import Encoding

from iotprov.documents.role import trust_policy
from pki.aws.clients import aws_client
from tests.estserver.deploy import moto_iot
from tests.estserver.deploy.account import ACCOUNT
from tests.support.builders import make_ca

NAME = "template"
BODY = json.dumps({"Resources": {}})
CA = make_ca("Device CA").certificate.public_bytes(Encoding.PEM).decode()


@pytest.fixture
def iot(aws_cloud, monkeypatch):
    moto_iot.fill(monkeypatch)
    return aws_client("iot")


@pytest.fixture
def role():
    made = aws_client("iam").create_role(
        RoleName="jitp", AssumeRolePolicyDocument=json.dumps(trust_policy(ACCOUNT))
    )
    return made["Role"]["Arn"]


@pytest.fixture
def make(iot, role):
    def make_template(**changes):
        wanted = {"templateName": NAME, "templateBody": BODY, "provisioningRoleArn": role}
        return iot.create_provisioning_template(**{**wanted, "type": "JITP", **changes})

    return make_template


def code(call, **parameters):
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return caught.value.response["Error"]["Code"]


def register_ca(iot, **changes):
    wanted = {"caCertificate": CA, "setAsActive": True, "certificateMode": "SNI_ONLY"}
    return iot.register_ca_certificate(**{**wanted, **changes})


def test_a_template_comes_back_as_it_was_sent(iot, make, role):
    make(description="ours", enabled=True)

    found = iot.describe_provisioning_template(templateName=NAME)

    assert (found["templateBody"], found["provisioningRoleArn"]) == (BODY, role)
    assert (found["type"], found["enabled"], found["defaultVersionId"]) == ("JITP", True, 1)
    [listed] = iot.list_provisioning_templates()["templates"]
    assert listed["templateName"] == NAME


def test_what_aws_refuses_is_refused(iot, make):
    other = aws_client("iam").create_role(
        RoleName="other", AssumeRolePolicyDocument=json.dumps({"Statement": []})
    )["Role"]["Arn"]

    assert code(make, templateName="has space") == "InvalidRequestException"
    assert code(make, templateBody="{") == "InvalidRequestException"
    assert code(make, provisioningRoleArn=other) == "InvalidRequestException"
    make()
    assert code(make) == "ResourceAlreadyExistsException"
    for call in (iot.describe_provisioning_template, iot.delete_provisioning_template):
        assert code(call, templateName="unknown") == "ResourceNotFoundException"


def test_a_template_has_five_versions_and_the_default_one_stays(iot, make):
    make()
    version = {"templateName": NAME, "templateBody": BODY}
    for is_default in (True, True, True, False):
        iot.create_provisioning_template_version(**version, setAsDefault=is_default)

    call = iot.create_provisioning_template_version
    assert code(call, **version) == "VersionsLimitExceededException"
    call = iot.delete_provisioning_template_version
    assert code(call, templateName=NAME, versionId=4) == "DeleteConflictException"
    call(templateName=NAME, versionId=1)
    rows = iot.list_provisioning_template_versions(templateName=NAME)["versions"]
    assert [(row["versionId"], row["isDefaultVersion"]) for row in rows] == [
        (2, False),
        (3, False),
        (4, True),
        (5, False),
    ]


def test_a_ca_works_with_a_template_that_is_there_and_keeps_it_there(iot, make):
    config = {"allowAutoRegistration": True, "registrationConfig": {"templateName": NAME}}
    assert code(register_ca, iot=iot, **config) == "ResourceNotFoundException"
    make()
    made = register_ca(iot, **config)

    assert code(register_ca, iot=iot) == "ResourceAlreadyExistsException"
    call = iot.delete_provisioning_template
    assert code(call, templateName=NAME) == "DeleteConflictException"
    [listed] = iot.list_ca_certificates()["certificates"]
    assert (listed["certificateId"], listed["status"]) == (made["certificateId"], "ACTIVE")
    found = iot.describe_ca_certificate(certificateId=made["certificateId"])
    assert found["registrationConfig"] == {"templateName": NAME}
    assert found["certificateDescription"]["certificateMode"] == "SNI_ONLY"
    assert found["certificateDescription"]["autoRegistrationStatus"] == "ENABLE"


def test_what_was_tagged_when_it_was_made_has_its_tags(iot, make):
    tags = [{"Key": "made-by", "Value": "us"}]
    policy = iot.create_policy(policyName="p", policyDocument="{}", tags=tags)["policyArn"]

    for arn in (
        policy,
        make(tags=tags)["templateArn"],
        register_ca(iot, tags=tags)["certificateArn"],
    ):
        assert iot.list_tags_for_resource(resourceArn=arn)["tags"] == tags


def test_auto_registration_can_be_left_off_and_taken_back(iot, make):
    make()
    config = {"registrationConfig": {"templateName": NAME}}
    made = register_ca(iot, allowAutoRegistration=True, **config)["certificateId"]

    iot.update_ca_certificate(
        certificateId=made, newAutoRegistrationStatus="DISABLE", removeAutoRegistration=True
    )

    found = iot.describe_ca_certificate(certificateId=made)
    assert found["certificateDescription"]["autoRegistrationStatus"] == "DISABLE"
    assert not found.get("registrationConfig")
    iot.delete_provisioning_template(templateName=NAME)
