"""The pages of devices and the search, from outside: what they show, offer and refuse."""

import base64
import re
from functools import partial

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from estserver.console.devices import list_page
from iotprov.models import Provisioning
from pki.denylist.entries import deny
from pki.devices.listing import list_devices
from pki.models import AuditEvent, DenylistEntry, IssuedCertificate
from pki.record.audit_trail import Actor
from tests.support.builders import make_csr, make_key

pytestmark = pytest.mark.django_db(transaction=True)

OPERATOR = Actor("command:tester")
SEARCH = "/admin/search/"
PEM_LINE = re.compile(r"[A-Za-z0-9+/=]{40,}")


def signed_in(*permissions):
    """A browser of a person with these permissions, or of a superuser without any."""
    if permissions:
        user = User.objects.create_user("carol", is_staff=True)
        for one in permissions:
            app, codename = one.split(".")
            user.user_permissions.add(
                Permission.objects.get(content_type__app_label=app, codename=codename)
            )
    else:
        user = User.objects.create_superuser("alice")
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def alice(installation):
    """A browser in which the superuser alice is signed in."""
    return signed_in()


@pytest.fixture
def enroll(est_client):
    """Enroll a device and return its row."""

    def enroll(name="Sensor-1", index=0):
        reply = est_client.simpleenroll(make_csr(name, key=make_key(index=index)))
        return IssuedCertificate.objects.get(serial_number=f"{reply.certificate.serial_number:x}")

    return enroll


def url_of(row):
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


# Search


def test_one_hit_opens_its_page(alice, enroll):
    row = enroll()

    by_serial = alice.post(SEARCH, {"q": row.serial_number[:8]})
    by_name = alice.post(SEARCH, {"q": " sensor-1 "})
    by_pem = alice.post(SEARCH, {"q": row.pem.replace("\n", "")})  # as an input field has it

    assert by_serial["Location"] == by_pem["Location"] == url_of(row)
    assert by_name["Location"] == "/admin/devices/Sensor-1/"


def test_several_hits_are_a_list_whose_address_can_be_kept(alice, enroll):
    enroll("pump-1")
    enroll("pump-2", index=1)

    posted = alice.post(SEARCH, {"q": "PUMP-"})
    shown = alice.get(posted["Location"])

    assert posted["Location"] == "/admin/search/?q=PUMP-"
    assert '<a href="/admin/devices/pump-1/">pump-1</a>' in shown.text
    assert '<a href="/admin/devices/pump-2/">pump-2</a>' in shown.text
    assert "Understood as: the id PUMP- of a request" in shown.text


def test_nothing_found_says_what_was_understood_and_what_to_try(alice):
    shown = alice.post(SEARCH, {"q": "zebra"}, follow=True)

    assert "the name zebra, or its beginning" in shown.text
    assert "at least six hexadecimal digits" in shown.text


def test_pasted_pem_without_a_hit_is_in_no_address(alice, enroll):
    enroll()
    csr = make_csr("stranger", key=make_key("ec-p384"))

    shown = alice.post(SEARCH, {"q": base64.b64encode(csr).decode()})

    assert shown.status_code == 200
    assert "never seen a CSR with this key" in shown.text
    assert not PEM_LINE.search(re.sub(r'value="[^"]*"|[0-9a-f]{64}', "", shown.text))


@pytest.mark.parametrize("method", ["get", "post"])
def test_T64_a_pasted_private_key_is_refused_kept_and_shown_nowhere(alice, method, caplog):
    key = make_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    secret = key.splitlines()[1]
    events = AuditEvent.objects.count()

    with CaptureQueriesContext(connection) as queries:
        shown = getattr(alice, method)(SEARCH, {"q": key})

    assert "That is a private key. It was not read" in shown.text
    assert secret not in shown.text
    assert not any(secret in query["sql"] for query in queries)
    assert secret not in caplog.text
    assert AuditEvent.objects.count() == events


