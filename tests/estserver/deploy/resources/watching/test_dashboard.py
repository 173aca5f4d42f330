"""What the dashboard shows, in the form that CloudWatch takes."""

import json
import re

import pytest

from estserver.deploy.engine.runs import StepFailed, take_away
from estserver.deploy.resources.database.cluster import DatabaseCluster
from estserver.deploy.resources.watching import dashboard as module
from estserver.deploy.resources.watching.dashboard import Dashboard, queries
from estserver.deploy.resources.watching.database_metrics import dsql_cluster
from estserver.deploy.rights.dsql_cluster import find_cluster
from estserver.operations.logs import JSONFormatter
from pki.aws.clients import aws_client
from tests.estserver.deploy.account import WITHOUT_DATABASE
from tests.estserver.deploy.resources.watching.test_alarms import listed, on_dsql

# The metrics that AWS publishes, of those that we use: the names on these pages.
PUBLISHED = {
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
    "AWS/ApiGateway": (
        {"4XXError", "5XXError", "Count", "IntegrationLatency", "Latency"},
        "ApiName",
    ),
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    "AWS/Lambda": (
        {"ClaimedAccountConcurrency", "Duration", "Errors", "Invocations", "Throttles"},
        "FunctionName",
    ),
    # https://docs.aws.amazon.com/acm/latest/userguide/cloudwatch-metrics.html
    "AWS/CertificateManager": ({"DaysToExpiry"}, "CertificateArn"),
    # https://docs.aws.amazon.com/aurora-dsql/latest/userguide/cloudwatch-monitoring.html
    "AWS/AuroraDSQL": (
        {
            "BytesRead",
            "BytesWritten",
            "ClusterStorageSize",
            "CommitLatency",
            "ComputeTime",
            "OccConflicts",
            "QueryTimeouts",
            "ReadOnlyTransactions",
            "TotalDPU",
            "TotalTransactions",
        },
        "ResourceId",
    ),
    "AWS/Usage": ({"CallCount", "ResourceCount"}, "ResourceId"),
}

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
VIEWS = {
    "metric": {"timeSeries", "singleValue", "gauge", "bar", "pie", "table"},
    "log": {"table", "timeSeries", "bar", "pie"},
}
PROPERTIES = {
    "metric": {"title", "region", "view", "period", "metrics", "yAxis", "stat", "stacked"},
    "log": {"title", "region", "view", "query", "stacked"},
    "alarm": {"title", "alarms", "sortBy", "states"},
    "text": {"markdown", "background"},
}
REQUIRED = {
    "metric": {"region", "metrics"},
    "log": {"region", "query"},
    "alarm": {"alarms"},
    "text": {"markdown"},
}
OPTIONS = {"color", "label", "period", "stat", "visible", "yAxis", "id", "region"}
STATISTIC = re.compile(r"Sum|Average|Minimum|Maximum|SampleCount|p\d{1,2}(\.\d+)?")


@pytest.fixture(params=["a database in a VPC", "Aurora DSQL"])
def either(request, deployment):
    """An installation with either kind of database."""
    return on_dsql(deployment) if request.param == "Aurora DSQL" else deployment


def body(deployment):
    """The dashboard of a deployment, whichever database it has."""
    return module.body(deployment, dsql_cluster(deployment))


def graphs(deployment):
    """Its graphs."""
    return module.graphs(deployment, dsql_cluster(deployment))


def check_body(shown):
    """Hold a dashboard's body to AWS's page, which says that the API refuses what it breaks."""
    assert set(shown) <= {"start", "end", "periodOverride", "widgets", "variables"}
    assert re.fullmatch(r"-P(\d+D|T\d+H)", shown["start"])
    assert len(shown["widgets"]) <= 500
    places = set()
    for widget in shown["widgets"]:
        assert set(widget) == {"type", "x", "y", "width", "height", "properties"}
        kind, properties = widget["type"], widget["properties"]
        assert REQUIRED[kind] <= set(properties) <= PROPERTIES[kind]
        assert 1 <= widget["width"] <= 24
        assert 1 <= widget["height"] <= 1000
        assert widget["x"] + widget["width"] <= 24
        cells = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not cells & places
        places |= cells
        if kind in VIEWS:
            assert properties["view"] in VIEWS[kind]
        if kind == "alarm":
            assert 1 <= len(properties["alarms"]) <= 100
        if kind == "metric":
            assert properties["period"] % 60 == 0
            for line in properties["metrics"]:
                *names, options = line
                # The namespace, the metric, then names and values of dimensions by turns.
                assert len(names) >= 2
                assert len(names) % 2 == 0
                assert all(isinstance(each, str) and each for each in names)
                assert set(options) <= OPTIONS
                assert STATISTIC.fullmatch(options["stat"])
        if kind == "log":
            assert properties["query"].startswith("SOURCE '/aws/lambda/")


