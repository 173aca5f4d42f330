"""What an operator may write, what it means, and where it comes from."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from estserver.config import PROJECT_ROOT, ConfigError, load_config
from estserver.config.deployment_keys import DeploymentOptions
from estserver.config.entries import DEFAULT_SIGNERS, SignerConfig, Tag
from estserver.config.keys import Properties
from estserver.config.sections import SECTIONS, keys_of

CASES = PROJECT_ROOT / "tests" / "cases"
SAMPLES = ("config-sample-all-generated.yaml", "config-sample-all-external.yaml")


# What loads


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "---\n", "Properties:\n", "Properties: {}\nDeploymentOptions:\n"]
)
def test_an_empty_file_gives_every_default(load, text):
    config = load(text)

    assert config.properties == Properties()
    assert config.deployment == DeploymentOptions()
    assert config.warnings == ()


@pytest.mark.parametrize("name", SAMPLES)
def test_the_samples_of_the_cdk_project_load_unchanged(name):
    config = load_config(PROJECT_ROOT / "config" / name, environ={})

    assert config.properties == Properties()
    assert config.deployment.tags == (
        Tag(key="CostCenter", value="My cost center"),
        Tag(key="DeploymentEnvironment", value="Demonstrator"),
    )
    assert config.deployment.generate_iot_ca_certificate is ("generated" in name)


def test_a_placeholder_counts_as_not_set_and_is_mentioned():
    config = load_config(PROJECT_ROOT / "config" / SAMPLES[1], environ={})

    assert config.properties.api_custom_domain_name == ""
    assert config.deployment.iot_core_ca_certificate_path == ""
    assert len(config.warnings) == 5
    assert config.warnings[0] == (
        "config-sample-all-external.yaml:4 Properties.apiCustomDomainName: This is still the "
        'sample\'s placeholder "YOUR API DOMAIN NAME HERE". It counts as not set.'
    )


def test_the_laptop_configuration_is_calm():
    config = load_config(PROJECT_ROOT / "config" / "config-local.yaml", environ={})

    assert config.warnings == ()
    assert config.properties == Properties(
        iot_provisioning="none", drain_seconds=0, admin_second_factor="none"
    )


def test_every_key_reaches_its_field(load):
    config = load(
        """
        Properties:
          apiCustomDomainName: est.example.com
          iotTemplateName: fleet-7
          lambdaTimeoutSeconds: 30
          apiStrictHeadersCheck: false
          popLinking: refuse
        DeploymentOptions:
          mTlsTruststoreCertificatesChainFile: certs/chain.pem
          configureJITP: false
          tags: [{key: Owner, value: ""}]
        """
    )

    assert config.properties.iot_template_name == "fleet-7"
    assert config.properties.lambda_timeout_seconds == 30
    assert config.properties.api_strict_headers_check is False
    assert config.properties.pop_linking == "refuse"
    assert config.deployment.m_tls_truststore_certificates_chain_file == "certs/chain.pem"
    assert config.deployment.configure_jitp is False
    assert config.deployment.tags == (Tag(key="Owner", value=""),)


def test_a_key_without_a_value_counts_as_not_set(load):
    assert load("Properties:\n  iotPolicyName:\n").properties == Properties()


def test_the_samples_know_every_old_key_and_we_know_theirs():
    text = (PROJECT_ROOT / "config" / SAMPLES[0]).read_text()
    old = {line.split(":")[0].strip() for line in text.splitlines() if line.startswith("  ")}
    old = {key for key in old if not key.startswith(("#", "-")) and key != "value"}

    assert len(old) == 27
    assert old <= {key for cls in SECTIONS.values() for key in keys_of(cls)}


def test_a_byte_order_mark_and_windows_line_ends_are_fine(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_bytes(b"\xef\xbb\xbfProperties:\r\n  iotPolicyName: p\r\n")

    assert load_config(path, environ={}).properties.iot_policy_name == "p"


def test_half_a_year_is_about_182_days():
    environment = {**os.environ, "EST_CONFIG": "tests/cases/config-half-year.yaml"}
    script = "from estserver.settings.est import PKI; print(PKI.profile.validity_days)"

    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=PROJECT_ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "182\n"


def test_a_log_level_may_be_in_any_letter_case():
    config = load_config(CASES / "config-level-lower-case.yaml", environ={})

    assert config.properties.lambda_logger_level == "INFO"


@pytest.mark.parametrize("value", ["0", "0.009", "100.1", ".nan", ".inf", "true", '"0.5"'])
def test_a_certificate_is_valid_for_days_at_least_and_a_century_at_most(load, value):
    with pytest.raises(ConfigError, match=r"wanted a number of years from 0\.01 to 100\."):
        load(f"Properties: {{iotDeviceCertValidityYears: {value}}}")


def test_a_text_that_looks_like_a_date_stays_text(load):
    assert load("Properties: {iotPolicyName: 2026-01-01}").properties.iot_policy_name == (
        "2026-01-01"
    )


# What follows from other values


def test_the_api_domain_is_an_allowed_host_once(load):
    hosts = load("Properties: {apiCustomDomainName: a.example}").properties.allowed_hosts
    assert hosts == ("localhost", "127.0.0.1", "[::1]", "a.example")

    text = "Properties: {apiCustomDomainName: a.example, allowedHosts: [a.example]}"
    assert load(text).properties.allowed_hosts == ("a.example",)


def test_signers_are_added_to_the_default(load):
    config = load(
        """
        Properties:
          deviceCaSigner: kms
          signers:
            kms: {BACKEND: pki.signers.kms.KMSSigner, OPTIONS: {key: alias/ca}}
        """
    )

    assert config.properties.device_ca_signer == "kms"
    assert config.signer_settings() == {
        **{
            alias: {"BACKEND": signer.backend, "OPTIONS": {}}
            for alias, signer in DEFAULT_SIGNERS.items()
        },
        "kms": {"BACKEND": "pki.signers.kms.KMSSigner", "OPTIONS": {"key": "alias/ca"}},
    }


def test_the_default_signer_can_be_replaced(load):
    config = load("Properties: {signers: {keyfile: {BACKEND: my.Signer}}}")

    assert config.properties.signers["keyfile"] == SignerConfig(backend="my.Signer")


def test_a_device_ca_in_KMS_is_one_line(load):
    config = load("Properties: {deviceCaSigner: kms}")

    assert config.signer_settings()["kms"] == {
        "BACKEND": "pki.signers.kms.KMSSigner",
        "OPTIONS": {},
    }


def test_an_external_signer_class_defines_the_alias_external(load):
    config = load("Properties: {externalSignerClass: acme.pki.Signer}")

    assert config.signer_settings()["external"] == {
        "BACKEND": "pki.signers.external.ExternalSigner",
        "OPTIONS": {"class": "acme.pki.Signer"},
    }
    assert config.properties.device_ca_signer == "keyfile"


def test_a_device_ca_without_its_key_is_signed_externally(load):
    config = load(
        """
        Properties: {externalSignerClass: acme.pki.Signer}
        DeploymentOptions: {iotCoreCaCertificatePath: ca.pem, generateIotCaCertificate: false}
        """
    )

    assert config.properties.device_ca_signer == "external"


def test_a_device_ca_whose_signer_is_named_keeps_it(load):
    config = load(
        """
        Properties: {deviceCaSigner: keyfile}
        DeploymentOptions: {iotCoreCaCertificatePath: ca.pem}
        """
    )

    assert config.properties.device_ca_signer == "keyfile"


# Where it comes from


def test_est_config_names_the_file(tmp_path):
    path = tmp_path / "other.yaml"
    path.write_text("Properties: {iotPolicyName: other}")

    config = load_config(environ={"EST_CONFIG": str(path)})

    assert config.source == path
    assert config.properties.iot_policy_name == "other"


def test_est_config_is_relative_to_the_project_root(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    config = load_config(environ={"EST_CONFIG": "config/config-local.yaml"})

    assert config.source == PROJECT_ROOT / "config" / "config-local.yaml"


def test_without_a_file_everything_has_its_default(monkeypatch, tmp_path):
    monkeypatch.setattr("estserver.config.loader.PROJECT_ROOT", tmp_path)
    monkeypatch.setattr("estserver.config.values.PROJECT_ROOT", tmp_path)

    config = load_config(environ={"EST_CONFIG": ""})

    assert config.source is None
    assert config.properties == Properties()
    assert config.data_dir == tmp_path / "var"
    assert config.warnings[0].startswith("There is no configuration file")


def test_without_est_config_it_is_config_yaml(monkeypatch, tmp_path):
    monkeypatch.setattr("estserver.config.loader.PROJECT_ROOT", tmp_path)
    monkeypatch.setattr("estserver.config.values.PROJECT_ROOT", tmp_path)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.yaml").write_text("Properties: {iotPolicyName: usual}")

    assert load_config(environ={}).properties.iot_policy_name == "usual"


def test_est_data_dir_moves_the_state(load, tmp_path):
    assert load("").data_dir == PROJECT_ROOT / "var"
    assert load("", EST_DATA_DIR="state").data_dir == PROJECT_ROOT / "state"
    assert load("", EST_DATA_DIR=str(tmp_path)).data_dir == tmp_path


def test_database_url_of_the_environment_wins(load):
    text = "Properties: {databaseUrl: 'sqlite:///file.sqlite3'}"

    assert load(text).properties.database_url == "sqlite:///file.sqlite3"
    from_environment = load(text, DATABASE_URL="postgres://h/db").properties.database_url
    assert from_environment == "postgres://h/db"


def test_relative_paths_start_at_the_project_root(load):
    config = load("")

    assert config.resolve(config.properties.iot_template_path).is_file()
    assert config.resolve("/etc/ca.pem") == Path("/etc/ca.pem")
