"""Which stage comes first, what is missing then, and what runs inside the admin's function."""

import os
import subprocess
import sys

import pytest

from estserver.config import PROJECT_ROOT
from estserver.deploy.deployment import LIVE, check_deployment
from estserver.deploy.engine.calls import ask
from estserver.deploy.engine.runs import intentions
from estserver.deploy.lambda_signers import defaulted_signers, for_lambda
from estserver.deploy.lifecycle import deploy, first_setup
from estserver.deploy.resources.function_environment import FunctionEnvironment
from estserver.deploy.truststore.pushes import active_version
from estserver.deploy.truststore.record import last_activated, pushes_here
from estserver.deploy.zappa import settings as zappa_settings
from estserver.deploy.zappa.versions import look_at_versions
from pki.aws.clients import aws_client
from pki.operators.errors import OperatorError
from tests.estserver.deploy.account import (
    ACM,
    CONFIG,
    DOMAIN,
    WITHOUT_DATABASE,
    upload,
    zappa_deploy,
)
from tests.support.aws_faults import Fault, failing

pytestmark = pytest.mark.django_db(transaction=True)

QUIET = CONFIG.replace("DeploymentOptions:", "  iotProvisioning: none\nDeploymentOptions:").replace(
    "  tags:", "  configureJITP: false\n  tags:"
)


@pytest.fixture
def prepared(aws_cloud, configured, installation, said, clock):
    """Ready for Zappa; the admin's function will find CAs in its database."""
    deployment = configured(QUIET)
    deploy.prepare(say=said, clock=clock)
    return deployment


def domains():
    return [d["domainName"] for d in aws_client("apigateway").get_domain_names().get("items", [])]


def test_est_first_is_guarded_and_waits_for_the_admin(prepared, said, clock):
    api_id = zappa_deploy(prepared, "est")
    deploy.finish("est", say=said, clock=clock)

    api = aws_client("apigateway").get_rest_api(restApiId=api_id)
    assert api["disableExecuteApiEndpoint"] is True
    assert domains() == []
    assert said.lines[-1] == (
        "What is missing: est has no domain before there is a client CA. zappa deploy admin "
        "makes it, and then finishes est."
    )

    zappa_deploy(prepared, "admin")
    deploy.finish("admin", say=said, clock=clock)

    assert DOMAIN in domains()
    assert last_activated(pushes_here(prepared)).version_id == active_version(prepared)
    assert deploy.finish("est", say=said, clock=clock).changed == ()
    assert deploy.finish("admin", say=said, clock=clock).changed == ()


def test_a_dry_run_names_the_commands_and_runs_none(prepared, said, clock):
    zappa_deploy(prepared, "admin")

    deploy.finish("admin", say=said, is_dry_run=True, clock=clock)

    assert "in the admin's function: migrate --no-input" in said.lines
    assert "in the admin's function: bootstrap_cas" in said.lines
    assert "What is missing: the stage for devices. Run zappa deploy est." in said.lines
    assert domains() == []


@pytest.mark.parametrize(
    ("jitp", "provisioning", "names"),
    [
        ("true", "jitp", ["sync_policy", "sync_template", "register_ca"]),
        ("false", "register", ["sync_policy", "register_ca"]),
        ("false", "none", []),
    ],
)
def test_aws_iot_is_set_up_as_far_as_it_is_wanted(configured, jitp, provisioning, names):
    text = QUIET.replace("configureJITP: false", f"configureJITP: {jitp}").replace(
        "iotProvisioning: none", f"iotProvisioning: {provisioning}"
    )

    commands = first_setup.commands(configured(text).config)

    assert [command[0] for command in commands] == ["migrate", "bootstrap_cas", *names]


# The functions' environment


def environment(stage):
    found = ask("lambda", "GetFunctionConfiguration", FunctionName=f"est-server-{stage}")
    return found["Environment"]["Variables"]


def test_a_function_keeps_the_environment_that_it_has(deployment, live, bring):
    live(deployment, "est")
    before = environment("est")

    assert bring(FunctionEnvironment(deployment, "est")) == []
    assert environment("est") == before


def test_a_function_whose_database_is_in_a_secret_is_told_nothing(
    aws_cloud, configured, live, bring
):
    text = CONFIG.replace("Properties:", 'Properties:\n  databaseSecretName: "est/database"')
    deployment = configured(text)
    live(deployment, "admin")
    aws_client("lambda").update_function_configuration(
        FunctionName="est-server-admin", Environment={"Variables": {}}
    )

    assert bring(FunctionEnvironment(deployment, "admin")) == []


def test_a_databases_url_with_a_password_is_handed_over_and_never_shown(
    aws_cloud, configured, live, bring
):
    url = "postgresql://est:swordfish@other/est"
    text = WITHOUT_DATABASE.replace("Properties:", f'Properties:\n  databaseUrl: "{url}"')
    deployment = configured(text)
    live(deployment, "admin")

    [intended] = intentions([FunctionEnvironment(deployment, "admin")])
    bring(FunctionEnvironment(deployment, "admin"))

    assert environment("admin")["DATABASE_URL"] == url
    assert "swordfish" not in str(intended.calls[0])


