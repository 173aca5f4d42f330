"""The command `device`: what the page shows, for scripts, and the list by state."""

import io
import json

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from pki.denylist.entries import deny
from pki.models import IssuedCertificate
from pki.record.audit_trail import Actor
from tests.support.builders import make_csr, make_key

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def devices(est_client):
    """Two devices, of which the second is denied and was refused."""
    for index, name in enumerate(("pump-1", "pump-2")):
        est_client.simpleenroll(make_csr(name, key=make_key(index=index)))
    deny("name", "pump-2", reason="stolen \u202e", actor=Actor("command:tester"))
    est_client.simplereenroll(make_csr("pump-2", key=make_key(index=1)))


def printed(*arguments):
    out = io.StringIO()
    call_command("device", *arguments, stdout=out)
    return out.getvalue()


def test_a_device_is_printed_as_text_with_its_refusal_and_what_to_do(devices):
    said = printed("PUMP-2")

    assert "state: denied" in said
    assert "said: The denylist names this thing name." in said
    assert "reason: stolen \\u202e" in said
    assert "what to do: " in said
    assert "new names ever: 2" in said


def test_a_device_is_printed_as_json(devices):
    said = json.loads(printed("pump-1", "--json"))

    row = IssuedCertificate.objects.get(common_name="pump-1")
    assert (said["name"], said["state"]) == ("pump-1", "new")
    assert said["certificates"][0]["serial_number"] == row.serial_number
    assert said["certificates"][0]["is_current"]
    assert said["aws_iot"]["problem"] == "The profile default does not use AWS IoT."


def test_aws_is_asked_when_it_is_asked_for_and_a_failure_is_part_of_the_answer(devices):
    said = json.loads(printed("pump-1", "--json", "--ask-aws", "default"))

    (failure,) = said["aws_iot_now"]["failures"]
    assert failure.startswith("iot:DescribeThing failed with ")
    assert "aws_iot_now" not in json.loads(printed("pump-1", "--json"))


def test_devices_are_listed_by_state(devices):
    whole, denied = printed(), json.loads(printed("--state", "denied", "--json"))

    assert [line.split()[:2] for line in whole.splitlines()[:2]] == [
        ["new", "pump-1"], ["denied", "pump-2"],
    ]  # fmt: skip
    assert whole.splitlines()[-1] == "devices: 2"
    assert [row["name"] for row in denied["devices"]] == ["pump-2"]
    assert "pump-1" not in printed("--after", "pump-1")


def test_a_name_without_a_record_is_refused(devices):
    with pytest.raises(CommandError, match="Nothing is on record of the thing name 'nobody'"):
        printed("nobody")
