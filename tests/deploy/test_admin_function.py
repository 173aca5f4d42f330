"""The people side's package in a process of its own, with Zappa's handler and without its doors."""

import json
import secrets
from pathlib import Path

import pytest

from tests.deploy.packages import DOMAIN

pytestmark = pytest.mark.deploy


def request(path):
    """A REST API event, as API Gateway sends it."""
    headers = {"Host": DOMAIN, "X-Forwarded-For": "192.0.2.1, 192.0.2.2"}
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": "GET",
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "requestContext": {"apiId": "a1b2c3", "domainName": DOMAIN, "identity": {}},
        "body": None,
        "isBase64Encoded": False,
    }


@pytest.fixture(scope="module")
def answers(admin_package, tmp_path_factory):
    """What one function answers to a series of events, from an empty database on."""
    directory = tmp_path_factory.mktemp("admin")
    events = {
        "migrate": {"est_command": ["migrate", "--no-input"]},
        "bootstrap": {"est_command": ["bootstrap_cas"]},
        "login": request("/admin/login/"),
        "health": request("/healthz"),
        "est": request("/.well-known/est/cacerts"),
        "raw": {"raw_command": f"open({str(directory / 'owned')!r}, 'w')"},
        "manage": {"manage": "migrate"},
    }
    events_file = directory / "events.json"
    events_file.write_text(json.dumps([*events.values()]))
    printed = admin_package.run(
        Path(__file__).with_name("function_process.py"),
        *(admin_package.root, "estserver.lambda_admin.handler", events_file),
        environ={
            "EST_DATA_DIR": str(directory),
            "DATABASE_URL": f"sqlite:///{directory}/est.sqlite3",
            "EST_SECRET_KEY": secrets.token_urlsafe(64),
        },
    )
    lines = [line.partition(" ")[2] for line in printed.splitlines() if line.startswith("answer ")]
    found = dict(zip(events, map(json.loads, lines), strict=True))
    return {**found, "owned": (directory / "owned").exists()}


def test_migrations_are_made_inside_the_function(answers):
    assert answers["migrate"]["exit_code"] == 0, answers["migrate"]
    assert "Applying pki.0001_initial... OK" in answers["migrate"]["output"]


def test_a_command_that_needs_an_account_fails_loudly_without_one(answers):
    assert answers["bootstrap"]["exit_code"] == 3
    assert (
        "secretsmanager:GetSecretValue failed with NoCredentials" in answers["bootstrap"]["output"]
    )


def test_pages_are_served(answers):
    assert answers["login"]["statusCode"] == 200
    assert "Log in" in answers["login"]["body"]
    assert answers["health"]["statusCode"] == 200


def test_no_est_operation_is_served(answers):
    assert answers["est"]["statusCode"] in (302, 404)


def test_T03_zappas_doors_for_code_are_shut(answers):
    assert answers["raw"]["errorType"] == "EventRefused"
    assert answers["manage"]["errorType"] == "EventRefused"
    assert not answers["owned"]
