"""`manage.py aws_deploy` alone: to a deployment, again, after a failure, new code and back.

With Zappa, the packages, and an account that moto plays.
"""

import io
import zipfile

import pytest
from cryptography import x509

from tests.estserver.deploy.account import ACCOUNT, REGION
from tests.estserver.deploy.cloud import ADMIN, EST, prepared_cloud
from tests.estserver.deploy.devices import enroll_event, issued
from tests.estserver.deploy.iam.cloud_calls import judged_calls
from tests.estserver.deploy.iam.judging import refused
from tests.estserver.deploy.packages import ROOT, RUNTIME
from tests.support.postgresql import private_server

# Some tests deploy more than once, each time with both packages.
# Minutes each: in `make test-deploy` and `make proof`.
pytestmark = [pytest.mark.deploy, pytest.mark.proof, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def cloud(moto_server, tmp_path_factory):
    """An account with what people have before they deploy."""
    directory = tmp_path_factory.mktemp("cloud")
    with (
        private_server() as server,
        prepared_cloud(moto_server, directory, database_url=server.url()) as cloud,
    ):
        yield cloud


@pytest.fixture(scope="module")
def printed(cloud):
    """What the command said at first."""
    return cloud.run("manage.py", "aws_deploy")


@pytest.fixture(scope="module")
def client(cloud, printed):
    """An EST client with the first client's certificate."""
    return cloud.first_client


def served(cloud, function=EST):
    """The version in service, and the share of the one beside it."""
    held = cloud.client("lambda").get_alias(FunctionName=function, Name="live")
    return held["FunctionVersion"], (held.get("RoutingConfig") or {}).get(
        "AdditionalVersionWeights"
    ) or {}


def test_one_command_deploys_both_stages(cloud, printed, client):
    assert printed.index("admin: package, function and API") < printed.index("register_ca")
    assert printed.index("register_ca") < printed.index("est: package, function and API")
    assert "What is missing" not in printed
    _, _, data = cloud.ask(enroll_event(client, "pump-1"), f"{EST}:live")
    assert issued(data)
    assert list(ROOT.glob("est-server-*.zip")) == []


def test_the_test_clients_files_can_be_fetched(cloud, client):
    directory = cloud.directory / "client"

    cloud.run("manage.py", "aws_client_files", str(directory), "--yes")

    held = x509.load_pem_x509_certificate((directory / "test-client.pem").read_bytes())
    assert held == client.certificate
    assert len(list(directory.iterdir())) == 3


def test_what_zappa_says_without_meaning_is_not_shown(printed):
    for noise in (
        "Calling ",
        "%|",
        "Deployment complete",
        "execute-api",
        "Warning: Setup",
        "ERROR",
    ):
        assert noise not in printed
    assert "Scheduled est-server-admin-estserver.schedule.every_hour" in printed
    assert printed.count("] S3 log bucket") == 1


def test_again_it_changes_nothing(cloud, printed):
    before = cloud.held(), served(cloud), served(cloud, ADMIN)

    again = cloud.run("manage.py", "aws_deploy")

    assert again.endswith("nothing had to be changed\n")
    assert (cloud.held(), served(cloud), served(cloud, ADMIN)) == before


@pytest.fixture(scope="module")
def changed(cloud, printed):
    """New code for a tenth of the devices: another configuration is in the package."""
    cloud.configure(apiStrictHeadersCheck=True)
    return cloud.run("manage.py", "aws_deploy", "--canary", "10")


def test_new_code_serves_a_share_then_all_and_the_code_before_again(cloud, client, changed):
    before, share = served(cloud)
    [(canary, weight)] = share.items()
    assert weight == 0.1
    assert int(canary) > int(before)
    assert "est: version in service" in changed
    # What looks, leaves it.
    assert "for 10 % of the requests" in cloud.run("manage.py", "aws_status")

    for stage in ("admin", "est"):
        cloud.run("manage.py", "aws_deploy", "--finish", stage, "--promote")
    assert served(cloud) == (canary, {})

    assert "changed: est: roll back, admin: roll back" in cloud.run("manage.py", "aws_rollback")
    assert served(cloud) == (before, {})
    status, _, _ = cloud.ask(enroll_event(client, "pump-2"), f"{EST}:live")
    assert status == 200
    # What the usual command ends with leaves it.
    said = cloud.run("manage.py", "aws_deploy", "--finish", "est")
    assert "because it was rolled back from version" in said
    assert served(cloud) == (before, {})


def test_schedules_run_the_version_in_service(cloud, changed):
    cloud.run_schedule("every_minute")

    events = cloud.client("events")
    for rule in cloud.held()["schedules"]:
        [target] = events.list_targets_by_rule(Rule=rule)["Targets"]
        assert target["Arn"].endswith(":function:est-server-admin:live")


def test_a_deployment_that_was_cut_off_goes_on(cloud, changed):
    """As after a failed stack: the function is there, its API is not."""
    cloud.run("manage.py", "aws_destroy", "--yes", "--keep-secrets")
    cloud.client("lambda").create_function(**half_made(cloud))

    said = cloud.run("manage.py", "aws_deploy")

    assert "an earlier deployment of est-server-est was cut off" in said
    assert "did you mean" not in said
    assert served(cloud)[0] != "1"


def test_T63_iam_allows_every_call_of_the_canary_and_the_way_back(cloud, changed):
    assert refused(judged_calls(cloud)) == []


def half_made(cloud):
    """Parameters of a function as Zappa makes it, with code of another day."""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("handler.py", "")
    cloud.run("manage.py", "aws_deploy", "--prepare")
    return {
        "FunctionName": EST,
        "Runtime": RUNTIME,
        "Role": f"arn:aws:iam::{ACCOUNT}:role/est-server-est-{REGION}",
        "Handler": "handler.lambda_handler",
        "Code": {"ZipFile": package.getvalue()},
        "Publish": True,
    }
