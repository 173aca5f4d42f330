"""A configuration on its way into a package, and as a function finds it there."""

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from estserver.config import PROJECT_ROOT, ConfigError, load_config
from estserver.config import packaged as module
from estserver.config.database import has_password
from estserver.config.entries import SignerConfig
from estserver.config.packaged import FILE, as_json
from estserver.deploy.lambda_signers import for_lambda
from estserver.deploy.package.config import package_config

POSTGRESQL = "postgresql://est@db.example.com/est"

FULL = """\
Properties:
  apiCustomDomainName: "est.example.com"
  databaseUrl: "postgresql://est:hunter2@db.example.com/est"
  identityRule: "pattern"
  identityPattern: '(?P<name>["\\\\]+)'
  iotTargets:
    - name: "frankfurt"
      region: "eu-central-1"
  signers:
    kms:
      BACKEND: "pki.signers.keyfile.KeyFileSigner"
      OPTIONS: {DIRECTORY: "/x", NESTED: [1, true, null, {a: 1.5}]}
DeploymentOptions:
  iotCoreCaCertificatePath: "CERTIFICATE"
  iotCoreCaPrivateKeyPath: "ca.key"
  tags:
    - {key: "Cost", value: 'a "b" \\'}
"""


@pytest.fixture
def config(tmp_path):
    """A configuration with something of every kind in it."""
    certificate = tmp_path / "ca.pem"
    certificate.write_text("-----BEGIN CERTIFICATE-----")
    path = tmp_path / "config.yaml"
    path.write_text(FULL.replace("CERTIFICATE", str(certificate)))
    return load_config(path, environ={})


@pytest.fixture
def file(tmp_path):
    """Where a function looks for its configuration."""
    path = tmp_path / "package" / FILE
    path.parent.mkdir(parents=True)
    return path


@pytest.fixture
def install(file):
    """Put a packaged configuration where a function finds it."""

    def put(config):
        file.write_text(as_json(package_config(config).config))

    return put


@pytest.fixture
def packaged_config(tmp_path):
    """The configuration as a function reads it."""

    def read(environ):
        return module.packaged_config(environ, root=tmp_path / "package")

    return read


def plain(value):
    """Attributes, mappings, tuples, lists and texts, whatever class has the attributes."""
    if isinstance(value, tuple):
        return tuple(map(plain, value))
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    return SimpleNamespace(**plain(vars(value))) if hasattr(value, "__dict__") else value


def test_outside_of_a_package_there_is_none(packaged_config):
    assert packaged_config(environ={}) is None
    assert module.packaged_config(environ={}) is None


def test_what_is_written_is_what_is_read(config, install, packaged_config):
    install(config)

    found = packaged_config(environ={"DATABASE_URL": POSTGRESQL})

    travelling = package_config(config).config
    assert travelling.properties.signers == for_lambda(config).properties.signers
    properties = replace(travelling.properties, database_url=POSTGRESQL)
    assert plain(found) == plain(replace(travelling, properties=properties))
    assert found.source == Path("config.yaml")
    assert found.resource_tags[0] == ("Cost", 'a "b" \\')
    assert found.signer_settings()["kms"]["OPTIONS"]["NESTED"] == [1, True, None, {"a": 1.5}]
    assert hash(found)


def test_the_environments_database_wins_over_the_packages_secret(config, install, packaged_config):
    properties = replace(config.properties, database_url="", database_secret_name="est/database")
    install(replace(config, properties=properties))

    named = packaged_config(environ={}).properties
    found = packaged_config(environ={"DATABASE_URL": POSTGRESQL}).properties

    assert (named.database_secret_name, named.database_url) == ("est/database", "")
    assert (found.database_secret_name, found.database_url) == ("", POSTGRESQL)


def test_T23_it_is_shown_without_its_values(config, install, packaged_config):
    install(config)

    assert "frankfurt" not in repr(packaged_config(environ={"DATABASE_URL": POSTGRESQL}))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is not JSON"),
        (b'{"properties": "hunter2"', "it is not JSON"),
        (b"\xff", "it is not JSON"),
        (b"[]", "it does not have the form that this version writes"),
        (b"{}", "it does not have the form that this version writes"),
        (b'{"properties": {"signers": "hunter2"}}', "it does not have the form"),
    ],
)
def test_T23_a_file_that_cannot_be_read_is_refused_in_words(file, packaged_config, content, reason):
    file.write_bytes(content)

    with pytest.raises(ConfigError) as caught:
        packaged_config(environ={})

    assert str(caught.value).startswith(f"The package's configuration {FILE} cannot be read")
    assert f"({reason}" in str(caught.value)
    assert str(caught.value).endswith(". Make the package again: manage.py aws_package.")
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_a_file_of_another_version_is_refused(config, install, file, packaged_config):
    install(config)
    file.write_text(json.dumps({**json.loads(file.read_text()), "unknown": 1}))

    with pytest.raises(ConfigError, match="does not have the form that this version writes"):
        packaged_config(environ={})


