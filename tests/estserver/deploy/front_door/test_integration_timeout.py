"""How long API Gateway waits: set on each method, deployed once, and never before the lockdown."""

import pytest
from botocore.stub import Stubber

from estserver.deploy.engine.calls import ask_all
from estserver.deploy.engine.runs import StepFailed, carry_out, intentions
from estserver.deploy.front_door.integration_timeout import IntegrationTimeout
from estserver.deploy.front_door.lockdown import Lockdown
from estserver.deploy.recipe import finishing
from pki.aws.clients import aws_client
from tests.estserver.deploy.account import CONFIG
from tests.support.aws_faults import Refusal, aws_calls, failing

TWENTY = CONFIG.replace("Properties:", "Properties:\n  apiGatewayIntegrationTimeoutSeconds: 20")


@pytest.fixture
def api(deployment, live):
    """The API of est, with a method below its root as well, as Zappa makes it."""
    api_id = live(deployment, "est")
    gateway = aws_client("apigateway")
    (root,) = gateway.get_resources(restApiId=api_id)["items"]
    proxy = gateway.create_resource(restApiId=api_id, parentId=root["id"], pathPart="{proxy+}")
    method = {"restApiId": api_id, "resourceId": proxy["id"], "httpMethod": "ANY"}
    gateway.put_method(**method, authorizationType="NONE")
    gateway.put_integration(**method, type="MOCK")
    return api_id


def steps(deployment, stage="est"):
    return Lockdown(deployment, stage), IntegrationTimeout(deployment, stage)


def timeouts(api_id):
    resources = ask_all("apigateway", "GetResources", "items", restApiId=api_id, embed=["methods"])
    return {
        each["path"]: each["resourceMethods"]["ANY"]["methodIntegration"].get("timeoutInMillis")
        for each in resources
    }


def set_timeout(api_id, value):
    """As somebody would in the console."""
    gateway = aws_client("apigateway")
    for resource in gateway.get_resources(restApiId=api_id)["items"]:
        gateway.update_integration(
            restApiId=api_id,
            resourceId=resource["id"],
            httpMethod="ANY",
            patchOperations=[{"op": "replace", "path": "/timeoutInMillis", "value": str(value)}],
        )


def test_api_gateways_own_29_seconds_need_no_change(api, deployment, bring):
    with aws_calls() as calls:
        assert bring(*steps(deployment)) == ["est: lockdown"]
        assert bring(*steps(deployment)) == []

    assert "apigateway:UpdateIntegration" not in calls
    assert calls.count("apigateway:CreateDeployment") == 1


def test_every_method_waits_as_long_as_the_configuration_says(api, configured, bring):
    deployment = configured(TWENTY)

    assert bring(*steps(deployment)) == ["est: lockdown", "est: integration timeout"]

    assert timeouts(api) == {"/": 20_000, "/{proxy+}": 20_000}
    assert bring(*steps(deployment)) == []


def test_both_stages_wait_alike(aws_cloud, configured, live, bring):
    deployment = configured(TWENTY)
    api_id = live(deployment, "admin")

    bring(*steps(deployment, "admin"))

    assert timeouts(api_id) == {"/": 20_000}


def test_a_change_is_deployed_once_and_the_way_back_too(api, deployment, configured, bring):
    bring(*steps(deployment))

    for text in (TWENTY, CONFIG):
        with aws_calls() as calls:
            assert bring(*steps(configured(text))) == ["est: integration timeout"]
        assert calls.count("apigateway:CreateDeployment") == 1
        assert bring(*steps(configured(text))) == []


def test_a_timeout_that_was_never_deployed_is_deployed_by_the_next_run(api, configured, bring):
    """Between the calls a run can die."""
    deployment = configured(TWENTY)
    bring(Lockdown(deployment, "est"))
    set_timeout(api, 20_000)

    (intended,) = intentions(steps(deployment))

    assert [call.name for call in intended.calls] == ["apigateway:CreateDeployment"]
    assert bring(*steps(deployment)) == ["est: integration timeout"]
    assert bring(*steps(deployment)) == []


def test_a_lockdown_deploys_the_timeouts_that_are_set_and_says_so(api, deployment, bring):
    """Else a run that dies after it would leave them deployed, and nobody would know."""
    set_timeout(api, 20_000)
    bring(Lockdown(deployment, "est"))
    set_timeout(api, 29_000)

    (intended,) = intentions(steps(deployment))

    assert intended.step == "est: integration timeout"


def test_what_somebody_changed_is_set_right(api, deployment, bring):
    bring(*steps(deployment))
    set_timeout(api, 5_000)

    (intended,) = intentions(steps(deployment))

    assert intended.calls[0].reason == "ANY / waits 5000 ms, wanted 29000"
    assert bring(*steps(deployment)) == ["est: integration timeout"]
    assert timeouts(api) == {"/": 29_000, "/{proxy+}": 29_000}


def test_a_number_beyond_the_quota_names_the_quota_and_leaves_no_endpoint_open(
    api, configured, performer, bring
):
    text = CONFIG.replace(
        "Properties:",
        "Properties:\n  lambdaTimeoutSeconds: 90\n  apiGatewayIntegrationTimeoutSeconds: 60",
    )
    deployment = configured(text)

    with (
        failing("apigateway", "UpdateIntegration", Refusal("BadRequestException")),
        pytest.raises(StepFailed) as caught,
    ):
        carry_out(steps(deployment), performer)

    assert str(caught.value).startswith("Step 2 of 2, est: integration timeout: ")
    assert 'quota "Maximum integration timeout in milliseconds"' in str(caught.value)
    assert "Or lower apiGatewayIntegrationTimeoutSeconds" in str(caught.value)
    api_held = aws_client("apigateway").get_rest_api(restApiId=api)
    assert api_held["disableExecuteApiEndpoint"] is True
    assert intentions([Lockdown(deployment, "est")]) == []
    assert bring(*steps(deployment)) == ["est: integration timeout"]


def test_methods_on_a_second_page_are_seen(deployment, live):
    """moto has one page; AWS gives 25 resources at a time."""
    api_id = live(deployment, "est")

    def page(number, **more):
        method = {"methodIntegration": {"type": "AWS_PROXY", "timeoutInMillis": 1000 * number}}
        found = {"id": f"r{number}", "path": f"/{number}", "resourceMethods": {"ANY": method}}
        return {"items": [found], **more}

    asked = {"restApiId": api_id, "embed": ["methods"]}
    with Stubber(aws_client("apigateway", read_timeout=60)) as stub:
        stub.add_response("get_stage", {"stageName": "est"})
        stub.add_response("get_rest_api", {})
        stub.add_response("get_resources", page(1, position="next"), asked)
        stub.add_response("get_resources", page(2), {**asked, "position": "next"})
        stub.add_response("get_stage", {"deploymentId": "d"})
        stub.add_response("get_deployment", {})

        seen = IntegrationTimeout(deployment, "est").look()

    assert [each.timeout for each in seen.integrations] == [1000, 2000]


def test_it_is_among_the_steps_of_both_stages_after_the_lockdown(deployment):
    for stage in ("est", "admin"):
        kinds = [type(step) for step in finishing(deployment, stage)]
        assert kinds.index(IntegrationTimeout) == kinds.index(Lockdown) + 1
