"""Template and policy in the web admin: written, looked at, compared, pushed, rolled back."""

import json
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.contrib.auth.models import Permission, User
from django.urls import reverse

from iotprov.conf import IoTTarget
from iotprov.models import DocumentPush, DocumentVersion
from pki.aws.clients import forget_clients
from pki.models import AuditEvent
from tests.iotprov.aws_edge import TIMEOUT, AWSEdge, aws_edge
from tests.iotprov.samples import CASES, POLICY, template
from tests.support.builders import make_csr, make_key

__all__ = ["aws_edge"]

pytestmark = pytest.mark.django_db(transaction=True)

NAME = "est_iot_policy_default"
TEMPLATE_NAME = "est_iot_provisioning_template"
EDITED = POLICY.replace("messages/", "news/")


@pytest.fixture
def alice(installation, client):
    """A browser in which the superuser alice is signed in."""
    client.force_login(User.objects.create_superuser("alice"))
    return client


@pytest.fixture
def two_targets(aws_edge, settings):
    """Registries in two regions: the AWS of each of them."""
    targets = (IoTTarget("here"), IoTTarget("there", region="us-east-1"))
    settings.IOT = replace(settings.IOT, targets=targets)
    return aws_edge, AWSEdge().serve(targets[1].place)


def at(name, kind="policy", row=None):
    """The URL of one of a document's pages."""
    url = f"admin:iotprov_{kind}version_{name}"
    return reverse(url, args=[row.pk] if row else [])


def write(alice, body, *, kind="policy", reason="test", follow=True):
    """Send the form as a browser does: with CR LF."""
    based_on = alice.get(at("add", kind)).context["form"]["based_on"].value()
    return send(alice, body, based_on, kind=kind, reason=reason, follow=follow)


def send(alice, body, based_on, *, kind="policy", reason="test", follow=True):
    """Send the form of a page that was opened when ``based_on`` was in force."""
    sent = {"body": body.replace("\n", "\r\n"), "reason": reason, "based_on": based_on}
    return alice.post(at("add", kind), sent, follow=follow)


def said(response):
    """The messages, by level."""
    return [f"{message.level_tag}: {message}" for message in response.context["messages"]]


# Writing


def test_the_form_starts_from_what_is_in_force(alice):
    shown = alice.get(at("add"))

    assert shown.context["form"]["body"].value() == POLICY


def test_T61_of_two_windows_the_second_is_told_what_the_first_has_saved(alice):
    mine = POLICY.replace("messages/", "mine/")
    write(alice, EDITED)  # the other window, after this one was opened

    refused = send(alice, mine, 0)

    assert "v1 by admin:alice came in force since you began" in refused.text
    assert refused.context["form"]["body"].value().replace("\r\n", "\n") == mine
    assert "news/" in refused.context["result"]
    assert "mine/" in refused.context["result"]
    assert DocumentVersion.objects.count() == 1
    send(alice, mine, refused.context["form"]["based_on"].value())
    assert DocumentVersion.objects.get(number=2).body == mine


@pytest.mark.parametrize("page", ["take-file", "roll-back"])
def test_T61_a_text_that_comes_back_never_replaces_one_that_its_page_did_not_show(alice, page):
    write(alice, EDITED)
    write(alice, POLICY.replace("messages/", "second/"))
    row = DocumentVersion.objects.get(number=1) if page == "roll-back" else None
    opened = alice.get(at(page, row=row))
    write(alice, POLICY.replace("messages/", "third/"))  # the other window
    sent = {"reason": "x", "based_on": opened.context["form"]["based_on"].value()}

    refused = alice.post(at(page, row=row), sent)
    unsaid = alice.post(at(page, row=row), {"reason": "x"})

    assert "v3 by admin:alice came in force since you began" in refused.text
    assert "third/" in refused.context["result"]
    assert "second/" in opened.context["result"]
    assert unsaid.status_code == 200
    assert DocumentVersion.objects.count() == 3
    alice.post(at(page, row=row), {**sent, "based_on": refused.context["form"]["based_on"].value()})
    assert DocumentVersion.objects.count() == 4


