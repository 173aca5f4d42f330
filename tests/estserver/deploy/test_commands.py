"""What an operator types, and what Zappa calls."""

import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from estserver.deploy.zappa import settings
from pki.aws.clients import aws_client
from tests.estserver.deploy.account import CONFIG, DOMAIN

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).parents[3]


def run(*arguments):
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_prepare_makes_what_zappa_needs_and_says_when_nothing_is_left_to_do(deployment):
    first = run("aws_deploy", "--prepare")
    again = run("aws_deploy", "--prepare")

    assert "there is no bucket est-server-packages-123456789012-eu-central-1" in first
    assert again.endswith("nothing had to be changed\n")
    assert aws_client("iam").get_role(RoleName=deployment.role("est"))


def test_a_dry_run_prints_each_call_and_makes_none(deployment):
    shown = run("aws_deploy", "--prepare", "--dry-run")

    assert 'kms:CreateAlias {"AliasName": "alias/est-server-secrets"' in shown
    assert "<KeyMetadata.KeyId of kms:CreateKey>" in shown
    assert aws_client("s3").list_buckets()["Buckets"] == []


def test_a_dry_run_of_everything_says_what_zappa_would_do(deployment):
    shown = run("aws_deploy", "--dry-run")

    for stage in ("admin", "est"):
        assert (
            f"{stage}: package, function and API\n  there is no function est-server-{stage}"
            in shown
        )
        assert f"    zappa deploy {stage}\n" in shown
    policy = shown.partition("iam:PutRolePolicy {")[2]
    assert '"Action": [\n' in policy.partition("PutRolePolicy")[0]
    assert aws_client("s3").list_buckets()["Buckets"] == []


@pytest.mark.parametrize("share", ["0", "100", "abc"])
def test_a_share_that_no_canary_can_have_is_refused_before_aws_is_asked(share):
    with pytest.raises(
        CommandError, match=f"--canary: Found {share}, wanted a whole number from 1 to 99"
    ):
        call_command("aws_deploy", f"--canary={share}")


def test_a_stage_that_is_not_deployed_cannot_be_finished(deployment):
    with pytest.raises(CommandError, match="Run zappa deploy est") as caught:
        run("aws_deploy", "--finish", "est")
    assert caught.value.returncode == 1


def test_a_configuration_that_cant_be_deployed_is_refused_at_once(aws_cloud, configured):
    configured("Properties: {}")

    with pytest.raises(CommandError, match="apiCustomDomainName is not set") as caught:
        run("aws_deploy", "--prepare")
    assert caught.value.returncode == 1
    assert aws_client("s3").list_buckets()["Buckets"] == []


def test_a_step_that_aws_refuses_ends_with_3(deployment, monkeypatch):
    from botocore.stub import Stubber

    with Stubber(aws_client("kms", read_timeout=60)) as stub:
        stub.add_client_error("describe_key", "AccessDeniedException", "no kms for you")
        with pytest.raises(CommandError, match="KMS key for secrets: kms:DescribeKey") as caught:
            run("aws_deploy", "--prepare")
    assert caught.value.returncode == 3


def test_status_is_for_people_and_programs(deployment, installation):
    with pytest.raises(CommandError, match="are not as they should be") as caught:
        run("aws_status")
    assert caught.value.returncode == 1
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("aws_status", "--json", stdout=out)
    rows = {row["name"]: row for row in json.loads(out.getvalue())}
    assert rows["truststore bucket"]["level"] == "FAIL"
    assert rows["truststore bucket"]["advice"] == "Run aws_deploy, which mends it."


def test_destroy_lists_before_it_removes(deployment):
    run("aws_deploy", "--prepare")

    planned = run("aws_destroy", "--plan")
    assert "iam:DeleteRole" in planned
    assert planned.endswith("Nothing was removed. Add --yes to remove all of this.\n")
    assert len(aws_client("s3").list_buckets()["Buckets"]) == 4

    heads = ("--bucket", deployment.audit_heads_bucket)
    done = run("aws_destroy", "--yes", *heads)
    assert "removed: " in done
    assert aws_client("s3").list_buckets()["Buckets"] == []
    assert run("aws_destroy", "--plan", *heads) == "nothing is left that this tool made\n"


def test_secrets_can_be_kept_and_their_key_with_them(deployment):
    run("aws_deploy", "--prepare")
    aws_client("secretsmanager").create_secret(
        Name="estMtlsCaSecrets", SecretString="x", Tags=deployment.tag_list()
    )

    kept = run("aws_destroy", "--plan", "--keep-secrets")
    everything = run("aws_destroy", "--plan")

    assert "DeleteSecret" not in kept
    assert "ScheduleKeyDeletion" not in kept
    # The secrets first: the key that they are encrypted with is needed to bring them back.
    assert everything.index("DeleteSecret") < everything.index("ScheduleKeyDeletion")


