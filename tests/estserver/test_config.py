"""What an operator may write, what it means, and how a refusal reads."""

import dataclasses
import io
import os
import pickle
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from estserver.config import PROJECT_ROOT, Config, ConfigError, load_config
from estserver.config_keys import (
    DEFAULT_SIGNERS,
    DeploymentOptions,
    Properties,
    SignerConfig,
    Tag,
    key_name,
)
from estserver.config_reference import REFERENCE_FILE, configuration_reference, field_docstrings
from estserver.config_sections import SECTIONS, keys_of
from estserver.management.commands.config_reference import Command

SAMPLES = ("config-sample-all-generated.yaml", "config-sample-all-external.yaml")


@pytest.fixture
def load(tmp_path):
    """Write a config.yaml and load it."""

    def load_text(text: str, **environ: str) -> Config:
        path = tmp_path / "config.yaml"
        path.write_text(text, encoding="utf-8")
        return load_config(path, environ=environ)

    return load_text


@pytest.fixture
def refusal(load):
    """The lines of the refusal that a config.yaml earns."""

    def refusal_of(text: str, **environ: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load(text, **environ)
        assert str(caught.value) == "\n".join(caught.value.problems)
        return list(caught.value.problems)

    return refusal_of


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
        "config-sample-all-external.yaml:4 Properties.apiCustomDomainName: still the sample's "
        'placeholder "YOUR API DOMAIN NAME HERE"; treated as not set'
    )


def test_the_laptop_configuration_is_calm():
    config = load_config(PROJECT_ROOT / "config" / "config-local.yaml", environ={})

    assert config.warnings == ()
    assert config.properties == Properties(iot_provisioning="none")


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
    monkeypatch.setattr("estserver.config_loader.PROJECT_ROOT", tmp_path)
    monkeypatch.setattr("estserver.config.PROJECT_ROOT", tmp_path)

    config = load_config(environ={"EST_CONFIG": ""})

    assert config.source is None
    assert config.properties == Properties()
    assert config.data_dir == tmp_path / "var"
    assert config.warnings[0].startswith("There is no configuration file")


def test_without_est_config_it_is_config_yaml(monkeypatch, tmp_path):
    monkeypatch.setattr("estserver.config_loader.PROJECT_ROOT", tmp_path)
    monkeypatch.setattr("estserver.config.PROJECT_ROOT", tmp_path)
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


# What is refused