def test_T61_a_form_that_does_not_say_what_it_started_from_saves_nothing(alice):
    alice.post(at("add"), {"body": EDITED, "reason": "test"})

    assert not DocumentVersion.objects.exists()


def test_a_version_is_kept_as_it_was_typed_and_is_on_the_trail(alice):
    done = write(alice, EDITED, reason="the news topic")

    version = DocumentVersion.objects.get()
    assert (version.body, version.number, version.created_by) == (EDITED, 1, "admin:alice")
    event = AuditEvent.objects.get(action="add-iot-policy-version")
    assert (event.actor, event.reason) == ("admin:alice", "the news topic")
    assert said(done) == [f"success: {NAME} v1 is in force. No target has it before it is pushed."]
    assert event.target == f"iot-policy:{NAME}"
    assert "add-iot-policy-version" in alice.get(at("history", row=version), follow=True).text


def test_errors_are_shown_by_line_and_column_and_the_text_is_kept(alice):
    broken = POLICY.replace('"Effect": "Allow"', '"Effect": "Maybe"', 1)

    shown = write(alice, broken)

    assert not DocumentVersion.objects.exists()
    assert ">5:17<" in shown.text
    assert "&quot;Effect&quot;: &quot;Maybe&quot;," in shown.context["result"]
    assert shown.context["form"]["body"].value() == broken.replace("\n", "\r\n")
    assert "Error" in shown.context["result"]


@pytest.mark.parametrize(
    ("body", "place"),
    [("{", "1:2"), ("[]", "1:1"), ('{"a": 1,\n "a": 2}', "2:2"), ("\u202e", "1:1")],
)
def test_what_isnt_a_document_is_shown_with_its_place(alice, body, place):
    shown = write(alice, body)

    assert f">{place}<" in shown.context["result"]
    assert not DocumentVersion.objects.exists()


def test_a_warning_stops_nothing_and_is_shown(alice):
    body = json.loads(POLICY)
    body["Statement"][0]["Resource"] = "*"

    done = write(alice, json.dumps(body, indent=2))

    assert "Warnings: " in said(done)[0]
    assert "Warning</span>" in done.text
    assert "Error</span>" not in done.text
    assert DocumentVersion.objects.count() == 1


def test_a_template_that_no_profile_can_fill_is_refused(alice, earlier_profile):
    earlier_profile(iot_provisioning="jitp", subject_attributes=["serialNumber"])

    shown = write(alice, template(parameters=("CommonName", "Country", "Id")), kind="template")

    assert "AWS::IoT::Certificate::Country is declared" in shown.context["result"]
    assert not DocumentVersion.objects.exists()


def test_T47_a_template_that_puts_all_devices_on_one_thing_is_refused(alice):
    shown = write(alice, template(thing={"ThingName": "MyThing"}), kind="template")

    assert "The ThingName is the same for every device." in shown.context["result"]
    assert not DocumentVersion.objects.exists()


def test_a_reason_is_needed_and_the_same_text_is_no_version(alice):
    write(alice, EDITED, reason="")
    assert not DocumentVersion.objects.exists()
    write(alice, EDITED)

    again = write(alice, EDITED)

    assert "has this very text already" in again.text
    assert DocumentVersion.objects.count() == 1


def test_the_configured_file_becomes_a_version(alice):
    write(alice, EDITED)

    page = alice.get(at("take-file"))
    alice.post(at("take-file"), {"reason": "back to the file", "based_on": 1})

    assert "diff-added" in page.context["result"]
    assert DocumentVersion.objects.latest("number").body == POLICY


def test_a_file_that_is_gone_is_a_sentence(alice, settings, tmp_path):
    settings.IOT = replace(settings.IOT, policy_path=tmp_path / "gone.json")

    answers = [
        alice.get(at(page)) for page in ("changelist", "add", "push", "take-file", "compare")
    ]
    refused = alice.post(at("push"), {"target": ""})

    assert {answer.status_code for answer in answers} == {200}
    assert "gone.json" in answers[0].text
    assert "gone.json cannot be read: No such file" in refused.text


