"""The people side's package in a process of its own, with Zappa's handler and without its doors."""

import pytest

from tests.estserver.deploy.functions import admin_answers, get

pytestmark = pytest.mark.deploy


@pytest.fixture(scope="module")
def answers(admin_package, tmp_path_factory):
    """What one function answers to a series of events, from an empty database on."""
    directory = tmp_path_factory.mktemp("admin")
    events = {
        "migrate": {"est_command": ["migrate", "--no-input"]},
        "bootstrap": {"est_command": ["bootstrap_cas"]},
        "login": get("/admin/login/"),
        "health": get("/healthz"),
        "est": get("/.well-known/est/cacerts"),
        "raw": {"raw_command": f"open({str(directory / 'owned')!r}, 'w')"},
        "manage": {"manage": "migrate"},
    }
    replies = admin_answers(admin_package, directory, [*events.values()])
    found = dict(zip(events, replies, strict=True))
    return {**found, "owned": (directory / "owned").exists()}


def test_migrations_are_made_inside_the_function(answers):
    assert answers["migrate"]["exit_code"] == 0, answers["migrate"]
    assert "Applying pki.0001_initial... OK" in answers["migrate"]["output"]


def test_a_command_that_needs_an_account_fails_loudly_without_one(answers):
    assert answers["bootstrap"]["exit_code"] == 3
    said = answers["bootstrap"]["output"]
    assert "secretsmanager:DescribeSecret failed with NoCredentials" in said


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