def test_every_problem_is_listed_by_line(refusal):
    problems = refusal(
        """Properties:
  iotTemplatName: x
  iotCoreEstCaValidityYears: "ten"
  lambdaLoggerLevel: LOUD
DeploymentOptions:
  configureJITP: maybe
Extra: 1
"""
    )

    assert problems == [
        "config.yaml:2 Properties.iotTemplatName: unknown key; did you mean iotTemplateName?",
        'config.yaml:3 Properties.iotCoreEstCaValidityYears: found "ten", wanted a whole number '
        "of years from 1 to 100",
        'config.yaml:4 Properties.lambdaLoggerLevel: found "LOUD", wanted one of DEBUG, INFO, '
        "WARNING, ERROR, CRITICAL",
        'config.yaml:6 DeploymentOptions.configureJITP: found "maybe", wanted true or false',
        "config.yaml:7 Extra: unknown key; wanted one of Properties, DeploymentOptions",
    ]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("lambdaTimeoutSeconds: 901", "found 901, wanted a whole number of seconds from 1 to 900"),
        ("lambdaTimeoutSeconds: 0", "found 0,"),
        ("lambdaTimeoutSeconds: 1.5", "found 1.5,"),
        ("lambdaTimeoutSeconds: true", "found true,"),
        (
            'lambdaTimeoutSeconds: "60"',
            'found "60", wanted a whole number of seconds from 1 to 900; leave out the quotes',
        ),
        ("lambdaTimeoutSeconds: [60]", "found a list,"),
        ("lambdaTimeoutSeconds: {a: 1}", "found a mapping,"),
        ("apiStrictHeadersCheck: 1", "found 1, wanted true or false"),
        ('apiStrictHeadersCheck: "true"', "leave out the quotes"),
        ("iotPolicyName: no", "found false,"),
        ("iotPolicyName: no", "put text in quotes"),
        ("iotPolicyName: 12", "put text in quotes"),
        ("iotPolicyName: a b", "wanted an AWS IoT policy name"),
        ("iotPolicyName: pölicy", "wanted an AWS IoT policy name"),
        ('iotPolicyName: "policy\\n"', r'found "policy\n"'),
        (f"iotPolicyName: {'p' * 129}", "pp..., wanted"),
        (f"iotTemplateName: {'t' * 37}", "1 to 36 characters"),
        ("iotTemplateName: a.b", "1 to 36 characters"),
        ('iotTemplatePath: ""', "wanted the path of a file"),
        ("apiCustomDomainName: https://est.example.com", "wanted a host name"),
        ("apiCertificateArn: arn:aws:iam::1:role/x", "wanted the ARN of an ACM certificate"),
        ("enrollmentHookClass: hook", "wanted the dotted path of a class"),
        ("deviceCaSubject: ''", "wanted a common name of 1 to 64 characters"),
        ('deviceCaSubject: "a\\0b"', r'found "a\u0000b"'),
        ("deviceCaKeyAlgorithm: rsa-1024", "wanted one of ec-p256, ec-p384, rsa-2048"),
        ("identityRule: none", "wanted one of first-use, same-cn, pattern, allow-list, any"),
        ("tags: []", "belongs in the section DeploymentOptions"),
        ("configureJitp: true", "unknown key; docs/configuration.md lists them all"),
        ("IOTPOLICYNAME: x", "did you mean iotPolicyName?"),
        ("timeZone: UTC", "unknown key"),
        (
            "signers: [keyfile]",
            "found a list, wanted a mapping, each value a mapping with the keys "
            "BACKEND and OPTIONS",
        ),
    ],
)
def test_a_value_is_refused_in_words(refusal, line, words):
    (problem,) = refusal(f"Properties:\n  {line}\n")

    assert problem.startswith(f"config.yaml:2 Properties.{line.split(':')[0]}: ")
    assert words in problem


@pytest.mark.parametrize("host", ["*", ".example.com", "a b", "http://a", "", "a/b"])
def test_T04_allowed_hosts_have_no_wildcard(refusal, host):
    (problem,) = refusal(f"Properties:\n  allowedHosts:\n    - ok\n    - '{host}'\n")

    assert problem.startswith(f'config.yaml:4 Properties.allowedHosts[1]: found "{host}", wanted a')


