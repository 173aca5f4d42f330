"""X-Ray is off unless the configuration asks for it."""

import pytest

from estserver.deploy.recipe import function_policy
from estserver.deploy.resources.watching.tracing import Tracing
from estserver.deploy.zappa.settings import read_settings, rendered
from pki.aws.clients import aws_client
from tests.estserver.deploy.account import CONFIG, stage


@pytest.fixture
def traced(aws_cloud, configured):
    return configured(CONFIG + "  tracing: true\n")


def mode():
    held = aws_client("lambda").get_function_configuration(FunctionName="est-server-est")
    return held["TracingConfig"]["Mode"]


def test_it_is_off_by_default(deployment, live, bring):
    api_id = live(deployment, "est")

    assert bring(Tracing(deployment, "est")) == []

    assert (mode(), stage(api_id, "est").get("tracingEnabled", False)) == ("PassThrough", False)
    assert "xray_tracing" not in rendered(read_settings(), deployment)["common"]
    assert not xray(deployment)


def test_it_is_switched_on_at_api_and_function_and_off_again(traced, configured, live, bring):
    api_id = live(traced, "est")

    assert bring(Tracing(traced, "est")) == ["est: tracing"]
    assert bring(Tracing(traced, "est")) == []

    assert (mode(), stage(api_id, "est")["tracingEnabled"]) == ("Active", True)
    assert rendered(read_settings(), traced)["common"]["xray_tracing"] is True
    assert xray(traced) == {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}
    assert bring(Tracing(configured(), "est")) == ["est: tracing"]
    assert (mode(), stage(api_id, "est")["tracingEnabled"]) == ("PassThrough", False)


def xray(deployment):
    return {
        action
        for statement in function_policy(deployment, "est")["Statement"]
        for action in statement["Action"]
        if action.startswith("xray:")
    }