# Who signs on Lambda


def test_cas_without_a_signer_are_kept_in_secrets_manager(configured):
    config = configured("Properties: {}").config

    properties = for_lambda(config).properties

    assert defaulted_signers(config) == ("deviceCaSigner", "clientCaSigner")
    assert properties.device_ca_signer == properties.client_ca_signer == "secretsmanager"
    assert properties.signers["secretsmanager"].options == {"kmsKeyId": "alias/est-server-secrets"}
    assert for_lambda(for_lambda(config)) == for_lambda(config)


def test_a_signer_that_is_named_stays(configured):
    text = "Properties: {deviceCaSigner: kms, clientCaSigner: keyfile}"
    config = configured(text).config

    assert for_lambda(config) == config
    assert defaulted_signers(config) == ()


def test_signers_of_yours_keep_their_options(configured):
    backend = "pki.signers.secretsmanager.SecretsManagerSigner"
    yours = f"{{BACKEND: {backend}, OPTIONS: {{region: eu-west-3}}}}"
    config = configured(f"Properties:\n  signers:\n    secretsmanager: {yours}\n").config

    assert for_lambda(config).properties.signers == config.properties.signers


def test_a_signer_is_refused_for_its_keys_on_a_disk_and_not_for_its_alias(configured):
    text = f"""
Properties:
  apiCustomDomainName: {DOMAIN}
  apiCertificateArn: {ACM}/est
  deviceCaSigner: disk
  clientCaSigner: keyfile
  signers:
    disk: {{BACKEND: pki.signers.keyfile.KeyFileSigner}}
    keyfile: {{BACKEND: pki.signers.kms.KMSSigner}}
"""

    with pytest.raises(OperatorError) as caught:
        check_deployment(configured(text))

    assert "deviceCaSigner is disk, and Lambda has no disk that lasts" in str(caught.value)
    assert "clientCaSigner" not in str(caught.value)
    check_deployment(configured(text.replace("deviceCaSigner: disk", "deviceCaSigner: keyfile")))


def test_T55_a_process_on_lambda_makes_no_keys(tmp_path):
    (tmp_path / "config.yaml").write_text("DeploymentOptions: {projectName: est-test}")
    program = (
        "import django; django.setup(); from django.conf import settings; "
        "print(settings.PKI.can_make_keys, settings.PKI.project_name)"
    )

    def printed(**environ):
        environ |= {
            "DJANGO_SETTINGS_MODULE": "estserver.settings.est",
            "EST_CONFIG": str(tmp_path / "config.yaml"),
            "EST_DATA_DIR": str(tmp_path),
            "PATH": os.environ["PATH"],
        }
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=PROJECT_ROOT,
            env=environ,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.split()

    assert printed() == ["True", "est-test"]
    assert printed(AWS_LAMBDA_FUNCTION_NAME="est-test-est") == ["False", "est-test"]


# Before and after the lockdown


def test_T77_before_the_lockdown_the_api_leads_to_no_version(prepared, said, clock):
    """API Gateway calls the alias, which is not there until the default endpoint is closed."""
    rendered = zappa_settings.rendered(zappa_settings.read_settings(), prepared)
    assert rendered["common"]["apigateway_lambda_qualifier"] == LIVE
    zappa_deploy(prepared, "admin")

    with (
        failing("apigateway", "UpdateRestApi", Fault.ACCESS_DENIED),
        pytest.raises(OperatorError, match="admin: lockdown"),
    ):
        deploy.finish("admin", say=said, clock=clock)
    # Another deployment, as after any failure, does not make it either.
    deploy.prepare(say=said, clock=clock)

    assert look_at_versions(prepared, "admin").alias is None
    deploy.finish("admin", say=said, clock=clock)
    assert look_at_versions(prepared, "admin").alias is not None


def test_an_installation_without_a_version_in_service_gets_one_before_its_api_calls_it(
    prepared, said, clock
):
    zappa_deploy(prepared, "admin")
    deploy.finish("admin", say=said, clock=clock)
    served = look_at_versions(prepared, "admin").alias
    aws_client("lambda").delete_alias(FunctionName="est-server-admin", Name=LIVE)

    deploy.prepare(say=said, clock=clock)

    assert look_at_versions(prepared, "admin").alias.version == served.version


def test_new_code_migrates_before_it_serves(prepared, said, clock, monkeypatch):
    zappa_deploy(prepared, "admin")
    deploy.finish("admin", say=said, clock=clock)
    upload(prepared, "admin", "new")
    served = []

    def set_up(deployment, *, say, is_dry_run, clock):
        served.append(look_at_versions(deployment, "admin").alias.version)

    monkeypatch.setattr(deploy, "set_up", set_up)
    deploy.finish("admin", say=said, clock=clock)

    assert look_at_versions(prepared, "admin").alias.version > served[0]


def test_T76_snap_start_is_refused_in_zappas_settings(prepared):
    settings = zappa_settings.read_settings()
    settings["est"]["snap_start"] = "PublishedVersions"

    with pytest.raises(OperatorError, match=r"SnapStart is on in zappa_settings\.json, est"):
        zappa_settings.rendered(settings, prepared)