# Zappa


def test_the_settings_are_the_configurations(deployment):
    rendered = settings.rendered(settings.read_settings(), deployment)

    est, common = rendered["est"], rendered["common"]
    assert common["aws_region"] == "eu-central-1"
    assert common["s3_bucket"] == "est-server-packages-123456789012-eu-central-1"
    assert common["manage_roles"] is False
    assert (common["runtime"], common["architecture"]) == ("python3.13", "x86_64")
    assert est["role_arn"] == "arn:aws:iam::123456789012:role/est-server-est-eu-central-1"
    assert est["domain"] == DOMAIN
    assert est["tags"]["est-server:stage"] == "est"
    assert "vpc_config" not in common
    assert settings.differences(rendered, rendered) == []


def test_another_project_beside_it_has_names_of_its_own(configured):
    deployment = configured(CONFIG + "  projectName: est-staging\n")

    rendered = settings.rendered(settings.read_settings(), deployment)

    assert rendered["common"]["project_name"] == "est-staging"
    assert rendered["common"]["s3_bucket"] == "est-staging-packages-123456789012-eu-central-1"
    assert rendered["est"]["role_arn"].endswith(":role/est-staging-est-eu-central-1")
    assert rendered["est"]["tags"]["est-server:made-by"] == "est-staging"


def test_the_runtime_is_the_configurations(configured):
    keys = "Properties:\n  lambdaRuntime: python3.12\n  lambdaArchitecture: arm64"
    deployment = configured(CONFIG.replace("Properties:", keys))

    common = settings.rendered(settings.read_settings(), deployment)["common"]

    assert (common["runtime"], common["architecture"]) == ("python3.12", "arm64")


def test_a_vpc_is_for_both_functions(configured):
    text = CONFIG + "  vpcSubnetIds: [subnet-01234567]\n  vpcSecurityGroupIds: [sg-01234567]\n"

    rendered = settings.rendered(settings.read_settings(), configured(text))

    assert rendered["common"]["vpc_config"] == {
        "SubnetIds": ["subnet-01234567"],
        "SecurityGroupIds": ["sg-01234567"],
    }


def test_the_file_is_checked_and_written(deployment, tmp_path, monkeypatch):
    path = tmp_path / "zappa_settings.json"
    path.write_text((ROOT / "zappa_settings.json").read_text())
    monkeypatch.setattr(settings, "SETTINGS_FILE", path)
    monkeypatch.setattr(settings.read_settings, "__defaults__", (path,))

    with pytest.raises(CommandError, match=r"differs in .*est\.role_arn.*--write sets them"):
        run("zappa_settings", "--check")
    assert "wrote" in run("zappa_settings", "--write")
    assert run("zappa_settings", "--check") == (
        "zappa_settings.json is as the configuration says\n"
    )


@pytest.fixture
def zappa(deployment, tmp_path, moto_server):
    """Zappa itself, in a process of its own, where manage.py is."""

    def call(*arguments):
        environment = {
            **os.environ,
            "AWS_ENDPOINT_URL": moto_server.url,
            "EST_CONFIG": str(tmp_path / "config.yaml"),
            "EST_DATA_DIR": str(tmp_path / "var"),
            "DJANGO_SETTINGS_MODULE": "estserver.settings.admin",
        }
        command = [str(Path(sys.executable).parent / "zappa"), *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )

    return call


def test_zappa_prepares_before_it_deploys_and_takes_our_values(zappa, deployment, tmp_path):
    """It ends where it packages; by then roles and buckets are there."""
    absent = tmp_path / "absent.zip"

    ended = zappa("deploy", "est", "--zip", str(absent))

    assert "there is no role est-server-est-eu-central-1" in ended.stdout
    assert "No such file" in ended.stdout + ended.stderr
    assert aws_client("iam").get_role(RoleName=deployment.role("est"))
    handed_over = json.loads((tmp_path / "var" / "zappa_settings.json").read_text())
    assert handed_over["est"]["role_arn"] == deployment.role_arn(deployment.role("est"))


def test_zappa_says_in_one_sentence_what_cant_be_deployed(zappa, configured):
    configured("Properties: {}")

    ended = zappa("deploy", "est")

    assert ended.returncode == 1
    assert (
        "This cannot be deployed:\n- apiCustomDomainName is not set" in ended.stdout + ended.stderr
    )
    assert "Traceback" not in ended.stdout + ended.stderr


# The request path


def test_no_request_imports_what_deploys():
    code = (
        "import sys, estserver.lambda_est\n"
        "sys.exit(', '.join(m for m in sys.modules if m.startswith(('estserver.deploy', 'boto')))"
        " or 0)"
    )
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "estserver.settings.est"}

    ended = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )

    assert (ended.returncode, ended.stderr) == (0, "")
