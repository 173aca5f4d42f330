"""What is taken away from AWS IoT; moto has no templates and lists no CAs, so Stubber answers."""

import pytest
from botocore.stub import Stubber

from estserver.deploy.engine.runs import intentions, take_away
from estserver.deploy.recipe import removable
from estserver.deploy.resources.iot_leftovers import IoTLeftovers
from pki.aws.clients import aws_client
from tests.estserver.deploy.account import ACCOUNT, REGION

IOT = f"arn:aws:iot:{REGION}:{ACCOUNT}"
CA, OTHER_CA = "a" * 64, "b" * 64
POLICY, TEMPLATE = "est_iot_policy_default", "est_iot_provisioning_template"
DEVICE = f"{IOT}:cert/{'c' * 64}"


@pytest.fixture
def iot(deployment):
    with Stubber(aws_client("iot", read_timeout=60)) as stub:
        yield stub
    stub.assert_no_pending_responses()


def tagged(stub, arn, project="est-server"):
    tags = [{"Key": "est-server:made-by", "Value": project}] if project else []
    stub.add_response("list_tags_for_resource", {"tags": tags}, {"resourceArn": arn})


def holds(stub, *, template_is_ours=True):
    """Two CAs, of which one is ours; a template; a policy that a device has."""
    listed = [
        {
            "certificateId": name,
            "certificateArn": f"{IOT}:cacert/{name}",
            "status": "ACTIVE" if name == CA else "INACTIVE",
        }
        for name in (CA, OTHER_CA)
    ]
    stub.add_response("list_ca_certificates", {"certificates": listed}, {})
    tagged(stub, f"{IOT}:cacert/{CA}")
    tagged(stub, f"{IOT}:cacert/{OTHER_CA}", "")
    template = {"templateArn": f"{IOT}:provisioningtemplate/{TEMPLATE}"}
    stub.add_response("describe_provisioning_template", template, {"templateName": TEMPLATE})
    tagged(stub, template["templateArn"], "est-server" if template_is_ours else "another")
    named = {"policyName": POLICY}
    stub.add_response("get_policy", {"policyArn": f"{IOT}:policy/{POLICY}"}, named)
    tagged(stub, f"{IOT}:policy/{POLICY}")
    versions = [
        {"versionId": "1", "isDefaultVersion": False},
        {"versionId": "2", "isDefaultVersion": True},
    ]
    stub.add_response("list_policy_versions", {"policyVersions": versions}, named)
    stub.add_response("list_targets_for_policy", {"targets": [DEVICE]}, named)


def holds_nothing(stub):
    stub.add_response("list_ca_certificates", {"certificates": []}, {})
    stub.add_client_error("describe_provisioning_template", "ResourceNotFoundException")
    stub.add_client_error("get_policy", "ResourceNotFoundException")


def test_what_is_ours_goes_in_an_order_that_aws_iot_takes(deployment, iot, performer):
    holds(iot)
    iot.add_response(
        "update_ca_certificate",
        {},
        {
            "certificateId": CA,
            "newStatus": "INACTIVE",
            "newAutoRegistrationStatus": "DISABLE",
        },
    )
    iot.add_response("delete_ca_certificate", {}, {"certificateId": CA})
    iot.add_response("delete_provisioning_template", {}, {"templateName": TEMPLATE})
    iot.add_response("detach_policy", {}, {"policyName": POLICY, "target": DEVICE})
    iot.add_response("delete_policy_version", {}, {"policyName": POLICY, "policyVersionId": "1"})
    iot.add_response("delete_policy", {}, {"policyName": POLICY})
    holds_nothing(iot)

    assert take_away([IoTLeftovers(deployment)], performer) == ("AWS IoT",)


def test_what_another_installation_made_stays(deployment, iot):
    holds(iot, template_is_ours=False)

    [intended] = intentions([IoTLeftovers(deployment)], removing=True)

    operations = [call.operation for call in intended.calls]
    assert "DeleteProvisioningTemplate" not in operations
    assert OTHER_CA not in str([str(call) for call in intended.calls])


def test_aws_iot_is_left_alone_unless_asked_for(deployment):
    names = [step.name for step in removable(deployment)]

    assert "AWS IoT" not in names
    with_iot = [step.name for step in removable(deployment, with_iot=True)]
    assert with_iot[-2:] == ["role ESTServerDeviceProvisioningRole", "AWS IoT"]