def test_T64_a_private_key_without_its_pem_lines_goes_into_no_address(alice):
    der = make_key().private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    raw = base64.b64encode(der)

    shown = alice.post(SEARCH, {"q": raw.decode()})

    assert shown.status_code == 200
    assert raw.decode() not in shown.text


def test_T59_a_hit_that_the_person_may_not_see_is_none(enroll):
    row = enroll()
    deny("name", "lost-1", reason="lost", actor=OPERATOR)
    carol = signed_in("pki.view_denylistentry")

    assert "Nothing on record" not in carol.post(SEARCH, {"q": "lost-1"}, follow=True).text
    shown = carol.post(SEARCH, {"q": row.serial_number}, follow=True)

    assert "Sensor-1" not in shown.text
    assert "/admin/pki/issuedcertificate/" not in shown.text


def test_a_person_without_any_right_to_see_rows_has_no_search(installation):
    assert signed_in("pki.view_job").get(SEARCH).status_code == 403


# The page of a device


@pytest.fixture
def story(alice, enroll, est_client):
    """A device that renewed, was refused and denied, and is in AWS IoT by record."""
    first = enroll()
    reply = est_client.using(first.to_x509()).simplereenroll(
        make_csr("Sensor-1", key=make_key(index=1))
    )
    assert reply.status_code == 200
    row = IssuedCertificate.objects.get(serial_number=f"{reply.certificate.serial_number:x}")
    Provisioning.objects.create(
        certificate=row, target="default", state="parked", thing_name="Sensor-1",
        error="AWS IoT said no.",
    )  # fmt: skip
    deny("name", "sensor-1", reason="stolen from the lab", actor=OPERATOR)
    est_client.simplereenroll(make_csr("Sensor-1", key=make_key(index=2)))
    return row


def test_the_page_tells_the_whole_story(alice, story):
    shown = alice.get("/admin/devices/sensor-1/").text

    for words in (
        "The denylist names the device", "stolen from the lab", "device-denied",
        "The denylist names this thing name.", "Sensor-1", story.serial_number[:10],
        "AWS IoT said no.", "Superseded", "was replaced", "test-client", "of 3,600", "What to do",
        "was recorded as",
    ):  # fmt: skip
        assert words in shown, words


def test_the_page_offers_what_can_be_done_now_and_each_leads_back(alice, story):
    shown = alice.get("/admin/devices/Sensor-1/")

    labels = [action.label for action in shown.context["actions"]]
    assert labels == [
        "Allow again (Thing name)", "Revoke", "Release the name", "Provision again at default",
    ]  # fmt: skip
    for action in shown.context["actions"]:
        page = alice.get(action.url)
        assert page.status_code == 200
        assert '<a href="/admin/devices/Sensor-1/" class="closelink">' in page.text
    done = alice.post(shown.context["actions"][0].url, {"reason": "found"})
    assert done["Location"] == "/admin/devices/Sensor-1/"
    assert not DenylistEntry.objects.exists()
    assert alice.get("/admin/devices/Sensor-1/").context["actions"][0].label == "Deny"


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example/admin/", "//evil.example/admin/", "/healthz", "javascript:1"],
)
def test_T04_an_operation_leads_back_to_pages_of_this_site_only(alice, enroll, elsewhere):
    enroll()
    url = f"{reverse('admin:pki_denylistentry_add')}?back={elsewhere}"

    done = alice.post(url, {"kind": "name", "value": "sensor-1", "reason": "lost"})

    assert done["Location"].startswith("/admin/pki/denylistentry/")
    assert elsewhere not in alice.get(url).text.replace(f"?back={elsewhere}", "")


def test_a_person_sees_of_a_device_what_may_be_seen(story):
    carol = signed_in("pki.view_issuedcertificate")

    shown = carol.get("/admin/devices/Sensor-1/")

    assert shown.context["actions"] == []
    for words in ("stolen from the lab", "AWS IoT said no.", "device-denied", "Ask AWS IoT"):
        assert words not in shown.text, words
    assert story.serial_number[:10] in shown.text