def test_rolling_back_writes_the_old_text_as_a_new_version(alice):
    write(alice, EDITED)
    write(alice, POLICY)
    first = DocumentVersion.objects.get(number=1)
    assert "as v3" in alice.get(at("roll-back", row=first)).text

    alice.post(at("roll-back", row=first), {"reason": "", "based_on": 2})
    sent = {"reason": "too early", "based_on": 2}
    done = alice.post(at("roll-back", row=first), sent, follow=True)

    newest = DocumentVersion.objects.latest("number")
    assert (newest.number, newest.body) == (3, EDITED)
    assert newest.reason == "too early (back to v1)"
    assert f"success: {NAME} v3 is in force" in said(done)[0]
    again = alice.get(at("roll-back", row=first), follow=True)
    assert "has the text of" in said(again)[0]


def test_a_document_has_no_page_under_the_other_kind(alice):
    write(alice, EDITED)
    row = DocumentVersion.objects.get()

    assert alice.get(at("change", row=row)).status_code == 200
    assert alice.get(at("roll-back", "template", row)).status_code == 404
    assert alice.post(at("roll-back", "template", row), {"reason": "x"}).status_code == 404


# Pushing


def test_a_push_says_what_happened_at_each_target(alice, two_targets):
    write(alice, EDITED)
    assert "never pushed" in alice.get(at("push")).text
    first = alice.post(at("push"), {"target": "there"}, follow=True)

    done = alice.post(at("push"), {"target": ""}, follow=True)

    assert said(first) == [f"success: there: {NAME} was made (version 1)."]
    assert said(done) == [
        f"success: here: {NAME} was made (version 1). there: {NAME} is up to date (version 1)."
    ]
    assert {push.target: str(push.version) for push in DocumentPush.objects.all()} == {
        "here": f"{NAME} v1",
        "there": f"{NAME} v1",
    }
    assert done.text.count("In sync") == 2
    pushed = AuditEvent.objects.filter(action="push-iot-policy")
    assert {event.actor for event in pushed} == {"admin:alice"}


@pytest.mark.parametrize("fault", ["AccessDeniedException", "ThrottlingException", TIMEOUT])
def test_a_target_that_fails_is_a_message_and_keeps_no_other_waiting(alice, two_targets, fault):
    _, there = two_targets
    there.fail("GetPolicy", fault, times=5)

    done = alice.post(at("push"), {"target": ""}, follow=True)

    fine, failed = said(done)
    assert fine.startswith("success: here: ")
    assert failed.startswith("error: there: iot:GetPolicy at there failed with ")
    assert done.status_code == 200
    assert "Failed" in done.text
    assert "In sync" in done.text


def test_a_push_without_time_says_what_is_left(alice, two_targets, monkeypatch):
    monkeypatch.setattr("iotprov.admin.targets.WAIT", 0.0)

    done = alice.post(at("push"), {"target": ""}, follow=True)

    assert said(done) == [
        f"error: {name}: There was no time left. Push again." for name in ("here", "there")
    ]
    assert not DocumentPush.objects.exists()


def test_only_the_version_in_force_offers_to_be_pushed(alice, aws_edge):
    write(alice, EDITED)
    write(alice, POLICY)
    first, second = DocumentVersion.objects.order_by("number")

    assert at("push-this", row=second) in alice.get(at("change", row=second)).text
    assert at("push-this", row=first) not in alice.get(at("change", row=first)).text
    refused = alice.post(at("push-this", row=first), {"target": ""}, follow=True)
    assert "Roll back to it first." in said(refused)[-1]
    assert aws_edge.calls == []
    done = alice.post(at("push-this", row=second), {"target": ""}, follow=True)

    assert said(done)[-1] == f"success: default: {NAME} was made (version 1)."
    assert DocumentPush.objects.get().version == second


