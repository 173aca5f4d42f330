"""The editor of template and policy: what it says of a text before it is saved."""

import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from iotprov.documents.versions import add_version
from iotprov.models import DocumentVersion
from pki.models import IssuedCertificate
from tests.conftest import TESTER
from tests.iotprov.admin.test_documents import EDITED, alice, at, write
from tests.iotprov.samples import POLICY, policy, ref, template
from tests.support.builders import make_csr, make_key

__all__ = ["alice"]

pytestmark = pytest.mark.django_db(transaction=True)

FITTING = {"parameters": ("CommonName", "Id"), "thing": {"AttributePayload": {"colour": "red"}}}
ONE_LINE = json.dumps(json.loads(POLICY))


def ask(alice, body, kind="policy", what="yes", **fields):
    """Ask as the script does while a person types."""
    answer = alice.post(at("add", kind), {"body": body, **fields}, headers={"X-Check": what})
    assert answer.status_code == 200
    return answer.json()


def look(alice, body, what, kind="policy", **fields):
    """Press one of the buttons that save nothing."""
    sent = {"body": body, "reason": "kept", "based_on": 0, "look": what, **fields}
    return alice.post(at("add", kind), sent)


@pytest.fixture
def sensor(est_client):
    """A device's certificate on record, which the template in force fits."""
    add_version("template", template(**FITTING), actor=TESTER, reason="fits")
    est_client.simpleenroll(make_csr("sensor-1"))
    return IssuedCertificate.objects.get(common_name="sensor-1")


# What is wrong


def test_each_problem_is_a_link_to_its_place_and_their_number_is_said(alice):
    broken = POLICY.replace('"Effect": "Allow"', '"Effect": "Maybe"', 1)

    said = ask(alice, broken)

    errors = [one for one in said["problems"] if one["is_error"]]
    assert [one["place"] for one in errors] == ["5:17"]
    assert '<a href="#id_body" data-place="5:17">5:17</a>' in said["table"]
    warnings = len(said["problems"]) - 1
    assert said["count"] == f"Errors: 1. Warnings: {warnings}."


def test_a_text_without_problems_says_so(alice):
    said = ask(alice, policy({"Action": ["iot:Connect"], "Resource": "arn:aws:iot:<REGION>:<ACCOUNT_ID>:client/${iot:Connection.Thing.ThingName}"}))  # fmt: skip  # noqa: E501

    assert (said["count"], said["table"]) == ("The text can be used.", "")


def test_a_template_is_compared_with_the_profiles_while_it_is_typed(alice, earlier_profile):
    earlier_profile(iot_provisioning="jitp", subject_attributes=["serialNumber"])

    said = ask(alice, template(parameters=("CommonName", "Country", "Id")), kind="template")

    assert any("Country is declared" in one["message"] for one in said["problems"])
    assert "Country is declared" in said["table"]


def test_lines_are_counted_as_places_count_them(alice):
    inside = '{"Version": "2012-10-17",\n "Statement": "\u2028",\n "x": 1}'

    shown = write(alice, inside)

    assert ">3:2<" in shown.context["result"]
    assert "<code>&quot;x&quot;: 1}</code>" in shown.context["result"]


# A text on one line


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_text_on_one_line_is_laid_out_on_demand(alice, end):
    laid_out = ask(alice, ONE_LINE + end, what="readable")["text"]
    page = look(alice, ONE_LINE + end, "readable")

    assert laid_out == POLICY.rstrip() + "\n"
    assert page.context["form"]["body"].value() == laid_out
    assert page.context["form"]["reason"].value() == "kept"
    assert not page.context["form"].errors
    assert "text" not in ask(alice, ONE_LINE)
    assert not DocumentVersion.objects.exists()


def test_a_version_on_one_line_is_shown_laid_out_with_places_that_fit(alice):
    broad = json.dumps(json.loads(POLICY.replace('"iot:Connect"', '"iot:*"')))
    write(alice, broad)
    row = DocumentVersion.objects.get()

    shown = alice.get(at("change", row=row)).text

    assert row.body == broad
    assert "On record it stands on one line." in shown
    assert '<span id="line-7">        &quot;iot:*&quot;' in shown
    assert '<a href="#line-7">7:9</a>' in shown