def test_what_is_wrong_inside_of_lists_and_mappings_has_its_line(refusal):
    problems = refusal(
        """Properties:
  signers:
    one: {BACKED: my.Signer}
    two:
      BACKEND: signer
    three: my.Signer
DeploymentOptions:
  tags:
    - key: aws:owner
      value: 12
    - kee: x
      value: y
"""
    )

    signer = "a mapping with the keys BACKEND and OPTIONS"
    assert problems == [
        "config.yaml:3 Properties.signers.one.BACKED: unknown key; did you mean BACKEND?",
        "config.yaml:3 Properties.signers.one.BACKEND: missing, wanted the dotted path of a class, "
        "such as package.module.Class",
        'config.yaml:5 Properties.signers.two.BACKEND: found "signer", wanted the dotted path of '
        "a class, such as package.module.Class",
        f'config.yaml:6 Properties.signers.three: found "my.Signer", wanted {signer}',
        'config.yaml:9 DeploymentOptions.tags[0].key: found "aws:owner", wanted a tag key of 1 to '
        "128 characters that doesn't start with aws:",
        "config.yaml:10 DeploymentOptions.tags[0].value: found 12, wanted a tag value of up to 256 "
        "characters; put text in quotes",
        "config.yaml:11 DeploymentOptions.tags[1].kee: unknown key; did you mean key?",
        "config.yaml:11 DeploymentOptions.tags[1].key: missing, wanted a tag key of 1 to 128 "
        "characters that doesn't start with aws:",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "- a\n",
            "config.yaml:1: found a list, wanted a mapping with the sections Properties and "
            "DeploymentOptions",
        ),
        (
            "\nProperties: 5\n",
            "config.yaml:2 Properties: found 5, wanted a mapping of keys to values",
        ),
        ("Propertys: {}\n", "config.yaml:1 Propertys: unknown key; did you mean Properties?"),
        (
            "iotPolicyName: x\n",
            "config.yaml:1 iotPolicyName: belongs in the section Properties",
        ),
        (
            "Properties:\n  iotPolicyName: a\n  iotPolicyName: b\n",
            "config.yaml:3 Properties.iotPolicyName: given twice, first in line 2; keep one of the "
            "two",
        ),
        (
            "Properties: {}\nDeploymentOptions: {}\nProperties: {}\n",
            "config.yaml:3 Properties: given twice, first in line 1; keep one of the two",
        ),
        (
            "Properties:\n  yes: 1\n",
            "config.yaml:2 Properties: a key that isn't text; put it in quotes",
        ),
        (
            "Properties:\n  iotPolicyName: !!python/name:os.system\n",
            "config.yaml:2 Properties.iotPolicyName: the YAML tag "
            "'tag:yaml.org,2002:python/name:os.system' isn't used here; write plain values",
        ),
        (
            "Properties: &all\n  signers: *all\n",
            "config.yaml:1 Properties.signers: an alias that contains itself; write the value out",
        ),
        (
            "Properties:\n  iotPolicyName: 0b_\n",
            "config.yaml:2 Properties.iotPolicyName: this can't be read as a number; put it in "
            "quotes",
        ),
    ],
)
def test_a_document_is_refused_in_words(refusal, text, problem):
    assert refusal(text) == [problem]


@pytest.mark.parametrize(
    ("text", "start", "advice"),
    [
        (
            "Properties:\n  iotPolicyName: a: b\n",
            "config.yaml:2: column 19: not valid YAML",
            "quotes",
        ),
        (
            "Properties:\n  iotPolicyName\n  x: 1\n",
            "config.yaml:3: column 4",
            "colon of the line above",
        ),
        ("Properties\nDeploymentOptions:\n", "config.yaml:2: column 18", "colon of the line above"),
        ("Properties:\n  a: 1\n  b\nc: 2\n", "config.yaml:", "write a colon"),
        ('Properties:\n  iotPolicyName: "a\n\n', "config.yaml:2: column 18:", "close the quote"),
        ('Properties:\n  iotPolicyPath: "c:\\policy"\n', "config.yaml:2: ", "use single quotes"),
        ("Properties:\n  a: 1\n b: 2\n", "config.yaml:3: column 2:", "check the indentation"),
        (
            "Properties:\n  iotPolicyName: @a\n",
            "config.yaml:2: column 18:",
            "put the value in quotes",
        ),
        ("Properties:\n\tiotPolicyName: a\n", "config.yaml:2: indented with a tab;", "with spaces"),
        ("Properties: {}\n---\nProperties: {}\n", "config.yaml:2: ", "keep one document"),
        ("Properties:\n  a: \x07\n", "config.yaml:2: character U+0007", "isn't allowed in YAML"),
        ("Properties: [\n", "config.yaml:", "not valid YAML"),
        ("Properties: *nowhere\n", "config.yaml:1: column 13:", "undefined alias"),
    ],
)
def test_a_syntax_error_has_line_and_column_and_advice(refusal, text, start, advice):
    (problem,) = refusal(text)

    assert problem.startswith(start)
    assert advice in problem


def test_another_encoding_is_refused_with_its_line(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_bytes("Properties:\n  deviceCaSubject: Gerätefabrik\n".encode("latin-1"))

    with pytest.raises(ConfigError, match=r"^config.yaml:2: byte 0xe4 isn't UTF-8; save"):
        load_config(path, environ={})


def test_a_file_that_is_not_there_is_named_in_full(tmp_path):
    with pytest.raises(ConfigError, match="no such file; correct its name") as caught:
        load_config(environ={"EST_CONFIG": str(tmp_path / "none.yaml")})

    assert str(caught.value).startswith(str(tmp_path / "none.yaml"))


def test_a_file_that_is_a_directory_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"can't be read \(is a directory\)"):
        load_config(tmp_path, environ={})