def test_a_template_goes_with_its_role_and_after_its_policy(alice, aws_edge):
    write(alice, template(), kind="template")
    early = alice.post(at("push", "template"), {"target": ""}, follow=True)
    alice.post(at("push"), {"target": ""})

    done = alice.post(at("push", "template"), {"target": ""}, follow=True)

    assert "Run manage.py sync_policy first" in said(early)[0]
    assert f"{TEMPLATE_NAME} was made (version 1)" in said(done)[-1]
    assert "ESTServerDeviceProvisioningRole" in said(done)[-1]
    assert TEMPLATE_NAME in aws_edge.templates


def test_a_target_is_behind_until_it_is_pushed_again(alice, aws_edge):
    write(alice, EDITED)
    alice.post(at("push"), {"target": ""})
    write(alice, POLICY)

    behind = alice.get(at("changelist")).text
    alice.post(at("push"), {"target": ""})

    assert "Behind" in behind
    assert ">v1<" in behind
    assert "In sync" in alice.get(at("changelist")).text


def test_a_text_that_was_sound_once_isnt_pushed_when_profiles_have_changed(
    alice, aws_edge, earlier_profile
):
    write(alice, template(parameters=("CommonName", "Country", "Id")), kind="template")
    earlier_profile(iot_provisioning="jitp", subject_attributes=["serialNumber"])

    shown = alice.get(at("push", "template"))
    refused = alice.post(at("push", "template"), {"target": ""})

    assert "Country is declared" in shown.context["result"]
    assert "It was not done." in refused.text
    assert not aws_edge.templates


# Comparing


def test_comparing_shows_what_a_push_would_change_and_writes_nothing(alice, two_targets):
    alice.post(at("push"), {"target": "here"})
    write(alice, EDITED)
    before = AuditEvent.objects.count(), list(DocumentPush.objects.values())
    here, _ = two_targets
    here.calls.clear()
    alice.get(at("compare"))
    assert here.calls == []

    shown = alice.post(at("compare"), {"target": ""})

    assert shown.status_code == 200
    assert "news/" in shown.context["result"]
    assert "(nothing)" in shown.context["result"]
    assert (AuditEvent.objects.count(), list(DocumentPush.objects.values())) == before


def test_T47_a_policy_of_another_place_is_warned_of_when_it_is_compared_or_pushed(alice, aws_edge):
    write(alice, (CASES / "policy-other-account-and-region.json").read_text())
    warning = "The policy names account 111122223333 and region us-east-1, and the target default"

    compared = alice.post(at("compare"), {"target": ""})
    pushed = alice.post(at("push"), {"target": ""}, follow=True)

    assert warning in compared.text
    assert any(warning in message for message in said(pushed))


def test_comparing_with_a_target_out_of_reach_is_a_sentence_beside_the_others(alice, two_targets):
    alice.post(at("push"), {"target": ""})
    _, there = two_targets
    there.fail("GetPolicy", "AccessDeniedException")

    shown = alice.post(at("compare"), {"target": ""})

    assert "AWS has what is in force." in shown.context["result"]
    assert "iot:GetPolicy at there failed with AccessDeniedException" in shown.context["result"]


# Preview


def test_a_preview_resolves_thing_and_policy(alice, aws_edge, est_client):
    write(alice, template(parameters=("CommonName", "Id"), thing={"AttributePayload": {"a": "b"}}),
          kind="template")  # fmt: skip
    certificate = est_client.simpleenroll(make_csr("sensor-1")).certificate
    pem = certificate.public_bytes(Encoding.PEM).decode()
    serial = f"{certificate.serial_number:x}"

    by_serial = alice.post(at("preview"), {"serial_number": serial, "target": "default"})
    pasted = alice.post(at("preview", "template"), {"pasted": pem})

    for shown in (by_serial, pasted):
        assert "<td>sensor-1</td>" in shown.context["result"]
        assert "Attribute a" in shown.context["result"]
    assert "arn:aws:iot:eu-central-1:123456789012:client/sensor-1" in by_serial.context["result"]
    assert "&lt;ACCOUNT_ID&gt;:client/sensor-1" in pasted.context["result"]


