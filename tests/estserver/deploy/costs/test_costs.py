"""What an installation costs: at most five dollars in a month without a request."""

import io
import json
import logging
import re
from dataclasses import replace

import pytest
from django.core.management import call_command

from estserver.config import PROJECT_ROOT
from estserver.deploy.costs import prices
from estserver.deploy.costs.estimate import (
    ENROLLMENT_LOG_BYTES,
    IDLE_METRICS,
    REGISTRY_OPERATIONS,
    idle_month,
    key_count,
    million_enrollments,
    secret_names,
    total,
)
from estserver.deploy.deployment import Deployment
from estserver.deploy.engine.runs import carry_out
from estserver.deploy.lambda_signers import for_lambda
from estserver.deploy.recipe import finishing, function_policy, preparation
from estserver.deploy.resources.database.cluster import DatabaseCluster
from estserver.deploy.resources.logs import access_log_format
from estserver.deploy.resources.watching.alarms import Alarms
from estserver.deploy.resources.watching.dashboard import graphs
from estserver.operations import schedule
from estserver.operations.logs import JSONFormatter
from pki.aws.clients import aws_client
from tests.estserver.deploy.account import (
    ACCOUNT,
    ACM,
    CONFIG,
    DOMAIN,
    REGION,
    WITHOUT_DATABASE,
    zappa_deploy,
)
from tests.iotprov.conftest import cloud, in_mode, use_template
from tests.support.aws_faults import aws_calls
from tests.support.builders import make_csr

__all__ = ["cloud", "in_mode", "use_template"]

PAGE = PROJECT_ROOT / "docs" / "prices.md"
SAMPLE = (PROJECT_ROOT / "config" / "config-sample-all-generated.yaml").read_text(encoding="utf-8")
DSQL = "dsql://admin@abcdefghijklmnopqrstuvwxyz.dsql.eu-central-1.on.aws/postgres"


@pytest.fixture
def sample(configured):
    """The CDK sample's file with a domain and its certificate alone: on Lambda and Aurora DSQL."""

    def make(**options):
        text = re.sub(r"(?m)^  api(CustomDomainName|\w*CertificateArn): .*\n", "", SAMPLE)
        named = f'apiCustomDomainName: "{DOMAIN}"\n  apiCertificateArn: "{ACM}/est"'
        deployment = configured(text.replace("Properties:", f"Properties:\n  {named}", 1))
        config = for_lambda(deployment.config)
        config = replace(config, deployment=replace(config.deployment, **options))
        return Deployment(config, ACCOUNT, REGION)

    return make


def test_the_sample_costs_at_most_five_dollars_in_a_month_without_a_request(sample):
    without_waf = total(idle_month(sample(waf_enabled=False)))

    assert 0 < without_waf <= 5
    assert round(without_waf) == 4
    assert total(idle_month(sample())) == pytest.approx(without_waf + 6, abs=0.001)


@pytest.mark.parametrize(
    ("named", "is_on_dsql"),
    [
        ("", True),
        ("database: dsql", True),
        (f"databaseUrl: {DSQL}", True),
        ("database: stack est-database", False),
        ("databaseUrl: postgresql://db.example.com/est", False),
    ],
)
def test_an_installation_that_names_no_database_pays_for_aurora_dsql_and_its_alarms(
    configured, named, is_on_dsql
):
    text = WITHOUT_DATABASE.replace("Properties:\n", f"Properties:\n  {named}\n", 1)
    without_cluster = {item.price: item.count for item in idle_month(configured(CONFIG))}

    bill = {item.price: item.count for item in idle_month(configured(text))}

    assert (prices.DSQL_STORAGE in bill) == is_on_dsql
    assert bill[prices.ALARM] - without_cluster[prices.ALARM] == (2 if is_on_dsql else 0)


def test_as_many_alarms_are_counted_as_a_deployment_with_its_cluster_makes(
    aws_cloud, configured, bring
):
    deployment = configured(WITHOUT_DATABASE)

    bring(DatabaseCluster(deployment), Alarms(deployment))

    held = aws_client("cloudwatch").describe_alarms()["MetricAlarms"]
    (counted,) = (item for item in idle_month(deployment) if item.price == prices.ALARM)
    assert len(held) == counted.count


def test_what_is_free_is_not_counted_and_what_goes_beyond_is():
    assert prices.ALARM.of(10) == 0
    assert prices.ALARM.of(13) == pytest.approx(0.3)
    assert prices.SECRET.of(6) == pytest.approx(2.4)


@pytest.mark.django_db(transaction=True)
def test_a_deployment_makes_what_the_estimate_counts(deployment, installation, performer):
    """All of a deployment but the secrets, which the functions make."""
    aws_client("route53").create_hosted_zone(Name="example.com", CallerReference="1")
    before = len(aws_client("kms").list_keys()["Keys"])

    carry_out(preparation(deployment), performer)
    for stage in ("admin", "est"):
        zappa_deploy(deployment, stage)
        carry_out(finishing(deployment, stage), performer)

    bill = {item.price: item.count for item in idle_month(deployment)}
    watch = aws_client("cloudwatch")
    assert len(watch.describe_alarms()["MetricAlarms"]) == bill[prices.ALARM]
    assert len(watch.list_dashboards()["DashboardEntries"]) == bill[prices.DASHBOARD]
    assert len(aws_client("kms").list_keys()["Keys"]) - before == bill[prices.KEY]
    (acl,) = aws_client("wafv2").list_web_acls(Scope="REGIONAL")["WebACLs"]
    held = aws_client("wafv2").get_web_acl(Name=acl["Name"], Id=acl["Id"], Scope="REGIONAL")
    assert len(held["WebACL"]["Rules"]) == bill[prices.WAF_RULE]


