"""What is set on each stage: lockdown, throttling, logs, WAF, DNS, alarms, the admin's name."""

import json

import pytest

from estserver.deploy.alarms import Alarms, alarms
from estserver.deploy.buckets import Bucket
from estserver.deploy.calls import ask
from estserver.deploy.dns import AliasRecords
from estserver.deploy.domain import CustomDomain
from estserver.deploy.keys import SecretsKey
from estserver.deploy.lockdown import Lockdown, Throttling
from estserver.deploy.logs import AccessLog, LogGroup, access_log_format
from estserver.deploy.roles import GatewayAccount, function_role
from estserver.deploy.secrets_kept import CAKeys, Secrets
from estserver.deploy.steps import Blocked, StepFailed, carry_out, intentions
from estserver.deploy.waf import COUNTED, WebAcl, WebAclAssociation, rules
from estserver.deploy.zappa_stage import AdminEndpoint, ZappaStage
from pki import aws
from pki.exceptions import OperatorError
from tests.deploy.account import ACCOUNT, ACM, CONFIG, DOMAIN, REGION

WITHOUT_ADMIN_DOMAIN = f"""
Properties:
  apiCustomDomainName: {DOMAIN}
  apiCertificateArn: {ACM}/est
  adminAllowedNetworks: [192.0.2.0/24, "2001:db8::/32"]
  deviceCaSigner: external
  externalSignerClass: a.b.C
"""


def rest_api(api_id):
    return aws.client("apigateway").get_rest_api(restApiId=api_id)


def stage(api_id, name):
    return aws.client("apigateway").get_stage(restApiId=api_id, stageName=name)


# Lockdown


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
    aws.client("apigateway").update_rest_api(restApiId=api_id, patchOperations=[change])

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


# Logs


def test_the_access_log_names_the_client_and_leaves_its_certificate_out(configured):
    fields = json.loads(access_log_format(configured()))

    assert fields["clientSubject"] == "$context.identity.clientCert.subjectDN"
    assert fields["clientSerial"] == "$context.identity.clientCert.serialNumber"
    assert not [value for value in fields.values() if "clientCertPem" in value]


def test_the_clients_certificate_is_logged_where_that_is_wanted(configured):
    text = CONFIG.replace(
        "DeploymentOptions:", "DeploymentOptions:\n  logClientCertificateBody: true"
    )

    assert "clientCert.clientCertPem" in access_log_format(configured(text))


def test_the_access_log_is_one_line(configured):
    assert "\n" not in access_log_format(configured())


def test_requests_are_logged(deployment, live, bring):
    api_id = live(deployment, "est")

    assert bring(AccessLog(deployment, "est")) == ["est: access log"]

    held = stage(api_id, "est")["accessLogSettings"]
    assert held["destinationArn"].endswith(":log-group:/aws/apigateway/est-server-est/access")
    assert held["format"] == access_log_format(deployment)
    assert bring(AccessLog(deployment, "est")) == []


def test_log_groups_end_their_lines_and_a_longer_name_is_another_group(deployment, bring):
    aws.client("logs").create_log_group(logGroupName="/aws/lambda/est-server-est-other")
    step = LogGroup(deployment, "/aws/lambda/est-server-est", "est")

    assert bring(step) == [step.name]

    assert step.look().days == 90
    aws.client("logs").delete_retention_policy(logGroupName=step.group)
    [intended] = intentions([step])
    assert intended.calls[0].because == "its lines are kept for ever, not 90 days"
    assert (
        intentions([LogGroup(deployment, "/aws/lambda/est-server-est-other", "est")], removing=True)
        == []
    )


def test_the_accounts_log_role_is_left_alone_when_there_is_one(deployment, bring):
    other = "arn:aws:iam::123456789012:role/other"
    change = {"op": "replace", "path": "/cloudwatchRoleArn", "value": other}
    aws.client("apigateway").update_account(patchOperations=[change])
    step = GatewayAccount(deployment)

    assert bring(step) == []
    assert intentions([step], removing=True) == []


# WAF


def test_two_rules_count_and_say_why():
    assert set(COUNTED) == {"NoUserAgent_HEADER", "SizeRestrictions_BODY"}


def test_one_access_list_guards_both_stages(deployment, live, bring):
    live(deployment, "est")
    live(deployment, "admin")
    steps = [
        WebAcl(deployment),
        WebAclAssociation(deployment, "est"),
        WebAclAssociation(deployment, "admin"),
    ]

    assert bring(*steps) == ["WAF", "est: WAF", "admin: WAF"]
    assert bring(*steps) == []
    managed = rules(deployment)[0]["Statement"]["ManagedRuleGroupStatement"]
    assert managed["Name"] == "AWSManagedRulesCommonRuleSet"
    assert [o["ActionToUse"] for o in managed["RuleActionOverrides"]] == [{"Count": {}}] * 2


