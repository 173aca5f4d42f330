"""The settings in force: each value with its source, and no secret."""

import dataclasses
import io
import json
import re

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.test import Client

from estserver.config import PROJECT_ROOT, load_config
from estserver.config.deployment_keys import DeploymentOptions
from estserver.config.effective import SECRET, database_parts, effective_values
from estserver.config.entries import SignerConfig
from estserver.config.keys import Properties
from estserver.config.packaged import FILE, as_json, packaged_config

FILE_TEXT = """\
Properties:
  databaseUrl: "postgresql://est:s3cret-word@db.example.com/est"
  iotDeviceCertValidityYears: 2
  signers:
    custom: {BACKEND: pki.signers.keyfile.KeyFileSigner, OPTIONS: {keyFile: "hidden-place.pem"}}
  iotTargets:
    - {name: "default", region: "eu-west-1"}
DeploymentOptions:
  projectName: "factory"
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(FILE_TEXT)
    return load_config(path, environ={"EST_DATA_DIR": str(tmp_path)})


def by_key(values):
    return {(one.section, one.key): one for one in values}


def test_each_value_has_its_source(config):
    found = by_key(effective_values(config, {"EST_DATA_DIR": "/srv/est"}))

    years = found["Properties", "iotDeviceCertValidityYears"]
    assert (years.value, years.source) == ("2", "mine.yaml:3")
    assert found["DeploymentOptions", "projectName"].source == "mine.yaml:9"
    assert found["Properties", "iotTargets"].value.startswith('[{"name": "default"')
    assert found["Properties", "identityRule"].source == "default"
    assert found["Environment", "EST_DATA_DIR"].value == "/srv/est"
    assert found["Environment", "EST_CONFIG"].value == "not set"


def test_every_key_of_the_file_is_shown_once(config):
    found = effective_values(config, {})

    keys = len(dataclasses.fields(Properties)) + len(dataclasses.fields(DeploymentOptions))
    assert len(found) == len(by_key(found)) == keys + 3


def test_T22_no_secret_is_shown_and_a_databases_password_least_of_all(config):
    values = effective_values(config, {"DATABASE_URL": "postgresql://est:s3cret-word@h/est"})
    database = {"ENGINE": "estserver.postgresql", "NAME": "est", "PASSWORD": "s3cret-word"}
    said = " ".join(f"{one.value} {one.source}" for one in [*values, *database_parts(database)])

    assert "s3cret-word" not in said
    assert "hidden-place" not in said
    found = by_key(values)
    assert found["Properties", "databaseUrl"].value == "set"
    assert found["Properties", "databaseUrl"].source == "environment: DATABASE_URL"
    assert found["Environment", "DATABASE_URL"].value == "set"
    assert '"OPTIONS": "set"' in found["Properties", "signers"].value or (
        '"options": "set"' in found["Properties", "signers"].value
    )


def test_T22_what_a_class_keeps_from_its_repr_is_a_secret_here_too():
    hidden = {
        field.name
        for cls in (Properties, DeploymentOptions, SignerConfig)
        for field in dataclasses.fields(cls)
        if not field.repr
    }

    assert hidden == SECRET


def test_a_package_shows_the_same_values_without_lines(config, tmp_path):
    (tmp_path / FILE).parent.mkdir()
    without_password = dataclasses.replace(
        config, properties=dataclasses.replace(config.properties, database_url="")
    )
    (tmp_path / FILE).write_text(as_json(without_password))
    environ = {"EST_DATA_DIR": str(tmp_path)}
    packaged = packaged_config(environ, root=tmp_path)
    packaged = dataclasses.replace(packaged, source=type(packaged.source)("gone.yaml"))

    here, there = (by_key(effective_values(each, environ)) for each in (without_password, packaged))

    assert here.keys() == there.keys()
    assert there["Properties", "iotDeviceCertValidityYears"].source == "gone.yaml"
    signers = ("Properties", "signers")
    for key in here.keys() - {signers}:
        assert here[key].value == there[key].value, key
    assert "hidden-place" not in there[signers].value


def test_a_file_that_cannot_be_read_any_more_leaves_the_values(config):
    config.source.write_text("Properties: [")

    found = by_key(effective_values(config, {}))

    assert found["Properties", "iotDeviceCertValidityYears"].value == "2"
    assert found["Properties", "iotDeviceCertValidityYears"].source == "mine.yaml"


@pytest.mark.django_db
def test_the_page_and_the_command_show_the_same(admin_client):
    out = io.StringIO()
    call_command("settings_in_force", "--json", stdout=out)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]

    page = admin_client.get("/admin/settings/").text

    assert re.findall(r'<th scope="row"><code>([^<]+)</code>', page) == [
        line["key"] for line in lines
    ]
    assert "iotTemplateName" in page


@pytest.mark.django_db
def test_the_page_takes_its_own_permission():
    carol = User.objects.create_user("carol", is_staff=True)
    client = Client()
    client.force_login(carol)
    assert client.get("/admin/settings/").status_code == 403

    carol.user_permissions.add(Permission.objects.get(codename="view_settings"))

    assert client.get("/admin/settings/").status_code == 200
    assert client.post("/admin/settings/").status_code == 405


def test_the_projects_own_files_have_a_line_for_each_key_that_they_set(tmp_path):
    for path in sorted((PROJECT_ROOT / "config").glob("config-*.yaml")):
        config = load_config(path, environ={"EST_DATA_DIR": str(tmp_path)})
        sources = {one.source for one in effective_values(config, {})}
        assert any(source.startswith(f"{path.name}:") for source in sources), path