def test_its_body_has_the_form_that_cloudwatch_takes(either):
    check_body(json.loads(json.dumps(body(either))))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda shown: shown["widgets"][0].update(width=25),
        lambda shown: shown["widgets"][0].pop("y"),
        lambda shown: shown["widgets"][0]["properties"].update(metric=[]),
        lambda shown: shown["widgets"][0]["properties"]["metrics"][0].insert(2, "odd"),
        lambda shown: shown["widgets"][0]["properties"]["metrics"][0][-1].update(stat="P95"),
        lambda shown: shown["widgets"][1].update(x=0),
    ],
)
def test_the_check_of_its_form_finds_a_mistake(deployment, spoil):
    shown = body(deployment)
    spoil(shown)

    with pytest.raises((AssertionError, KeyError)):
        check_body(shown)


def test_aws_publishes_each_metric_of_its_own_that_an_alarm_or_graph_names(either):
    named = [*listed(either), *(line for lines in graphs(either).values() for line in lines)]
    of_aws = [each for each in named if each.namespace != "EST"]

    assert of_aws
    for each in of_aws:
        metrics, dimension = PUBLISHED[each.namespace]
        assert each.metric in metrics
        assert dimension in each.dimensions or each.metric == "ClaimedAccountConcurrency"


def test_it_is_put_once_and_set_back(deployment, bring):
    assert bring(Dashboard(deployment)) == ["dashboard"]
    assert bring(Dashboard(deployment)) == []
    spoiled = {**body(deployment), "start": "-PT1H"}
    aws_client("cloudwatch").put_dashboard(
        DashboardName="est-server", DashboardBody=json.dumps(spoiled)
    )

    assert bring(Dashboard(deployment)) == ["dashboard"]


def test_it_has_the_graphs_of_the_cluster_that_the_deployment_makes(aws_cloud, configured, bring):
    deployment = configured(WITHOUT_DATABASE)
    bring(DatabaseCluster(deployment))

    assert bring(Dashboard(deployment)) == ["dashboard"]
    assert bring(Dashboard(deployment)) == []

    shown = aws_client("cloudwatch").get_dashboard(DashboardName="est-server")["DashboardBody"]
    check_body(json.loads(shown))
    line = ["AWS/AuroraDSQL", "TotalDPU", "ResourceId", find_cluster(deployment).identifier]
    assert line in [
        names
        for widget in json.loads(shown)["widgets"]
        for *names, _ in widget["properties"].get("metrics", ())
    ]


def test_two_clusters_stop_a_deployment_and_no_removal(aws_cloud, configured, bring, performer):
    deployment = configured(WITHOUT_DATABASE)
    bring(DatabaseCluster(deployment), Dashboard(deployment))
    aws_client("dsql").create_cluster(tags={"est-server:made-by": "est-server"})

    with pytest.raises(StepFailed, match="2 clusters of Aurora DSQL have the tag of est-server"):
        bring(Dashboard(deployment))

    assert take_away([Dashboard(deployment)], performer) == ("dashboard",)


def test_one_that_a_person_made_stays(deployment, bring, performer):
    text = {"type": "text", "properties": {"markdown": "Mine."}}
    theirs = json.dumps({"widgets": [text]})
    aws_client("cloudwatch").put_dashboard(DashboardName="est-server", DashboardBody=theirs)

    with pytest.raises(StepFailed, match="that aws_deploy did not make"):
        bring(Dashboard(deployment))
    assert take_away([Dashboard(deployment)], performer) == ()


def test_a_removal_takes_it_away(deployment, bring, performer):
    bring(Dashboard(deployment))

    assert take_away([Dashboard(deployment)], performer) == ("dashboard",)

    assert aws_client("cloudwatch").list_dashboards()["DashboardEntries"] == []


def test_its_queries_name_fields_that_the_log_has(deployment, caplog):
    """The refusals' query goes by the request's line, as the log has it."""
    import logging

    record = logging.LogRecord("estserver.request", logging.INFO, "", 0, "request", (), None)
    record.fields = {"reason": "device-denied"}
    line = json.loads(JSONFormatter().format(record))

    query = queries(deployment)["Refusals by reason"]

    assert "filter message = 'request' and ispresent(reason)" in query
    assert (line["message"], line["reason"]) == ("request", "device-denied")
    assert module.PERIOD % 60 == 0