def test_rules_that_somebody_made_to_count_only_block_again(deployment, bring):
    bring(WebAcl(deployment))
    seen = WebAcl(deployment).look()
    weaker = rules(deployment)
    weaker[0]["OverrideAction"] = {"Count": {}}
    aws.client("wafv2").update_web_acl(
        Name=deployment.web_acl,
        Scope="REGIONAL",
        Id=seen.acl_id,
        LockToken=seen.lock_token,
        DefaultAction={"Allow": {}},
        Rules=weaker,
        VisibilityConfig=dict(seen.held["VisibilityConfig"]),
    )

    assert bring(WebAcl(deployment)) == ["WAF"]
    assert WebAcl(deployment).look().held["Rules"][0]["OverrideAction"] == {"None": {}}


def test_an_access_list_of_somebody_else_stays_in_front(deployment, live, bring, said):
    api_id = live(deployment, "est")
    waf = aws.client("wafv2")
    visibility = {
        "SampledRequestsEnabled": True,
        "CloudWatchMetricsEnabled": True,
        "MetricName": "m",
    }
    other = waf.create_web_acl(
        Name="company", Scope="REGIONAL", DefaultAction={"Allow": {}}, VisibilityConfig=visibility
    )["Summary"]["ARN"]
    waf.associate_web_acl(WebACLArn=other, ResourceArn=deployment.stage_arn(api_id, "est"))

    assert bring(WebAcl(deployment), WebAclAssociation(deployment, "est")) == ["WAF"]
    assert "another access list guards est" in said.text


def test_waf_can_be_switched_off(deployment, configured, live, bring):
    live(deployment, "est")
    bring(WebAcl(deployment), WebAclAssociation(deployment, "est"))
    off = configured(CONFIG + "  wafEnabled: false\n")

    assert bring(WebAcl(off), WebAclAssociation(off, "est")) == ["est: WAF"]
    assert bring(WebAclAssociation(off, "est")) == []


# DNS


@pytest.fixture
def admin_domain(deployment):
    made = deployment.domains_of("admin")[0]
    aws.client("apigateway").create_domain_name(
        domainName=made.name,
        regionalCertificateArn=made.certificate_arn,
        endpointConfiguration={"types": ["REGIONAL"]},
        tags=deployment.tags("admin"),
    )
    return made


def zone(name, caller="1", **config):
    made = aws.client("route53").create_hosted_zone(Name=name, CallerReference=caller)
    return made["HostedZone"]["Id"].removeprefix("/hostedzone/")


def test_dns_is_set_in_the_longest_zone_that_holds_the_name(deployment, admin_domain, bring):
    zone("example.com", "1")
    longest = zone("admin.example.com", "2")
    zone("notexample.com", "3")
    step = AliasRecords(deployment, admin_domain)

    assert bring(step) == [f"admin: DNS of {admin_domain.name}"]

    seen = step.look()
    assert seen.zone_id == longest
    assert sorted(seen.records) == ["A", "AAAA"]
    assert bring(step) == []


def test_without_a_zone_of_ours_it_says_what_to_set(deployment, admin_domain, bring, said):
    step = AliasRecords(deployment, admin_domain)

    assert bring(step) == []
    assert f"set {admin_domain.name} CNAME d-" in said.text


def test_a_record_that_leads_elsewhere_is_not_changed_unasked(deployment, admin_domain, bring):
    zone_id = zone("example.com")
    record = {
        "Name": admin_domain.name,
        "Type": "A",
        "TTL": 60,
        "ResourceRecords": [{"Value": "192.0.2.1"}],
    }
    change = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
    aws.client("route53").change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch=change)

    with pytest.raises(StepFailed, match="leads to an address: delete it, or run with --adopt"):
        bring(AliasRecords(deployment, admin_domain))
    adopting = AliasRecords(deployment, admin_domain, adopts=True)
    assert bring(adopting) == [adopting.name]


# Alarms


def test_alarms_are_put_once_and_stale_ones_go(deployment, configured, bring):
    assert bring(Alarms(deployment)) == ["alarms"]
    assert bring(Alarms(deployment)) == []
    names = {alarm.name for alarm in alarms(deployment)}
    assert {"est-server-est-5xx", "est-server-admin-throttles", "est-server-ca-days"} <= names
    assert "est-server-adminCertificateArn" in names
    without = configured(
        CONFIG.replace("adminDomainName", "# adminDomainName").replace("adminCert", "# adminCert")
    )

    [intended] = intentions([Alarms(without)])

    assert [call.name for call in intended.calls] == ["cloudwatch:DeleteAlarms"]
    assert intended.calls[0].parameters == {"AlarmNames": ["est-server-adminCertificateArn"]}


def test_alarms_report_to_the_topic(configured, aws_cloud, bring):
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:night"
    deployment = configured(CONFIG + f"  alarmTopicArn: {topic}\n")

    bring(Alarms(deployment))

    held = aws.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert {tuple(alarm["AlarmActions"]) for alarm in held} == {(topic,)}


