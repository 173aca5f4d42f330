"""An installation that tells AWS IoT, and the account that it tells."""

import datetime
import json
from dataclasses import replace

import pytest
from django.utils import timezone
from moto.core.responses import ActionResult
from moto.iot.responses import IoTResponse

from iotprov.models import Provisioning
from iotprov.provisioning import pacing, worker
from pki.record import observers
from tests.iotprov.cloud import GROUP, POLICY, Cloud
from tests.iotprov.samples import SAMPLE_TEMPLATE
from tests.support.builders import make_csr, make_key


@pytest.fixture(autouse=True)
def _every_target_is_tried_at_once(monkeypatch):
    """No target is left alone for what another test did, and nobody waits out a throttle."""
    monkeypatch.setattr(pacing, "_FIRST_PAUSE", 0.01)
    worker._breaker.reset()
    yield
    worker._breaker.reset()


@pytest.fixture(autouse=True)
def _aws_iot_holds_tags(monkeypatch):
    """moto keeps no tags of what is in AWS IoT, and answers that with a fault."""
    answer = lambda self: ActionResult({"tags": []})  # noqa: E731
    monkeypatch.setattr(IoTResponse, "list_tags_for_resource", answer, raising=False)


@pytest.fixture(autouse=True)
def _sample_template_is_configured(settings):
    """The CDK sample's template, which takes more from a subject than the default does."""
    settings.IOT = replace(settings.IOT, template_path=SAMPLE_TEMPLATE)


def template(*, resources=(), **overrides):
    """A template that a subject of a common name alone can fill."""
    thing = {
        "Type": "AWS::IoT::Thing",
        "Properties": {
            "ThingName": {"Ref": "AWS::IoT::Certificate::CommonName"},
            "AttributePayload": {"version": "v1"},
            "ThingGroups": [GROUP],
        },
    }
    if overrides:
        thing["OverrideSettings"] = overrides
    return {
        "Parameters": {
            "AWS::IoT::Certificate::CommonName": {"Type": "String"},
            "AWS::IoT::Certificate::Id": {"Type": "String"},
        },
        "Resources": {
            "thing": thing,
            "certificate": {
                "Type": "AWS::IoT::Certificate",
                "Properties": {
                    "CertificateId": {"Ref": "AWS::IoT::Certificate::Id"},
                    "Status": "ACTIVE",
                },
            },
            "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": ""}},
            **dict(resources),
        },
    }


@pytest.fixture
def use_template(settings, tmp_path):
    """Put a template in force."""

    def use(body):
        path = tmp_path / "template.json"
        path.write_text(json.dumps(body))
        settings.IOT = replace(settings.IOT, template_path=path, policy_name=POLICY)

    return use


@pytest.fixture
def cloud(aws_cloud, use_template):
    """An AWS account with the policy and the group that the template names."""
    use_template(template())
    return Cloud.prepared()


@pytest.fixture
def in_mode(change_default_profile):
    """Have certificates of the default profile provisioned in this mode."""

    def set_mode(mode, **changes):
        change_default_profile(iot_provisioning=mode, **changes)

    return set_mode


@pytest.fixture
def earlier_profile(change_default_profile, monkeypatch):
    """Change the default profile as an earlier release did, which refused no switch to AWS IoT."""

    def change(**changes):
        with monkeypatch.context() as patched:
            patched.setattr(observers, "registered", tuple)
            change_default_profile(**changes)

    return change


@pytest.fixture
def clock(monkeypatch):
    """A clock that tests move: ``clock(days=8)``."""
    true_now = timezone.now
    offset = datetime.timedelta()

    def move(**by):
        nonlocal offset
        offset += datetime.timedelta(**by)

    monkeypatch.setattr(timezone, "now", lambda: true_now() + offset)
    return move


@pytest.fixture
def waiting(cloud, est_client, in_mode, settings):
    """Enroll devices that only the outbox tells AWS IoT of; returns a function that does."""
    in_mode("register")
    settings.IOT = replace(settings.IOT, request_seconds=0)

    def enroll(*names):
        for name in names:
            key = make_key(index=int(name.partition("-")[2]))
            assert est_client.simpleenroll(make_csr(name, key=key)).status_code == 200
        return list(Provisioning.objects.order_by("id"))

    return enroll