def test_Secrets_Manager_may_have_a_CA_so_none_need_be_made_or_named(load):
    config = load(
        """
        Properties: {deviceCaSigner: secretsmanager}
        DeploymentOptions: {generateIotCaCertificate: false}
        """
    )

    assert config.properties.device_ca_signer == "secretsmanager"


def test_a_signer_that_may_have_a_CA_needs_no_certificate_of_it(load):
    config = load(
        """
        Properties:
          deviceCaSigner: pca
          signers:
            pca:
              BACKEND: pki.signers.privateca.PrivateCASigner
              OPTIONS: {certificateAuthorityArn: "arn:aws:acm-pca:..."}
        DeploymentOptions: {generateIotCaCertificate: false}
        """
    )

    assert config.properties.device_ca_signer == "pca"


# Values that are right by themselves and wrong together


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "DeploymentOptions:\n  iotCoreCaPrivateKeyPath: ca.key\n",
            "config.yaml:2 DeploymentOptions.iotCoreCaPrivateKeyPath: set without "
            "iotCoreCaCertificatePath; name the certificate of this key too",
        ),
        (
            "DeploymentOptions:\n  generateIotCaCertificate: false\n",
            "config.yaml:2 DeploymentOptions.generateIotCaCertificate: false without "
            "iotCoreCaCertificatePath; set that path, or set this to true",
        ),
        (
            "DeploymentOptions:\n  iotCoreCaCertificatePath: ca.pem\n",
            "config.yaml:2 DeploymentOptions.iotCoreCaCertificatePath: set without "
            "iotCoreCaPrivateKeyPath, so that an external PKI must sign; name the key's file, or "
            "set Properties.externalSignerClass or Properties.deviceCaSigner",
        ),
        (
            "Properties:\n  lambdaTimeoutSeconds: 20\n  apiGatewayIntegrationTimeoutSeconds: 21\n",
            "config.yaml:3 Properties.apiGatewayIntegrationTimeoutSeconds: 21 is more than "
            "lambdaTimeoutSeconds, which is 20; lower it",
        ),
        (
            "Properties:\n  lambdaTimeoutSeconds: 20\n",
            "config.yaml:2 Properties.lambdaTimeoutSeconds: 20 is less than "
            "apiGatewayIntegrationTimeoutSeconds, by default 29; lower that too",
        ),
        (
            "Properties:\n  clientCaSigner: hsm\n",
            'config.yaml:2 Properties.clientCaSigner: found "hsm", wanted a signer that is '
            f"defined: {', '.join(DEFAULT_SIGNERS)}",
        ),
        (
            "Properties:\n  deviceCaSigner: external\n",
            'config.yaml:2 Properties.deviceCaSigner: found "external", wanted a signer that is '
            f"defined: {', '.join(DEFAULT_SIGNERS)}",
        ),
        (
            "Properties:\n  externalSignerClass: a.B\n  signers:\n    external: {BACKEND: c.D}\n",
            "config.yaml:2 Properties.externalSignerClass: defines signers.external, which line 4 "
            "does too; keep one of the two",
        ),
        (
            "Properties:\n  identityRule: pattern\n",
            "config.yaml:2 Properties.identityRule: the rule pattern needs identityPattern; set "
            "it, or choose another rule",
        ),
        (
            "Properties:\n  identityPattern: '(?P<name>['\n",
            "config.yaml:2 Properties.identityPattern: not a regular expression (unterminated "
            "character set at position 9); correct it",
        ),
        (
            "Properties:\n  identityRule: pattern\n  identityPattern: 'factory-(.*)'\n",
            "config.yaml:3 Properties.identityPattern: no group (?P<name>...); put it around the "
            "part that is the thing name",
        ),
        (
            "DeploymentOptions:\n  tags: [{key: a, value: b}, {key: a, value: c}]\n",
            'config.yaml:2 DeploymentOptions.tags: the tag "a" is given twice; keep one',
        ),
    ],
)
def test_an_inconsistency_is_refused_in_words(refusal, text, problem):
    assert refusal(text) == [problem]


