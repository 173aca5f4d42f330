"""The configuration's classes, and the reference that is made of them."""

import dataclasses
import io
import os
import pickle
import subprocess
import sys

import pytest
from django.core.management import call_command

from estserver.config import PROJECT_ROOT
from estserver.config.entries import key_name
from estserver.config.reference import REFERENCE_FILE, configuration_reference, field_docstrings
from estserver.config.sections import SECTIONS
from estserver.management.commands.config_reference import Command


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
    call_command(Command(), stdout=out)

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
        "bad.yaml:2 Properties.iotTemplatName: Unknown key. Did you mean iotTemplateName?\n"
    )
    assert not (tmp_path / "var").exists()