def test_keys_in_kms_are_counted(configured):
    with_kms = CONFIG.replace("deviceCaSigner: secretsmanager", "deviceCaSigner: kms").replace(
        "SecretsManagerSigner}",
        "SecretsManagerSigner}\n    kms: {BACKEND: pki.signers.kms.KMSSigner}",
    )

    deployment = configured(with_kms)

    assert key_count(deployment) == 2
    assert {item.price for item in million_enrollments(deployment)} >= {prices.EC_SIGNATURES}


def test_the_functions_may_make_no_secret_that_the_estimate_leaves_out(sample):
    deployment = sample()
    (statement,) = (
        each
        for each in function_policy(deployment, "admin")["Statement"]
        if "secretsmanager:CreateSecret" in each["Action"]
    )
    names = (arn.partition(":secret:")[2] for arn in statement["Resource"])
    makes = {re.sub(r"(/\*|-\?{6})$", "", name) for name in names}

    session = deployment.config.properties.secret_key_secret_name  # made by aws_deploy
    assert {*secret_names(deployment)} == makes | {session}


def test_a_run_without_a_request_writes_the_metrics_that_are_counted(
    transactional_db, installation, settings, caplog, monkeypatch
):
    settings.IS_LAMBDA = True
    monkeypatch.setattr(schedule, "write_heads", lambda context: None)
    monkeypatch.setattr(schedule, "pause_if_idle", lambda: None)
    monkeypatch.setattr(schedule, "resume_if_due", lambda: True)
    caplog.set_level(logging.INFO)

    schedule.every_minute({}, None)
    schedule.every_hour({}, None)

    lines = [json.loads(JSONFormatter().format(record)) for record in caplog.records]
    names = {
        metric["Name"]
        for line in lines
        for directive in line.get("_aws", {}).get("CloudWatchMetrics", ())
        for metric in directive["Metrics"]
    }
    assert names == {*IDLE_METRICS}


def test_the_dashboard_is_one_of_the_free_ones(sample):
    """AWS gives three of up to 50 metrics. https://aws.amazon.com/cloudwatch/pricing/"""
    shown = graphs(sample(), "a cluster")

    assert sum(len(lines) for lines in shown.values()) <= 50


def test_an_enrollment_writes_no_more_than_is_counted(est_client, settings, caplog, deployment):
    settings.IS_LAMBDA = True
    caplog.set_level(logging.INFO)

    assert est_client.simpleenroll(make_csr("sensor-1")).status_code == 200

    ours = sum(len(JSONFormatter().format(record)) for record in caplog.records)
    filled = access_log_format(deployment).replace("$context.", "x" * 40)
    report = 400  # START, END and REPORT of Lambda
    assert 1000 < ours + len(filled) + report <= ENROLLMENT_LOG_BYTES


@pytest.mark.django_db(transaction=True)
def test_registering_takes_as_many_operations_of_the_registry_as_are_counted(
    cloud, est_client, in_mode
):
    in_mode("register")

    with aws_calls() as calls:
        assert est_client.simpleenroll(make_csr("sensor-1")).status_code == 200

    metered = [call for call in calls if call.startswith("iot:") and "Thing" in call]
    assert len(metered) == REGISTRY_OPERATIONS, metered


@pytest.mark.parametrize("config", [CONFIG, WITHOUT_DATABASE], ids=["own database", "cluster"])
def test_the_command_prints_both_bills_and_asks_aws_nothing(settings, configured, config):
    configured(config)
    out = io.StringIO()

    with aws_calls() as calls:
        call_command("aws_costs", stdout=out)

    assert calls == []
    text = out.getvalue()
    idle = re.search(r"(?m)^A month without a request: (\d+\.\d\d)$", text)
    million = re.search(r"(?m)^A million enrollments, besides: (\d+\.\d\d)$", text)
    assert float(idle[1]) > 6  # with WAF
    assert float(million[1]) > 5
    sums = re.split(r"A million enrollments", text)
    for part, bill in zip(sums, (idle, million), strict=True):
        lines = [float(each) for each in re.findall(r"(?m)^ +(\d+\.\d\d)  ", part)]
        assert sum(lines) == pytest.approx(float(bill[1]), abs=0.05)


def test_the_page_has_the_prices_and_the_bill_of_the_sample(sample):
    page = PAGE.read_text(encoding="utf-8")

    assert prices.as_table() in page
    said = re.search(r"(\d+\.\d\d) dollars a month with `wafEnabled: false`", page)
    assert float(said[1]) == round(total(idle_month(sample(waf_enabled=False))), 2)
    per_million = re.search(r"(\d+\.\d\d) dollars for a million enrollments", page)
    assert float(per_million[1]) == round(total(million_enrollments(sample(waf_enabled=False))), 2)
