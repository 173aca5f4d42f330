"""An operator's afternoon with AWS IoT, in a real browser."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from iotprov.conf import IoTTarget
from iotprov.models import DocumentVersion, Provisioning
from tests.iotprov.aws_edge import AWSEdge, aws_edge
from tests.iotprov.cloud import record
from tests.iotprov.samples import POLICY, template
from tests.support.aws_faults import ALWAYS, Fault, failing
from tests.support.builders import make_csr, make_key
from tests.support.chromium import chromium

__all__ = ["aws_edge", "chromium"]

pytestmark = pytest.mark.django_db(transaction=True)

TARGETS = (IoTTarget("europe"), IoTTarget("america", region="us-east-1"))
POLICY_NAME = "est_iot_policy_default"
EDITOR, REASON, BUTTON = "#id_body", "#id_reason", ".submit-row input[type=submit]"


class Operator:
    """Somebody at the browser; every page that is seen can be looked at later."""

    def __init__(self, browser, server):
        self._browser, self._server = browser, server
        self._shots = os.environ.get("EST_SCREENSHOTS")
        self._count = 0

    def open(self, name, *args):
        self._browser.open(self._server.url + reverse(f"admin:{name}", args=args))
        return self._seen()

    def fill(self, **fields):
        for name, value in fields.items():
            self._browser.run(f"document.querySelector('#id_{name}').value = {json.dumps(value)}")

    def press(self):
        self._browser.submit(BUTTON)
        return self._seen()

    def _seen(self):
        if self._shots:
            Path(self._shots).mkdir(parents=True, exist_ok=True)
            self._count += 1
            self._browser.screenshot(Path(self._shots) / f"afternoon-{self._count:02}.png")
        return self._browser.run("document.body.innerText")


@pytest.fixture
def alice(installation, live_server, chromium, aws_edge, settings):
    """Signed in, with two targets."""
    settings.IOT = replace(settings.IOT, targets=TARGETS, configure_jitp=True)
    AWSEdge().serve(TARGETS[1].place)
    client = Client()
    client.force_login(User.objects.create_superuser("alice"))
    chromium.set_cookie(live_server.url, "sessionid", client.cookies["sessionid"].value)
    return Operator(chromium, live_server)


def test_T05_an_operators_afternoon_leaves_the_browser_nothing_to_report(
    alice, chromium, est_client, earlier_profile
):
    _write_and_push(alice)
    _register_cas(alice)
    earlier_profile(iot_provisioning="register")
    _mend_the_outbox(alice, est_client)

    assert chromium.complaints == []


BROKEN = POLICY.replace('"Effect": "Allow"', '"Effect": "Maybe"', 1)
ANSWERED = """
new Promise(done => new MutationObserver(() => done(
  document.querySelector('#problem-count').innerText + ' '
  + document.querySelector('#problems').innerText.replace(/\\s+/g, ' ')
)).observe(document.querySelector('#preview'), {childList: true}))
"""
"""What the page says once the server has answered."""

GUTTER = """
[...document.querySelectorAll('.editor-numbers span')]
.filter(one => one.className).map(one => one.className + ' ' + one.textContent)
"""


def test_an_editor_says_what_is_wrong_while_it_is_typed_and_saves_nothing(alice, chromium):
    alice.open("iotprov_policyversion_add")
    chromium.tab_to(EDITOR)
    alice.fill(body=BROKEN)
    chromium.type(" ")

    said = chromium.wait_for(ANSWERED)

    assert "Errors: 1." in said
    assert "Error 5:17" in said
    assert "error 5" in chromium.run(GUTTER)
    lines = chromium.run("document.querySelectorAll('.editor-numbers span').length")
    assert lines == chromium.run("document.querySelector('#id_body').value.split('\\n').length")
    assert not DocumentVersion.objects.exists()
    assert chromium.complaints == []


def test_by_keyboard_a_problem_leads_to_its_place_and_numbers_scroll_with_the_text(alice, chromium):
    alice.open("iotprov_policyversion_add")
    chromium.tab_to(EDITOR)
    # The fault stands far down, behind a letter that is two units of UTF-16.
    text = BROKEN.replace('"Statement"', "\n" * 60 + '"\U0001f600":1,"Statement"', 1)
    place = chromium.run("document.querySelectorAll('.editor-numbers span').length")
    alice.fill(body=text)
    chromium.type(" ")
    chromium.wait_for(ANSWERED)
    wanted = "document.querySelector('[data-place^=\"63:\"]')"
    at = chromium.run(f"{wanted}.dataset.place")
    chromium.run(f"{wanted}.focus()")
    chromium.press("Enter")

    line, column = (int(one) for one in at.split(":"))
    typed = chromium.run("document.activeElement.value")
    start = chromium.run("document.activeElement.selectionStart")
    before = typed.encode("utf-16-le")[: 2 * start].decode("utf-16-le")
    assert before.count("\n") + 1 == line
    assert len(before.rpartition("\n")[2]) + 1 == column
    assert place < line
    both = "document.querySelector('{}').scrollTop"
    chromium.wait_for("new Promise(done => requestAnimationFrame(() => done(1)))")
    assert chromium.run(both.format(EDITOR)) > 0
    assert chromium.run(both.format(".editor-numbers")) == chromium.run(both.format(EDITOR))
    assert chromium.complaints == []


def test_a_text_on_one_line_is_laid_out_when_it_is_pasted_and_can_be_undone(alice, chromium):
    line = json.dumps(json.loads(POLICY))
    alice.open("iotprov_policyversion_add")
    chromium.tab_to(EDITOR)
    chromium.press("Control+a")
    pasted = chromium.wait_for(
        "new Promise(done => {"
        "const field = document.querySelector('#id_body');"
        "new MutationObserver(() => done(field.value))"
        ".observe(document.querySelector('#preview'), {childList: true});"
        f"document.execCommand('insertText', false, {json.dumps(line)});"
        "field.dispatchEvent(new InputEvent('input', {inputType: 'insertFromPaste'})); })"
    )

    assert pasted == POLICY.rstrip() + "\n"
    chromium.press("Control+z")
    assert chromium.run("document.querySelector('#id_body').value") == line
    assert chromium.complaints == []


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (1280, "dark"), (375, "light"), (320, "dark")])  # fmt: skip  # noqa: E501
def test_the_editor_fits_a_telephone_and_a_zoom_of_400_percent(
    alice, chromium, est_client, width, theme
):
    est_client.simpleenroll(make_csr("sensor-1"))
    chromium.look_like(width=width, theme=theme)  # 1280 px enlarged four times are 320
    alice.open("iotprov_policyversion_add")
    chromium.tab_to(EDITOR)
    alice.fill(body=BROKEN)
    chromium.type(" ")
    chromium.wait_for(ANSWERED)
    alice._seen()

    assert chromium.run("document.documentElement.scrollWidth <= innerWidth")
    shown = chromium.run("document.querySelector('#id_body').clientWidth")
    assert shown > 0.6 * min(width, 900)
    assert chromium.run("document.querySelector('.editor-gutter').ariaHidden") == "true"


def _write_and_push(alice):
    assert "the configured file" in alice.open("iotprov_policyversion_changelist")
    alice.open("iotprov_policyversion_add")
    alice.fill(body=POLICY.replace('"Effect": "Allow"', '"Effect": "Maybe"', 1), reason="news")
    assert "5:17" in alice.press()
    alice.fill(body=POLICY.replace('"iot:Connect"', '"iot:*"').replace("messages/", "news/"))
    assert "v1 is in force" in alice.press()
    assert DocumentVersion.objects.get().body.count("\r") == 0
    alice.open("iotprov_policyversion_push")
    assert "Type its name" in alice.press()
    alice.fill(name=POLICY_NAME)
    with failing("iot", "CreatePolicy", Fault.ACCESS_DENIED, times=1):
        said = alice.press()
    assert "europe: iot:CreatePolicy at europe failed with AccessDeniedException" in said
    alice.open("iotprov_policyversion_push")
    alice.fill(name=POLICY_NAME)
    alice.press()
    alice.open("iotprov_policyversion_add")
    alice.fill(body=POLICY, reason="back to messages, and no iot:*")
    alice.press()
    alice.open("iotprov_policyversion_compare")
    assert "messages/" in alice.press()
    version = DocumentVersion.objects.get(number=1)
    alice.open("iotprov_policyversion_roll-back", version.pk)
    assert "Behind" in alice.open("iotprov_policyversion_changelist")
    alice.open("iotprov_policyversion_push")
    alice.press()

    alice.open("iotprov_templateversion_add")
    alice.fill(
        body=template(parameters=("CommonName", "Id"), thing={"AttributePayload": {"a": "b"}}),
        reason="no serial numbers",
    )
    alice.press()
    alice.open("iotprov_templateversion_push")
    assert "was made (version 1)" in alice.press()


def _register_cas(alice):
    assert "Not registered" in alice.open("iotprov_caregistration_changelist")
    alice.open("iotprov_caregistration_register")
    assert "is registered, ACTIVE" in alice.press()


def _mend_the_outbox(alice, est_client):
    with failing("iot", "RegisterCertificate", Fault.ACCESS_DENIED, times=ALWAYS):
        for number in range(3):
            csr = make_csr(f"sensor-{number}", key=make_key(index=number))
            certificate = record(est_client.simpleenroll(csr).certificate)
    assert "Failing" in alice.open("iotprov_provisioning_changelist")
    row = Provisioning.objects.filter(certificate=certificate).first()
    alice.open("iotprov_provisioning_park", row.pk)
    alice.fill(reason="waits for the new account")
    alice.press()
    assert "Needs a person" in alice.open("iotprov_provisioning_changelist")
    alice.open("iotprov_provisioning_retry", row.pk)
    assert "agrees" in alice.press()
    alice.open("pki_issuedcertificate_change", certificate.pk)
    alice.open("pki_certificateauthority_change", certificate.ca_id)
    alice.open("iotprov_templateversion_preview")
    alice.fill(serial_number=certificate.serial_number, target="europe")
    assert "sensor-2" in alice.press()