def test_a_directory_in_place_of_the_file_is_refused(file, packaged_config):
    file.mkdir()

    with pytest.raises(ConfigError, match=r"cannot be read \(is a directory\)"):
        packaged_config(environ={})


def test_T23_a_password_stays_at_home_and_the_operator_is_told(config):
    packaged_one = package_config(config)

    assert "hunter2" not in as_json(packaged_one.config)
    assert any("databaseUrl holds a password" in note for note in packaged_one.notes)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("", False),
        (POSTGRESQL, False),
        ("sqlite:///x.sqlite3", False),
        ("postgresql://a:b@h/d", True),
        ("postgresql://a:@h/d", True),
        ("postgresql://a@h/d?password=b", True),
    ],
)
def test_passwords_are_found_wherever_a_url_may_have_them(url, expected):
    assert has_password(url) is expected


def test_named_files_travel_and_the_private_key_doesnt(config, tmp_path):
    packaged_one = package_config(config)

    place = Path("config/packaged/iot_core_ca_certificate_path/ca.pem")
    assert packaged_one.files[place] == tmp_path / "ca.pem"
    assert packaged_one.config.deployment.iot_core_ca_certificate_path == str(place)
    assert not [path for path in packaged_one.files.values() if path.suffix == ".key"]
    assert any("iotCoreCaPrivateKeyPath is the CA's key" in note for note in packaged_one.notes)


def test_a_named_file_that_isnt_there_is_refused(config):
    (config.resolve(config.deployment.iot_core_ca_certificate_path)).unlink()

    with pytest.raises(ConfigError, match=r"iotCoreCaCertificatePath: .* is not a file\. Correct"):
        package_config(config)


def test_signers_options_travel_with_a_word_of_warning(config):
    (note,) = (n for n in package_config(config).notes if "signers.kms" in n)

    assert "Name secrets there, do not write them there." in note
    assert "/x" not in note


def test_what_isnt_plain_isnt_written(config):
    odd = SignerConfig(backend="a.B", options={"KEY": object()})
    config = replace(config, properties=replace(config.properties, signers={"odd": odd}))

    with pytest.raises(TypeError, match=r"A object cannot be written into a package\."):
        as_json(package_config(config).config)


ON_LAMBDA = {"AWS_LAMBDA_FUNCTION_NAME": "est-server-est"}


def test_on_lambda_a_database_has_to_be_named(config, install, packaged_config):
    install(config)

    with pytest.raises(ConfigError, match="DATABASE_URL is not set"):
        packaged_config(environ=ON_LAMBDA)


def test_sqlite_is_refused_on_lambda(config, install, packaged_config):
    install(config)

    with pytest.raises(ConfigError, match=r"The database is SQLite\. On Lambda"):
        packaged_config(environ={**ON_LAMBDA, "DATABASE_URL": "sqlite:////tmp/est.sqlite3"})


def test_the_environment_wins(config, install, packaged_config):
    install(replace(config, properties=replace(config.properties, database_url=POSTGRESQL)))

    found = packaged_config(
        environ={"DATABASE_URL": "postgresql://other@db/est", "EST_DATA_DIR": "/tmp/est"}
    )

    assert found.properties.database_url == "postgresql://other@db/est"
    assert found.data_dir == Path("/tmp/est")


WITHOUT_A_VALIDATOR = """
import importlib
import sys

import django

django.setup()
from estserver.functions.admin import COMMANDS

missing = ("pydantic", "pydantic_core", "annotated_types", "yaml")
for name in list(sys.modules):
    if name.startswith((*missing, "estserver.config", "estserver.deploy")):
        del sys.modules[name]
sys.modules.update(dict.fromkeys(missing))
for name in sorted(COMMANDS):
    for package in ("estserver", "iotprov", "pki"):
        module = f"{package}.management.commands.{name}"
        if importlib.util.find_spec(module):
            importlib.import_module(module)
            print(name)
"""


def test_commands_that_run_on_lambda_need_neither_validator_nor_parser():
    """No package holds pydantic or PyYAML."""
    environ = {**os.environ, "DJANGO_SETTINGS_MODULE": "estserver.settings.admin"}

    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_A_VALIDATOR],
        cwd=PROJECT_ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert {"aws_truststore", "bootstrap_cas", "import_aws"} <= {*done.stdout.split()}
