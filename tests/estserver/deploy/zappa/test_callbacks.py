"""`zappa deploy` typed again: an update, or on from where it was cut off."""

from types import SimpleNamespace

import pytest

from estserver.config.rule_names import HOURLY, MINUTELY, rule_name
from estserver.deploy import zappa_callbacks
from estserver.deploy.lifecycle.uploaded import code_digest, reasons_to_deploy
from pki.aws.clients import aws_client
from tests.estserver.deploy import moto_gaps


class ZappaCLI:
    """The parts of Zappa's command line that the callbacks use."""

    def __init__(self, stage):
        self.api_stage = stage
        self.lambda_name = f"est-server-{stage}"
        self.updates = []
        self.zappa = SimpleNamespace(get_lambda_function_versions=lambda name: ["1"])

    def deploy(self, source_zip, docker_image_uri):
        raise AssertionError("already deployed: did you mean update?")

    def update(self, source_zip=None, no_upload=False, docker_image_uri=None):
        self.updates.append((source_zip, no_upload, docker_image_uri))


@pytest.fixture
def cli():
    return ZappaCLI("est")


def test_a_stage_that_is_deployed_is_updated(deployment, live, cli, capsys):
    live(deployment, "est")

    zappa_callbacks._go_on(cli)
    cli.deploy("package.zip", None)

    assert cli.updates == [("package.zip", False, None)]
    assert "The stage est is deployed already, and is updated." in capsys.readouterr().out


def test_a_function_without_its_api_gets_one(deployment, live, cli, capsys):
    live(deployment, "est")
    aws_client("cloudformation").delete_stack(StackName="est-server-est")

    zappa_callbacks._go_on(cli)

    assert cli.zappa.get_lambda_function_versions("est-server-est") == []
    assert "its stack is made now" in capsys.readouterr().out


def test_a_stack_that_could_not_be_made_is_out_of_the_way(deployment, live, cli, capsys):
    live(deployment, "est")
    moto_gaps.set_stack_status("est-server-est", "ROLLBACK_COMPLETE")

    zappa_callbacks._go_on(cli)

    stacks = aws_client("cloudformation").list_stacks(StackStatusFilter=["ROLLBACK_COMPLETE"])
    assert stacks["StackSummaries"] == []
    assert "is in ROLLBACK_COMPLETE, because it could not be made" in capsys.readouterr().out
    assert cli.zappa.get_lambda_function_versions("est-server-est") == []


def test_a_first_deployment_is_zappas(deployment, cli):
    zappa_callbacks._go_on(cli)

    with pytest.raises(AssertionError):
        cli.deploy(None, None)
    assert cli.zappa.get_lambda_function_versions("est-server-est") == ["1"]


def test_packages_of_runs_that_were_cut_off_go_and_others_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(zappa_callbacks, "PROJECT_ROOT", str(tmp_path))
    names = ("est-server-est-1795744085.zip", "est-server-est-mine.zip", "est-server-admin-1.zip")
    for name in names:
        (tmp_path / name).touch()

    zappa_callbacks._remove_old_packages("est-server-est")

    assert {path.name for path in tmp_path.iterdir()} == {*names[1:]}


# Whether there is anything to do


def test_what_a_function_lacks_is_named(deployment, live, tmp_path):
    package = tmp_path / "package.zip"
    package.write_bytes(b"other code")
    assert list(reasons_to_deploy(deployment, "est", package)) == [
        "there is no function est-server-est"
    ]
    live(deployment, "est")

    reasons = list(reasons_to_deploy(deployment, "est", package))

    assert reasons[0] == "the function has other code"
    assert "the function has another Description" in reasons
    assert "the function has another Timeout" in reasons
    assert "the function has other tags" in reasons
    assert "the API calls what was uploaded last, not the version in service" in reasons
    assert "the function has another Role" not in reasons
    aws_client("cloudformation").delete_stack(StackName="est-server-est")
    assert list(reasons_to_deploy(deployment, "est", package)) == [
        "an earlier deployment of est-server-est was cut off"
    ]


def test_the_same_code_is_known_by_lambdas_digest(deployment, live, tmp_path):
    live(deployment, "est")
    lambda_ = aws_client("lambda")
    package = tmp_path / "package.zip"
    package.write_bytes(b"PK the same code")
    lambda_.update_function_code(FunctionName="est-server-est", ZipFile=package.read_bytes())
    held = lambda_.get_function_configuration(FunctionName="est-server-est")

    assert held["CodeSha256"] == code_digest(package)
    assert "the function has other code" not in reasons_to_deploy(deployment, "est", package)


@pytest.mark.parametrize("missing", [[], [MINUTELY], [HOURLY], [MINUTELY, HOURLY]])
def test_admin_lacks_its_schedules(deployment, live, missing):
    live(deployment, "admin")
    events = aws_client("events")
    for path in missing:
        rule = rule_name(deployment.project, path)
        events.remove_targets(Rule=rule, Ids=["1"])
        events.delete_rule(Name=rule)

    reasons = list(reasons_to_deploy(deployment, "admin", None))

    assert [reason for reason in reasons if reason.endswith("has no schedule")] == [
        f"{path} has no schedule" for path in missing
    ]
