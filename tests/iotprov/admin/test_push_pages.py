"""Before a push: what it changes, which version falls out, and what is typed back."""

import pytest

from iotprov.documents.usage import users_in_words
from iotprov.models import DocumentPush, DocumentVersion
from pki.models import CertificateProfile, IssuedCertificate
from tests.iotprov.admin.test_documents import (
    EDITED,
    NAME,
    TEMPLATE_NAME,
    alice,
    at,
    said,
    two_targets,
    write,
)
from tests.iotprov.aws_edge import aws_edge
from tests.iotprov.samples import POLICY, template
from tests.support.builders import make_csr, make_key

__all__ = ["alice", "aws_edge", "two_targets"]

pytestmark = pytest.mark.django_db(transaction=True)

BROAD = POLICY.replace('"iot:Connect"', '"iot:*"')


def push(alice, kind="policy", **sent):
    """Push as the page does, which says which version it is about."""
    form = alice.get(at("push", kind)).context["form"]
    return alice.post(
        at("push", kind), {"target": "", "version": form["version"].value(), **sent}, follow=True
    )


def test_T138_a_policy_that_allows_everything_is_pushed_when_its_name_is_typed_back(
    alice, aws_edge
):
    write(alice, BROAD)
    shown = alice.get(at("push"))

    without = push(alice)
    other = push(alice, name="est_iot_policy")
    calls_before = list(aws_edge.calls)
    done = push(alice, name=NAME)

    assert "name" in shown.context["form"].fields
    assert "This field is required." in without.text
    assert f"This is not the name of the policy, which is {NAME}." in other.text
    assert calls_before == []
    assert said(done)[-1] == f"success: default: {NAME} was made (version 1)."


def test_a_policy_that_names_its_actions_and_a_template_ask_for_no_name(alice):
    write(alice, EDITED)
    write(alice, template(), kind="template")

    for kind in ("policy", "template"):
        assert "name" not in alice.get(at("push", kind)).context["form"].fields


def test_T61_what_came_in_force_after_the_page_was_opened_is_not_pushed(alice, aws_edge):
    write(alice, EDITED)
    write(alice, POLICY)  # the other window, after the first one opened its page about v1

    refused = alice.post(at("push"), {"target": "", "version": 1})

    assert f"v2 of {NAME} is in force by now, and this page was about v1." in refused.text
    assert not DocumentPush.objects.exists()
    again = {"target": "", "version": refused.context["form"]["version"].value()}
    alice.post(at("push"), again)
    assert DocumentPush.objects.get().version.number == 2


@pytest.mark.parametrize("kind", ["policy", "template"])
def test_a_look_before_a_push_names_the_version_that_falls_out(alice, aws_edge, kind):
    texts = {
        "policy": lambda number: POLICY.replace("messages/", f"v{number}/"),
        "template": lambda number: template(thing={"AttributePayload": {"v": str(number)}}),
    }
    push(alice)  # a template needs the policy
    for number in range(1, 6):
        write(alice, texts[kind](number), kind=kind)
        push(alice, kind)
    write(alice, texts[kind](6), kind=kind)
    before = DocumentPush.objects.values_list("kind", "aws_version").order_by("kind")
    held = list(before)

    looked = alice.post(at("push", kind), {"target": "", "look": "yes"})
    compared = alice.post(at("compare", kind), {"target": ""})
    assert list(before) == held
    done = push(alice, kind)

    oldest = 1 if kind == "template" else 2  # the file's policy was version 1 there
    falls = f"A push deletes version {oldest}, the oldest that is not in force."
    for page in (looked, compared):
        assert falls in page.context["result"]
        assert "diff-added" in page.context["result"]
    assert f"The oldest, version {oldest}, was deleted." in said(done)[-1]
    assert (
        looked.context["form"]["version"].value()
        == DocumentVersion.objects.filter(kind=kind).latest("number").number
    )


def test_a_look_at_a_policy_that_allows_everything_needs_no_name(alice, two_targets):
    write(alice, BROAD)
    here, _ = two_targets

    looked = alice.post(at("push"), {"target": "here", "look": "yes"})

    assert "<h2>here</h2>" in looked.context["result"]
    assert "<h2>there</h2>" not in looked.context["result"]
    assert "name" in looked.context["form"].fields
    assert not looked.context["form"].errors
    assert "CreatePolicy" not in [call[0] for call in here.calls]


# How many certificates use it


def test_list_page_and_push_say_how_many_live_certificates_use_a_document(
    alice, aws_edge, est_client
):
    CertificateProfile.objects.update(iot_provisioning="jitp")
    for number in range(3):
        est_client.simpleenroll(make_csr(f"sensor-{number}", key=make_key(index=number)))
    write(alice, EDITED)
    row = DocumentVersion.objects.get()
    unused = alice.get(at("change", row=row)).text
    push(alice)

    assert "No target has it, so no certificate uses it." in unused
    assert "Live certificates that use it: 3." in alice.get(at("changelist")).text
    assert "Live certificates that use it: 3." in alice.get(at("push")).text
    assert "Live certificates that use it: 3." in alice.get(at("push", "template")).text
    assert "3 live certificates, at default" in alice.get(at("change", row=row)).text


def test_certificates_without_aws_iot_or_at_their_end_do_not_use_a_document(
    installation, est_client, monkeypatch
):
    for number in range(3):
        est_client.simpleenroll(make_csr(f"sensor-{number}", key=make_key(index=number)))
    assert users_in_words() == "0"

    CertificateProfile.objects.update(iot_provisioning="register")
    assert users_in_words() == "3"
    IssuedCertificate.objects.filter(common_name="sensor-0").update(state="revoked")
    assert users_in_words() == "2"

    monkeypatch.setattr("pki.record.bounded_counts.MOST_COUNTED", 1)
    assert users_in_words() == "more than 1"


# Two versions


def test_any_two_versions_are_compared_the_earlier_one_first(alice):
    for word in ("one", "two", "three"):
        write(alice, POLICY.replace("messages/", f"{word}/"))
    first, _, third = DocumentVersion.objects.order_by("number")

    for row, other in ((first, third), (third, first)):
        shown = alice.post(at("compare-versions", row=row), {"other": other.pk})
        lines = shown.context["result"]
        assert 'class="diff-removed">-' in lines
        assert lines.index("one/") < lines.index("three/")
        assert "two/" not in lines


def test_a_version_is_compared_with_those_of_its_own_document_only(alice):
    write(alice, EDITED)
    row = DocumentVersion.objects.get()
    write(alice, template(), kind="template")
    other = DocumentVersion.objects.get(kind="template")

    alone = alice.get(at("compare-versions", row=row), follow=True)
    write(alice, POLICY)
    refused = alice.post(at("compare-versions", row=row), {"other": other.pk})

    assert said(alone)[-1] == f"error: {NAME} v1 is the only version on record."
    assert "Select a valid choice" in refused.text
    assert TEMPLATE_NAME not in str(refused.context["form"]["other"])


def test_versions_that_differ_in_layout_say_so(alice):
    write(alice, EDITED)
    write(alice, " ".join(EDITED.split()).replace(" ", ""))
    second, first = DocumentVersion.objects.all()

    shown = alice.post(at("compare-versions", row=first), {"other": second.pk})

    assert "differ in layout only." in shown.context["result"]


def test_the_configured_file_is_pushed_as_it_was_shown(alice, aws_edge):
    done = push(alice)

    assert said(done)[-1] == f"success: default: {NAME} was made (version 1)."
    assert DocumentPush.objects.get().version is None
