"""What AWS IoT says of a device when a person asks, and that each failure is a sentence."""

import json

import pytest
from moto.core.responses import ActionResult
from moto.iot.responses import IoTResponse

from iotprov.conf import find_target
from iotprov.models import Provisioning
from iotprov.provisioning.device_record import device_in_aws_iot
from iotprov.provisioning.remote_device import ask_aws_iot
from iotprov.provisioning.worker import drain
from pki.devices.record import device_record
from tests.iotprov.cloud import GROUP, POLICY
from tests.support.aws_faults import Fault, Refusal, aws_calls, failing

pytestmark = pytest.mark.django_db(transaction=True)

INDEXING_OFF = Refusal("IndexNotReadyException")


@pytest.fixture(autouse=True)
def _aws_iot_knows_policies_and_connections(monkeypatch):
    """moto has neither call. They answer in the form of AWS's API reference."""
    body = json.dumps({"Statement": [{"Effect": "Allow", "Action": "iot:Connect"}]})
    answers = {
        "get_effective_policies": {
            "effectivePolicies": [{"policyName": POLICY, "policyDocument": body}]
        },
        "get_thing_connectivity_data": {
            "thingName": "sensor-1",
            "connected": False,
            "timestamp": 1_700_000_000.0,
            "disconnectReason": "MQTT_KEEP_ALIVE_TIMEOUT",
        },
    }
    for name, answer in answers.items():
        monkeypatch.setattr(
            IoTResponse, name, lambda self, answer=answer: ActionResult(answer), raising=False
        )


@pytest.fixture
def asked(waiting):
    """Have a device provisioned; returns a function that asks AWS IoT about it."""
    waiting("sensor-1")
    drain()
    assert Provisioning.objects.get().state == "settled"

    def ask(thing="sensor-1"):
        device = device_record("sensor-1")
        return ask_aws_iot(find_target("default"), thing, device.current.fingerprint_sha256)

    return ask


def test_aws_tells_thing_groups_certificate_policies_and_connection(asked):
    found = asked()

    assert found.has_thing
    assert dict(found.attributes) == {"version": "v1"}
    assert list(found.groups) == [GROUP]
    assert found.certificates == [
        (device_record("sensor-1").current.fingerprint_sha256, "ACTIVE"),
    ]
    ((name, body),) = found.policies
    assert name == POLICY
    assert "iot:Connect" in body
    assert not found.connection.is_connected
    assert found.connection.since.year == 2023
    assert found.connection.reason == "MQTT_KEEP_ALIVE_TIMEOUT"
    assert found.failures == []
    assert json.dumps(found.as_json())


def test_a_thing_that_is_not_there_is_said_and_the_certificate_is_still_asked_for(asked):
    found = asked("never-made")

    assert not found.has_thing
    assert found.connection is None
    ((_, status),) = found.certificates
    assert status == "ACTIVE, not attached to the thing"


def test_without_fleet_indexing_the_rest_is_shown(asked):
    with failing("iot", "GetThingConnectivityData", INDEXING_OFF):
        found = asked()

    assert found.connection is None
    (failure,) = found.failures
    assert "fleet indexing with thingConnectivityIndexingMode STATUS is off" in failure
    assert found.policies


def test_a_missing_right_leaves_out_that_part_alone(asked):
    with failing("iot", "GetEffectivePolicies", Fault.ACCESS_DENIED):
        found = asked()

    assert found.policies == []
    assert found.connection is not None
    assert (
        "Allow the role or user of this process to call iot:GetEffectivePolicies."
        in (found.failures[0])
    )


@pytest.mark.parametrize("fault", [Fault.TIMEOUT, Fault.THROTTLE, Fault.SERVER_ERROR])
def test_after_a_call_without_an_answer_no_other_is_made(asked, fault):
    with failing("iot", "DescribeThing", fault), aws_calls() as calls:
        found = asked()

    assert calls == ["iot:DescribeThing"]
    assert len(found.failures) == 1
    assert found.failures[0].startswith("iot:DescribeThing failed with ")


def test_asking_changes_nothing_in_aws(asked, cloud):
    before = cloud.held(), cloud.things()
    with aws_calls() as calls:
        asked()

    assert (cloud.held(), cloud.things()) == before
    assert all(call.startswith(("iot:Describe", "iot:List", "iot:Get")) for call in calls)


def test_the_record_has_the_plan_and_the_rows_without_a_call(asked):
    device = device_record("sensor-1")
    with aws_calls() as calls:
        found = device_in_aws_iot(device.certificates, device.current)

    assert calls == []
    assert found.plan.thing.thing_name == "sensor-1"
    assert [row.aws_status for row in found.rows] == ["ACTIVE"]
    assert found.thing_at("default", "x") == "sensor-1"