def test_a_preview_of_a_csr_has_no_certificate_id_yet(alice):
    write(alice, template(parameters=("CommonName", "Id"), thing={"AttributePayload": {}}),
          kind="template")  # fmt: skip
    csr = x509.load_der_x509_csr(make_csr("sensor-7", key=make_key()))
    pem = csr.public_bytes(Encoding.PEM).decode()

    shown = alice.post(at("preview"), {"pasted": pem})

    assert "none before it is signed" in shown.context["result"]


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({}, "Give a serial number, or paste"),
        ({"serial_number": "1", "pasted": "2"}, "Give a serial number, or paste"),
        ({"pasted": "<script>alert(1)</script>"}, "The pasted text is neither"),
        ({"serial_number": "abc"}, "No certificate"),
        ({"serial_number": "xyz"}, "is not a serial number"),
    ],
)
def test_what_cant_be_previewed_is_a_sentence(alice, asked, sentence):
    shown = alice.post(at("preview"), asked)

    assert shown.status_code == 200
    assert sentence in " ".join(shown.context["form"].non_field_errors())
    assert "<td><script>" not in shown.text


def test_a_preview_for_an_account_out_of_reach_is_a_sentence(alice, est_client):
    certificate = est_client.simpleenroll(make_csr("sensor-1")).certificate
    write(alice, template(parameters=("CommonName", "Id"), thing={"AttributePayload": {}}),
          kind="template")  # fmt: skip
    forget_clients()

    shown = alice.post(
        at("preview"), {"serial_number": f"{certificate.serial_number:x}", "target": "default"}
    )

    assert "sts:GetCallerIdentity failed" in shown.text


# Who may


def test_template_and_policy_have_permissions_of_their_own(alice, client):
    write(alice, EDITED)
    bob = User.objects.create_user("bob", is_staff=True)
    bob.user_permissions.set(
        Permission.objects.filter(
            codename__in=["view_policyversion", "view_templateversion", "add_templateversion"]
        )
    )
    client.force_login(bob)

    assert client.get(at("changelist")).status_code == 200
    assert client.post(at("compare"), {"target": "nowhere"}).status_code == 200
    assert at("push") not in client.get(at("changelist")).text
    refused = [
        client.post(at("push"), {"target": ""}),
        client.post(at("push", "template"), {"target": ""}),
        client.post(at("add"), {"body": POLICY, "reason": "x"}),
        client.post(at("roll-back", row=DocumentVersion.objects.get()), {"reason": "x"}),
    ]
    assert [answer.status_code for answer in refused] == [403] * 4
    write(client, template(), kind="template")
    assert DocumentVersion.objects.filter(kind="template").exists()


def test_lists_cost_the_same_whatever_their_length(alice, django_assert_max_num_queries):
    for number in range(1, 30):
        version = DocumentVersion.objects.create(
            kind="policy", name=NAME, number=number, body=POLICY, reason="x", created_by="x"
        )
    DocumentPush.objects.create(kind="policy", name=NAME, target="default", version=version)

    with django_assert_max_num_queries(12):
        alice.get(at("changelist"))


def test_a_check_while_typing_names_each_place_and_changes_nothing(alice):
    url = reverse("admin:iotprov_policyversion_add")
    text = POLICY.replace('"Effect": "Allow"', '"Effect": "Maybe"', 1).replace("\n", "\r\n")

    found = alice.post(url, {"body": text}, headers={"X-Check": "yes"}).json()["problems"]
    fine = alice.post(url, {"body": POLICY}, headers={"X-Check": "yes"}).json()["problems"]

    assert ("5:17", True) in [(one["place"], one["is_error"]) for one in found]
    assert not [one for one in fine if one["is_error"]]
    assert not DocumentVersion.objects.exists()
