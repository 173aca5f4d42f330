"""What a provisioning template asks of a certificate."""

import json
from dataclasses import replace

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from iotprov.checks import check_profiles
from iotprov.jitp import TemplateError, declared_parameters, unfilled_parameters


@pytest.fixture
def template(tmp_path, settings):
    """Write a template and let the installation use it."""

    def write(contents):
        path = tmp_path / "template.json"
        path.write_text(contents if isinstance(contents, str) else json.dumps(contents))
        settings.IOT = replace(settings.IOT, template_path=path, is_jitp_configured=True)
        return path

    return write


def declaring(*parameters):
    return {
        "Parameters": {f"AWS::IoT::Certificate::{name}": {"Type": "String"} for name in parameters}
    }


def test_samples_template_declares_what_the_default_profile_allows(installation, settings):
    declared = declared_parameters(settings.IOT.template_path)

    assert declared == {"CommonName", "SerialNumber", "Country", "Id"}
    assert check_profiles(None, databases=["default"]) == []


def test_profile_that_leaves_a_declared_parameter_empty_is_named(change_default_profile, template):
    template(declaring("CommonName", "Country", "Organization", "Id"))
    change_default_profile(subject_attributes=["organizationName"])

    (warning,) = check_profiles(None, databases=["default"])

    assert warning.id == "iotprov.W001"
    assert "default v2" in warning.msg
    assert "Country" in warning.msg
    assert "Organization" not in warning.msg


def test_common_name_and_id_are_always_there():
    assert unfilled_parameters({"CommonName", "Id"}, []) == set()


@pytest.mark.parametrize(
    ("contents", "complaint"),
    [
        ("{", "isn't JSON"),
        ("[]", "has no Parameters"),
        (declaring("Email"), "declares AWS::IoT::Certificate::Email, which JITP doesn't know"),
    ],
)
def test_bad_template_is_refused_with_a_sentence(template, contents, complaint):
    path = template(contents)

    with pytest.raises(TemplateError, match=complaint):
        declared_parameters(path)
    with pytest.raises(SystemCheckError, match=complaint):
        call_command("check")


def test_missing_template_is_named(tmp_path):
    with pytest.raises(TemplateError, match=r"can.t read .*gone\.json: No such file"):
        declared_parameters(tmp_path / "gone.json")
