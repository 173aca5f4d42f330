"""`manage.py aws_deploy` alone: to a deployment, again, after a failure, new code and back.

With Zappa, the packages, and an account that moto plays.
"""

import json

import pytest
from cryptography import x509

from tests.estserver.deploy import moto_iot, moto_lambda
from tests.estserver.deploy.cloud import ADMIN, EST, Cloud
from tests.estserver.deploy.devices import enroll_event, issued
from tests.estserver.deploy.packages import ROOT
from tests.support.est_client import ESTClient
from tests.support.postgresql import private_server

pytestmark = pytest.mark.deploy


@pytest.fixture(scope="module")
def cloud(moto_server, tmp_path_factory):
    """An account with what people have before they deploy."""
    with private_server() as server, pytest.MonkeyPatch.context() as patch:
        moto_iot.fill(patch)
        moto_server.reset()
        made = Cloud(moto_server.url, tmp_path_factory.mktemp("cloud"), server.url())
        made.prepare()
        moto_lambda.surroundings = made.surroundings
        yield made
        moto_lambda.surroundings = {}


@pytest.fixture(scope="module")
def printed(cloud):
    """What the command said at first."""
    return cloud.run("manage.py", "aws_deploy")


@pytest.fixture(scope="module")
def client(cloud, printed):
    """An EST client with the first client's certificate, which the deployment made."""
    pem = json.loads(cloud.secret("estMtlsClientSecrets"))["certificate"]
    return ESTClient(x509.load_pem_x509_certificate(pem.encode()))


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
