"""The only way in is the domain, for the networks and the rate that were asked for."""

import json

import pytest

from estserver.deploy.engine.calls import ask
from estserver.deploy.engine.runs import StepFailed, carry_out, intentions
from estserver.deploy.front_door.lockdown import Lockdown, Throttling
from estserver.deploy.lifecycle import status
from estserver.deploy.zappa.admin_endpoint import AdminEndpoint
from pki.aws.clients import aws_client
from tests.estserver.deploy.account import ACCOUNT, ACM, DOMAIN, REGION, rest_api, stage

WITHOUT_ADMIN_DOMAIN = f"""
Properties:
  apiCustomDomainName: {DOMAIN}
  apiCertificateArn: {ACM}/est
  adminAllowedNetworks: [192.0.2.0/24, "2001:db8::/32"]
  deviceCaSigner: external
  externalSignerClass: a.b.C
"""


def test_T02_the_default_endpoint_is_closed_and_that_is_deployed(deployment, bring, live):
    api_id = live(deployment, "est")
    first = stage(api_id, "est")["deploymentId"]
    assert rest_api(api_id)["disableExecuteApiEndpoint"] is False

    assert bring(Lockdown(deployment, "est")) == ["est: lockdown"]

    assert rest_api(api_id)["disableExecuteApiEndpoint"] is True
    assert stage(api_id, "est")["deploymentId"] != first
    assert bring(Lockdown(deployment, "est")) == []


def test_T02_a_setting_that_was_never_deployed_is_deployed_by_the_next_run(deployment, bring, live):
    """Between the two calls a run can die: what is set and not deployed doesn't hold."""
    api_id = live(deployment, "est")
    change = {"op": "replace", "path": "/disableExecuteApiEndpoint", "value": "True"}
    aws_client("apigateway").update_rest_api(restApiId=api_id, patchOperations=[change])

    [intended] = intentions([Lockdown(deployment, "est")])

    assert [call.name for call in intended.calls] == ["apigateway:CreateDeployment"]
    assert bring(Lockdown(deployment, "est")) == ["est: lockdown"]


def test_T02_what_isnt_kept_is_no_success(deployment, live, performer, monkeypatch):
    """A check that it took: AWS is asked again."""
    live(deployment, "est")
    monkeypatch.setattr(performer, "perform", lambda call: {})

    with pytest.raises(
        StepFailed, match="AWS took every call, and still: the default endpoint is open"
    ):
        carry_out([Lockdown(deployment, "est")], performer)


def test_deployments_are_five_seconds_apart(deployment, live, bring, clock):
    live(deployment, "est")
    live(deployment, "admin")

    bring(Lockdown(deployment, "est"), Lockdown(deployment, "admin"))

    assert clock.slept == [5]


def test_the_admin_without_a_domain_keeps_its_endpoint_and_learns_its_name(
    aws_cloud, configured, live, bring, said
):
    deployment = configured(WITHOUT_ADMIN_DOMAIN)
    api_id = live(deployment, "admin")
    host = f"{api_id}.execute-api.{REGION}.amazonaws.com"

    bring(Lockdown(deployment, "admin"), AdminEndpoint(deployment))

    assert rest_api(api_id)["disableExecuteApiEndpoint"] is False
    function = ask("lambda", "GetFunctionConfiguration", FunctionName="est-server-admin")
    assert function["Environment"]["Variables"] == {
        "DATABASE_URL": "postgresql://est:hunter2@db/est",
        "EST_ADMIN_ENDPOINT": host,
    }
    assert f"the admin is at https://{host}/admin/" in said.text
    assert "hunter2" not in said.text
    assert bring(AdminEndpoint(deployment)) == []


def test_the_environment_of_a_function_is_not_printed(aws_cloud, configured, live):
    deployment = configured(WITHOUT_ADMIN_DOMAIN)
    live(deployment, "admin")

    [intended] = intentions([AdminEndpoint(deployment)])

    assert "hunter2" not in str(intended.calls[0])


def test_the_admin_is_reached_from_listed_networks_only(aws_cloud, configured, live, bring):
    deployment = configured(WITHOUT_ADMIN_DOMAIN)
    api_id = live(deployment, "admin")

    bring(Lockdown(deployment, "admin"))

    policy = json.loads(rest_api(api_id)["policy"])
    deny = policy["Statement"][1]
    assert deny["Effect"] == "Deny"
    assert deny["Condition"] == {
        "NotIpAddress": {"aws:SourceIp": ["192.0.2.0/24", "2001:db8::/32"]}
    }
    assert deny["Resource"] == f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{api_id}/*"
    assert bring(Lockdown(deployment, "admin")) == []

    everywhere = configured(WITHOUT_ADMIN_DOMAIN.replace("adminAllowed", "# adminAllowed"))
    assert bring(Lockdown(everywhere, "admin")) == ["admin: lockdown"]
    assert not rest_api(api_id)["policy"]


def test_throttling_is_set_and_kept(deployment, live, bring):
    api_id = live(deployment, "est")

    assert bring(Throttling(deployment, "est")) == ["est: throttling"]

    held = stage(api_id, "est")["methodSettings"]["*/*"]
    assert (held["throttlingRateLimit"], held["throttlingBurstLimit"]) == (50, 100)
    assert bring(Throttling(deployment, "est")) == []


@pytest.mark.parametrize(
    ("lines", "numbers"),
    [
        ("", 1),
        ("\n  adminSecondFactor: optional", 2),
        ("\n  adminAllowedNetworks: [192.0.2.0/24]", 0),
    ],
)
def test_T86_an_admin_that_is_open_to_every_network_is_a_warning_of_the_status(
    aws_cloud, configured, live, bring, lines, numbers
):
    text = WITHOUT_ADMIN_DOMAIN.replace(
        '  adminAllowedNetworks: [192.0.2.0/24, "2001:db8::/32"]\n', ""
    )
    deployment = configured(text.rstrip() + lines + "\n")
    live(deployment, "admin")
    bring(Lockdown(deployment, "admin"))

    rows = rows_of_step(Lockdown(deployment, "admin"))

    levels = [row.level for row in rows]
    assert levels == (["WARN"] * numbers or ["OK"])
    if numbers:
        assert "The admin answers to every network" in rows[0].finding
        assert "Set adminAllowedNetworks" in rows[0].finding
    if numbers == 2:
        assert "adminSecondFactor is optional" in rows[1].finding


def rows_of_step(step):
    """The step's rows in the table of aws_status."""
    return [*status._rows_of(step)]