def test_a_name_without_a_record_is_404(alice):
    assert alice.get("/admin/devices/nobody/").status_code == 404


def test_hostile_text_is_shown_as_its_escape(alice, story):
    IssuedCertificate.objects.filter(pk=story.pk).update(
        subject="<script>alert(1)</script>", san="\u202egnp.exe", device_serial="\x1b[31m"
    )

    shown = alice.get("/admin/devices/Sensor-1/").text

    assert "<script>alert" not in shown
    assert "\\u202egnp.exe" in shown
    assert "\\x1b[31m" in shown


def test_the_page_takes_few_statements_whatever_its_story(alice, story, enroll):
    enroll("other", index=5)
    with CaptureQueriesContext(connection) as few:
        alice.get("/admin/devices/other/")
    with CaptureQueriesContext(connection) as many:
        alice.get("/admin/devices/Sensor-1/")

    assert len(few) <= 34, len(few)
    assert len(many) <= 38, len(many)


def test_a_get_asks_aws_nothing_and_a_post_shows_a_failure_calmly(alice, enroll, monkeypatch):
    enroll()
    called = []
    monkeypatch.setattr(
        "iotprov.provisioning.iot_certificates.calling",
        lambda target, service, operation, **_: called.append(operation) or fail(operation),
    )

    def fail(operation):
        from pki.operators.errors import RemoteFailure

        raise RemoteFailure(f"iot:{operation}", "NoCredentials", "none were found", "Log in.")

    assert "Ask AWS IoT at default" in alice.get("/admin/devices/Sensor-1/").text
    assert called == []

    shown = alice.post("/admin/devices/Sensor-1/", {"ask": "default"})

    assert shown.status_code == 200
    assert "iot:DescribeThing failed with NoCredentials: none were found. Log in." in shown.text
    assert called == ["DescribeThing"]


def test_T07_asking_aws_needs_the_token(installation, enroll):
    enroll()
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("dora"))

    assert client.post("/admin/devices/Sensor-1/", {"ask": "default"}).status_code == 403


# The list


def test_the_list_shows_states_and_keeps_the_filter(alice, story, enroll):
    enroll("pump-1", index=3)

    whole = alice.get("/admin/devices/")
    denied = alice.get("/admin/devices/", {"state": "denied", "q": "SENS"})

    assert "2 devices" in re.sub(r"\s+", " ", whole.text)
    assert "/admin/devices/pump-1/" in whole.text
    assert "/admin/devices/pump-1/" not in denied.text
    assert "/admin/devices/Sensor-1/" in denied.text
    assert 'href="/admin/devices/?state=overdue&amp;q=SENS"' in denied.text
    assert "No device is in this state" in alice.get("/admin/devices/?state=due").text


def test_a_fleet_is_counted_for_the_first_page_of_a_longer_list_only(alice, enroll, monkeypatch):
    for index, name in enumerate(("pump-1", "pump-2", "pump-3")):
        enroll(name, index=index)

    def shown(query=""):
        with CaptureQueriesContext(connection) as queries:
            text = alice.get(f"/admin/devices/{query}").text
        counted = [one for one in queries if one["sql"].startswith("SELECT COUNT(*)")]
        return re.sub(r"\s+", " ", text), len(counted)

    text, before = shown()
    assert "3 devices" in text
    monkeypatch.setattr(list_page, "list_devices", partial(list_devices, most=2))
    text, counted = shown()
    assert "3 devices" in text
    assert counted == before + 1
    text, counted = shown("?after=pump-2")
    assert "pump-3" in text
    assert "devices </p>" not in text
    assert counted == before


def test_an_empty_list_names_the_command(alice):
    assert "manage.py quickstart" in alice.get("/admin/devices/").text