# Zappa's own part


def test_what_zappa_left_half_done_is_named(deployment, live, monkeypatch):
    with pytest.raises(Blocked, match="the stage est isn't deployed; run zappa deploy est"):
        ZappaStage(deployment, "est").plan(ZappaStage(deployment, "est").look())
    live(deployment, "est")
    step = ZappaStage(deployment, "est")
    seen = step.look()
    from dataclasses import replace

    with pytest.raises(OperatorError, match="is in ROLLBACK_COMPLETE: see its events"):
        step.plan(replace(seen, stack="ROLLBACK_COMPLETE"))
    assert step.plan(replace(seen, stack="UPDATE_IN_PROGRESS")).waiting
    assert step.plan(replace(seen, stack="UPDATE_ROLLBACK_COMPLETE")).calls == ()
    with pytest.raises(OperatorError, match="there in part"):
        step.plan(replace(seen, api_id=""))


def test_schedules_go_with_their_function(deployment, live):
    live(deployment, "admin")
    arn = deployment.arn("lambda", "function:est-server-admin")
    events = aws.client("events")
    events.put_rule(Name="outbox", ScheduleExpression="rate(1 minute)")
    events.put_targets(Rule="outbox", Targets=[{"Id": "1", "Arn": arn}])
    events.put_rule(Name="other", ScheduleExpression="rate(1 minute)")

    step = ZappaStage(deployment, "admin")
    names = [call.name for call in step.undo(step.look()).calls]

    assert names == [
        "events:RemoveTargets",
        "events:DeleteRule",
        "cloudformation:DeleteStack",
        "lambda:DeleteFunction",
    ]


# What isn't ours


def test_a_role_of_somebody_else_is_not_taken(deployment, performer):
    aws.client("iam").create_role(
        RoleName=deployment.role("est"), AssumeRolePolicyDocument='{"Version": "2012-10-17"}'
    )
    step = function_role(deployment, "est")

    with pytest.raises(StepFailed, match="is there and wasn't made by this tool"):
        carry_out([step], performer)
    assert intentions([step], removing=True) == []


def test_a_bucket_that_was_there_is_left_as_it_is(aws_cloud, configured, bring, said):
    deployment = configured(CONFIG + "  truststoreBucket: company-truststores\n")
    aws.client("s3").create_bucket(
        Bucket="company-truststores", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    step = Bucket(deployment, deployment.truststore_bucket, "truststore", is_versioned=True)

    assert bring(step) == []
    assert "was there before, and is left as it is" in said.text
    assert "versions aren't kept" in said.text
    assert intentions([step], removing=True) == []


def test_a_secret_that_bootstrap_made_goes_and_can_come_back(deployment):
    secrets = aws.client("secretsmanager")
    secrets.create_secret(Name="estMtlsCaSecrets", SecretString="x", Tags=deployment.tag_list())
    secrets.create_secret(Name="estMtlsClientSecrets", SecretString="x")

    [intended] = intentions([Secrets(deployment)], removing=True)

    assert [dict(call.parameters) for call in intended.calls] == [
        {"SecretId": "estMtlsCaSecrets", "RecoveryWindowInDays": 30}
    ]


def test_the_key_is_rotated_and_missed_when_it_is_to_be_deleted(deployment, bring, performer):
    assert bring(SecretsKey(deployment)) == ["KMS key for secrets"]
    seen = SecretsKey(deployment).look()
    assert seen.is_rotated
    aws.client("kms").schedule_key_deletion(KeyId=seen.key_id, PendingWindowInDays=7)

    with pytest.raises(StepFailed, match="cancel its deletion or enable it in the console"):
        carry_out([SecretsKey(deployment)], performer)


def test_names_of_a_second_installation_differ(configured):
    other = configured(CONFIG + "  projectName: est-test\n")

    assert other.function("est") == "est-test-est"
    assert not other.is_ours({"est-server:made-by": "est-server"})
    assert CustomDomain(other, other.domains[0]).name == f"est: domain {DOMAIN}"


def test_ca_keys_that_bootstrap_made_go_and_can_come_back(deployment):
    kms = aws.client("kms")
    tags = [{"TagKey": t["Key"], "TagValue": t["Value"]} for t in deployment.tag_list()]
    spec = {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}
    ours = kms.create_key(**spec, Tags=tags)["KeyMetadata"]["KeyId"]
    brought = kms.create_key(**spec)["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/est/device-ca", TargetKeyId=ours)
    kms.create_alias(AliasName="alias/est/other", TargetKeyId=brought)

    [intended] = intentions([CAKeys(deployment)], removing=True)

    assert [dict(call.parameters) for call in intended.calls] == [
        {"KeyId": ours, "PendingWindowInDays": 30}
    ]
    kms.schedule_key_deletion(KeyId=ours, PendingWindowInDays=30)
    assert intentions([CAKeys(deployment)], removing=True) == []
