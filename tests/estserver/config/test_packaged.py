"""A configuration on its way into a package, and as a function finds it there."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from estserver.config import ConfigError, load_config, packaged
from estserver.config.keys import SignerConfig, Tag
from estserver.config.packaged import packaged_config
from estserver.deploy.lambda_signers import for_lambda
from estserver.deploy.package.config import has_password, package_config

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
def install(monkeypatch):
    """Put a packaged configuration where a function finds it."""

    def put(config):
        module = ModuleType(packaged.MODULE)
        exec(compile(package_config(config).source(), "packaged_config.py", "exec"), vars(module))
        monkeypatch.setitem(sys.modules, packaged.MODULE, module)

    return put


def plain(value):
    """Dictionaries, tuples and texts, whatever class the values are of."""
    if isinstance(value, tuple):
        return tuple(map(plain, value))
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    return plain(vars(value)) if hasattr(value, "__dict__") else value


def test_outside_of_a_package_there_is_none():
    assert packaged_config(environ={}) is None


def test_what_is_written_is_what_is_read(config, install):
    install(config)

    found = packaged_config(environ={"DATABASE_URL": POSTGRESQL})

    travelling = for_lambda(config).properties
    assert plain(found.properties) == plain(replace(travelling, database_url=POSTGRESQL))
    assert plain(found.deployment.tags) == plain((Tag(key="Cost", value='a "b" \\'),))
    assert found.source == Path("config.yaml")
    assert found.resource_tags[0] == ("Cost", 'a "b" \\')
    assert found.signer_settings()["kms"]["OPTIONS"]["NESTED"] == [1, True, None, {"a": 1.5}]
    assert hash(found)


def test_the_environments_database_wins_over_the_packages_secret(config, install):
    properties = replace(config.properties, database_url="", database_secret_name="est/database")
    install(replace(config, properties=properties))

    named = packaged_config(environ={}).properties
    found = packaged_config(environ={"DATABASE_URL": POSTGRESQL}).properties

    assert (named.database_secret_name, named.database_url) == ("est/database", "")
    assert (found.database_secret_name, found.database_url) == ("", POSTGRESQL)


def test_T23_it_is_shown_without_its_values(config, install):
    install(config)

    assert "frankfurt" not in repr(packaged_config(environ={"DATABASE_URL": POSTGRESQL}))


def test_reading_it_takes_neither_parser_nor_validator(config):
    source = package_config(config).source()

    assert "import" in source
    for name in ("yaml", "pydantic", "pickle", "eval"):
        assert name not in source.replace("config.yaml", "")


def test_T23_a_password_stays_at_home_and_the_operator_is_told(config):
    packaged_one = package_config(config)

    assert "hunter2" not in packaged_one.source()
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

    with pytest.raises(ConfigError, match=r"iotCoreCaCertificatePath: .* isn't a file; correct"):
        package_config(config)


def test_signers_options_travel_with_a_word_of_warning(config):
    (note,) = (n for n in package_config(config).notes if "signers.kms" in n)

    assert "name secrets there, don't write them" in note
    assert "/x" not in note


def test_what_isnt_plain_isnt_written(config):
    odd = SignerConfig(backend="a.B", options={"KEY": object()})
    config = replace(config, properties=replace(config.properties, signers={"odd": odd}))

    with pytest.raises(TypeError, match="can't be written into a package"):
        package_config(config).source()


ON_LAMBDA = {"AWS_LAMBDA_FUNCTION_NAME": "est-server-est"}


def test_on_lambda_a_database_has_to_be_named(config, install):
    install(config)

    with pytest.raises(ConfigError, match="DATABASE_URL isn't set"):
        packaged_config(environ=ON_LAMBDA)


def test_sqlite_is_refused_on_lambda(config, install):
    install(config)

    with pytest.raises(ConfigError, match="the database is SQLite: on Lambda"):
        packaged_config(environ={**ON_LAMBDA, "DATABASE_URL": "sqlite:////tmp/est.sqlite3"})


def test_the_environment_wins(config, install):
    install(replace(config, properties=replace(config.properties, database_url=POSTGRESQL)))

    found = packaged_config(
        environ={"DATABASE_URL": "postgresql://other@db/est", "EST_DATA_DIR": "/tmp/est"}
    )

    assert found.properties.database_url == "postgresql://other@db/est"
    assert found.data_dir == Path("/tmp/est")


def test_a_module_missing_from_the_package_isnt_taken_for_no_package(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError("No module named 'estserver.config'", name="estserver.config")

    monkeypatch.setattr(packaged, "import_module", missing)

    with pytest.raises(ModuleNotFoundError):
        packaged_config(environ={})