def test_a_diff_with_a_text_on_one_line_has_the_lines_that_differ(alice):
    write(alice, ONE_LINE)
    write(alice, EDITED)
    row = DocumentVersion.objects.get(number=2)

    shown = alice.get(at("change", row=row)).text

    assert shown.count('class="diff-removed">-') == EDITED.count("news/") + 1  # and its name
    assert shown.count('class="diff-added">+') == EDITED.count("news/") + 1


# The preview


def test_the_preview_begins_with_the_newest_device_and_follows_the_text(alice, sensor):
    page = alice.get(at("add", "template"))
    serial = page.context["form"]["certificate"].value()

    red = ask(alice, template(**FITTING), "template", certificate=serial)
    blue = template(**{**FITTING, "thing": {"AttributePayload": {"colour": "blue"}}})
    changed = ask(alice, blue, "template", certificate=serial)

    assert serial == sensor.serial_number
    assert "<td>sensor-1</td>" in page.context["preview"]
    assert "<td>Attribute colour</td><td>red</td>" in red["preview"]
    assert "<td>Attribute colour</td><td>blue</td>" in changed["preview"]
    assert DocumentVersion.objects.count() == 1


def test_the_preview_of_a_policy_is_of_the_typed_one(alice, sensor):
    said = ask(alice, EDITED, certificate=sensor.serial_number)
    page = look(alice, EDITED, "preview", certificate=sensor.serial_number)

    for shown in (said["preview"], page.context["preview"]):
        assert "topic/news/sensor-1/*" in shown
        assert "topic/messages/" not in shown
    assert page.context["form"]["body"].value() == EDITED
    assert not DocumentVersion.objects.filter(kind="policy").exists()


def test_a_preview_takes_what_is_pasted_before_what_is_on_record(alice, sensor):
    csr = x509.load_der_x509_csr(make_csr("sensor-7", key=make_key()))
    pem = csr.public_bytes(Encoding.PEM).decode()

    said = ask(alice, EDITED, certificate=sensor.serial_number, pasted=pem)

    assert "<td>sensor-7</td>" in said["preview"]


def test_what_cannot_be_previewed_says_why_and_leaves_the_problems_alone(alice, sensor):
    broken = POLICY.replace('"Effect": "Allow"', '"Effect": "Maybe"', 1)
    for fields, sentence in (
        ({}, "Give a serial number above, or paste a certificate or CSR."),
        ({"certificate": "abc"}, "No certificate"),
        ({"certificate": "<script>"}, "is not a serial number"),
        ({"pasted": "<script>alert(1)</script>"}, "The pasted text is neither"),
    ):
        said = ask(alice, broken, **fields)
        assert sentence in said["preview"]
        assert "<script>" not in said["preview"]
        assert said["count"].startswith("Errors: 1.")
    assert "This is not JSON" in ask(alice, "{", certificate=sensor.serial_number)["preview"]


def test_T64_a_pasted_key_is_refused_unread_and_is_not_shown_again(alice):
    key = make_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    said = ask(alice, EDITED, pasted=key)
    page = look(alice, EDITED, "preview", pasted=key)

    assert "That is a private key. It was not read" in said["preview"]
    assert "PRIVATE KEY" not in page.text


def test_an_installation_without_devices_says_what_to_give(alice):
    page = alice.get(at("add"))

    assert page.context["form"]["certificate"].value() == ""
    assert "Give a serial number above" in page.context["preview"]


def test_a_preview_of_a_device_that_aws_iot_would_refuse_says_so(alice, sensor):
    country = {"AttributePayload": {"country": ref("Country")}}
    asking = template(parameters=("CommonName", "Country", "Id"), thing=country)

    said = ask(alice, asking, "template", certificate=sensor.serial_number)

    assert "this one has no countryName. AWS IoT would refuse the device" in said["preview"]
    assert "errornote" in said["preview"]


def test_text_of_a_client_runs_nothing_in_the_answer_to_the_script(alice):
    hostile = '{"<img src=x onerror=alert(1)>": "\u202e"}'

    said = ask(alice, hostile)

    assert "<img" not in said["table"]
    assert "&lt;img" in said["table"]
    assert "\u202e" not in json.dumps(said, ensure_ascii=False)


def test_an_editor_costs_few_statements(alice, sensor, django_assert_max_num_queries):
    with django_assert_max_num_queries(16):
        alice.get(at("add"))
    with django_assert_max_num_queries(14):
        ask(alice, EDITED, certificate=sensor.serial_number)