def test_a_refused_value_causes_no_second_refusal(refusal):
    problems = refusal(
        """Properties:
  lambdaTimeoutSeconds: ten
  apiGatewayIntegrationTimeoutSeconds: 100
  deviceCaSigner: kms
  signers: none
  identityRule: pattern
  identityPattern: 5
DeploymentOptions:
  iotCoreCaCertificatePath: 5
  generateIotCaCertificate: false
"""
    )

    assert [problem.split(" ")[0] for problem in problems] == [
        "config.yaml:2",
        "config.yaml:5",
        "config.yaml:7",
        "config.yaml:9",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Properties: {deviceCaSigner: 5}\nDeploymentOptions: {iotCoreCaCertificatePath: ca.pem}",
        "DeploymentOptions: {iotCoreCaCertificatePath: ca.pem, iotCoreCaPrivateKeyPath: 5}",
        "Properties: {externalSignerClass: 5, clientCaSigner: external}",
    ],
)
def test_a_refused_value_says_nothing_about_signers(refusal, text):
    (problem,) = refusal(text)

    assert "found 5" in problem


def test_a_placeholder_for_the_key_leaves_the_signer_as_it_is(load):
    config = load(
        """
        DeploymentOptions:
          iotCoreCaCertificatePath: ca.pem
          iotCoreCaPrivateKeyPath: "LOCAL PATH TO CA KEY"
        """
    )

    assert config.properties.device_ca_signer == "keyfile"


def test_a_placeholder_defines_no_signer(refusal):
    (problem,) = refusal(
        """
        Properties: {externalSignerClass: YOUR CLASS HERE, clientCaSigner: external}
        """
    )

    assert "wanted a signer that is defined: keyfile" in problem


def test_equal_timeouts_are_fine(load):
    config = load("Properties: {lambdaTimeoutSeconds: 20, apiGatewayIntegrationTimeoutSeconds: 20}")

    assert config.properties.lambda_timeout_seconds == 20


# Secrets


def test_T22_a_database_password_is_in_no_refusal_and_no_repr(refusal, load):
    secret = "20070702"
    for value in (f"mysql://u:{secret}@h/db", f"postgres://u:{secret}#@h/db", secret):
        (problem,) = refusal(f"Properties:\n  databaseUrl: {value}\n")
        assert problem.startswith("config.yaml:2 Properties.databaseUrl: ")
        assert secret not in problem

    assert secret not in repr(load(f"Properties:\n  databaseUrl: postgres://u:{secret}@h/db\n"))


def test_T22_a_syntax_error_quotes_no_line_of_the_file(load):
    text = 'Properties:\n  databaseUrl: "postgres://u:hunter2@h/db" x\n'

    with pytest.raises(ConfigError) as caught:
        load(text)

    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_T22_an_option_of_a_signer_is_not_in_its_repr(load):
    config = load("Properties: {signers: {pki: {BACKEND: a.B, OPTIONS: {token: hunter2}}}}")

    assert config.properties.signers["pki"].options["token"] == "hunter2"
    assert "hunter2" not in repr(config)


def test_T22_a_bad_database_url_of_the_environment_is_refused_by_its_name(refusal):
    (problem,) = refusal("", DATABASE_URL="mysql://u:hunter2@h/db")

    assert problem.startswith("DATABASE_URL: the database URL begins with mysql://; wanted ")
    assert "hunter2" not in problem


# The classes and their reference


def test_a_configuration_is_frozen_and_picklable(load):
    config = load("Properties: {externalSignerClass: a.B}")

    with pytest.raises(dataclasses.FrozenInstanceError):
        config.properties.iot_policy_name = "other"
    assert pickle.loads(pickle.dumps(config)) == config
    assert hash(config) == hash(load("Properties: {externalSignerClass: a.B}"))


