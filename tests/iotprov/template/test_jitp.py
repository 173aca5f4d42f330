"""What the configured provisioning template asks of certificates, as `manage.py check` sees it."""

import json
from dataclasses import replace

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from iotprov.checks import check_profiles
from iotprov.exceptions import DocumentError
from iotprov.template.jitp import read_file, unfilled_parameters
from iotprov.template.reader import parse_template, read_template
from tests.iotprov.samples import CASES


@pytest.fixture
def template(tmp_path, settings):
    """Write a template and let the installation use it."""

    def write(contents):
        path = tmp_path / "template.json"
        path.write_text(contents if isinstance(contents, str) else json.dumps(contents))
        settings.IOT = replace(settings.IOT, template_path=path, configure_jitp=True)
        return path

    return write


def declaring(*parameters):
    return {
        "Parameters": {f"AWS::IoT::Certificate::{name}": {"Type": "String"} for name in parameters}
    }


def test_samples_template_declares_what_the_default_profile_allows(earlier_profile, settings):
    earlier_profile(iot_provisioning="jitp")

    declared = parse_template(read_file(settings.IOT.template_path)).parameters

    assert set(declared) == {"CommonName", "SerialNumber", "Country", "Id"}
    assert "not allow" not in check_profiles(None, databases=["default"])[0].msg


@pytest.mark.parametrize("mode", ["jitp", "register"])
def test_T47_check_warns_of_attributes_that_a_certificate_may_lack(earlier_profile, settings, mode):
    settings.IOT = replace(settings.IOT, configure_jitp=mode == "jitp")
    earlier_profile(iot_provisioning=mode, is_serial_number_required=True)

    with pytest.raises(SystemCheckError) as raised:
        call_command("check", databases=["default"], fail_level="WARNING")

    assert "iotprov.W001" in str(raised.value)
    assert "does not require countryName in a subject" in str(raised.value)
    assert "serialNumber" not in str(raised.value)


def test_T47_check_is_silent_where_every_certificate_becomes_a_thing(earlier_profile, template):
    template(declaring("CommonName", "SerialNumber", "Id"))
    earlier_profile(iot_provisioning="jitp", is_serial_number_required=True)

    assert check_profiles(None, databases=["default"]) == []


def test_profile_that_leaves_a_declared_parameter_empty_is_named(earlier_profile, template):
    template(declaring("CommonName", "Country", "Organization", "Id"))
    earlier_profile(iot_provisioning="jitp", subject_attributes=["organizationName"])

    (warning,) = check_profiles(None, databases=["default"])

    assert warning.id == "iotprov.W001"
    assert "default v2" in warning.msg
    assert "does not allow countryName and does not require organizationName" in warning.msg


def test_profile_that_aws_iot_is_not_told_of_may_leave_it_empty(change_default_profile, template):
    template(declaring("Country"))
    change_default_profile(iot_provisioning="none", subject_attributes=["localityName"])

    assert check_profiles(None, databases=["default"]) == []


def test_common_name_and_id_are_always_there():
    assert unfilled_parameters({"CommonName", "Id"}, []) == set()


@pytest.mark.parametrize(
    ("contents", "complaint"),
    [
        ("{", "Line 1, column 2: This is not JSON"),
        ("[]", "A template is a JSON object"),
        ("{}", "has no Parameters"),
        (declaring("Email"), "declares AWS::IoT::Certificate::Email, which JITP does not know"),
    ],
)
def test_bad_template_is_refused_with_a_sentence(template, contents, complaint):
    path = template(contents)

    _, problems = read_template(read_file(path))

    assert any(complaint in str(problem) for problem in problems if problem.is_error)
    with pytest.raises(SystemCheckError, match=complaint):
        call_command("check")


def test_a_byte_order_mark_before_a_template_is_left_out():
    path = CASES / "template-byte-order-mark.json"
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")

    _, problems = read_template(read_file(path))

    assert problems == []


@pytest.mark.parametrize(
    ("name", "contents", "complaint"),
    [
        ("gone.json", None, r".*gone\.json cannot be read: No such file"),
        ("latin.json", b"\xfc", r"latin\.json is not UTF-8"),
    ],
)
def test_file_that_cannot_be_read_is_named(tmp_path, name, contents, complaint):
    if contents is not None:
        (tmp_path / name).write_bytes(contents)

    with pytest.raises(DocumentError, match=complaint):
        read_file(tmp_path / name)