def test_key_names_are_those_of_the_file():
    assert key_name("api_custom_domain_name") == "apiCustomDomainName"
    assert key_name("configure_jitp") == "configureJITP"
    assert key_name("m_tls_truststore_certificates_chain_file") == (
        "mTlsTruststoreCertificatesChainFile"
    )


def test_the_classes_load_without_pydantic_and_yaml():
    program = (
        "import sys, estserver.config; "
        "sys.exit(bool({'pydantic', 'pydantic_core', 'yaml'} & sys.modules.keys()))"
    )
    subprocess.run([sys.executable, "-c", program], cwd=PROJECT_ROOT, check=True)


@pytest.mark.parametrize("cls", SECTIONS.values())
def test_every_key_says_what_it_means(cls):
    assert field_docstrings(cls).keys() == {field.name for field in dataclasses.fields(cls)}


def test_the_reference_in_docs_is_the_generated_one():
    assert REFERENCE_FILE.read_text(encoding="utf-8") == configuration_reference()


def test_the_command_prints_the_reference():
    out = io.StringIO()
    Command(stdout=out).handle()

    assert out.getvalue() == configuration_reference()


def test_a_bad_file_ends_a_command_with_its_problems_and_nothing_else(tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text("Properties:\n  iotTemplatName: x\n")

    done = subprocess.run(
        [sys.executable, "manage.py", "bootstrap_cas"],
        cwd=PROJECT_ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "estserver.settings.admin",
            "EST_CONFIG": str(bad),
            "EST_DATA_DIR": str(tmp_path / "var"),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 1
    assert done.stderr == (
        "bad.yaml:2 Properties.iotTemplatName: unknown key; did you mean iotTemplateName?\n"
    )
    assert not (tmp_path / "var").exists()


# Deployment


def test_every_resource_carries_our_tag_beside_yours(load):
    config = load("DeploymentOptions: {projectName: est-test, tags: [{key: a, value: b}]}")

    assert config.resource_tags == (("a", "b"), ("est-server:made-by", "est-test"))


def test_our_tag_is_not_yours_to_give(refusal):
    text = "DeploymentOptions: {tags: [{key: 'est-server:made-by', value: x}]}"

    assert refusal(text) == [
        'config.yaml:1 DeploymentOptions.tags: the tag "est-server:made-by" is ours; leave it out'
    ]


@pytest.mark.parametrize("key", ["bootstrapDomainName", "adminDomainName"])
def test_T03_a_domain_is_one_door(refusal, key):
    """A second name for mutual TLS's domain would be a way round it."""
    text = f"Properties: {{apiCustomDomainName: a.example, {key}: A.example}}"

    [line] = refusal(text)
    assert line.endswith(
        "A.example is the domain of apiCustomDomainName too; give each a name of its own"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Properties: {adminAllowedNetworks: [192.0.2.1]}", "wanted a network such as"),
        ("Properties: {adminAllowedNetworks: [192.0.2.1/24]}", "wanted a network such as"),
        ("DeploymentOptions: {projectName: Est}", "wanted a short name"),
        ("DeploymentOptions: {truststoreBucket: a.b.c}", "wanted the name of an S3 bucket"),
        ("DeploymentOptions: {logRetentionDays: 31}", "wanted days as CloudWatch counts them"),
        ("DeploymentOptions: {throttlingRateLimit: 0}", "wanted a whole number of requests"),
        ("DeploymentOptions: {hostedZoneId: example.com}", "wanted the id of a Route 53"),
        ("DeploymentOptions: {alarmTopicArn: night}", "wanted the ARN of an SNS topic"),
        (
            "DeploymentOptions: {vpcSubnetIds: [subnet-01234567]}",
            "set without vpcSecurityGroupIds; a VPC takes both",
        ),
    ],
)
def test_what_cant_be_deployed_is_refused_when_it_is_read(refusal, text, words):
    [line] = refusal(text)

    assert words in line
