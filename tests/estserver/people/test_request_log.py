"""One JSON line for each request of the admin, as the device side writes it."""

import io
import json
import logging

import pytest
from django.urls import reverse

from estserver.console import settings_page
from estserver.operations.logs import JSONFormatter
from pki.models import AuditEvent, DenylistEntry

SECRETS = ("correct-horse-battery", "gone-in-the-log", "sessionid", "csrftoken")


@pytest.fixture
def log():
    """Return a function that returns all that was written to the log, as text."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JSONFormatter())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield stream.getvalue
    root.removeHandler(handler)
    root.setLevel(level)


def lines(text, logger="estserver.request"):
    return [line for line in map(json.loads, text.splitlines()) if line["logger"] == logger]


def test_each_request_has_a_line_that_says_who_asked_for_what(installation, admin_client, log):
    admin_client.get(reverse("admin:pki_denylistentry_changelist"), {"q": "gone-in-the-log"})
    admin_client.get("/admin/nothing-here/")

    listed, missing = lines(log())
    assert listed["message"] == "request"
    assert listed["method"] == "GET"
    assert listed["path"] == "/admin/pki/denylistentry/"
    assert listed["status"] == 200
    assert listed["milliseconds"] > 0
    assert listed["source_ip"] == "127.0.0.1"
    assert listed["actor"] == "admin:admin"
    assert missing["status"] == 404
    assert missing["request_id"] != listed["request_id"]
    assert "gone-in-the-log" not in log()


def test_a_stranger_has_no_name_and_no_session_is_read_for_the_line(
    client, db, log, django_assert_num_queries
):
    with django_assert_num_queries(0):
        client.get("/healthz")
    with django_assert_num_queries(0):
        client.get("/", REMOTE_ADDR="192.0.2.7")

    health, home = lines(log())
    assert "actor" not in health
    assert "actor" not in home
    assert home["source_ip"] == "192.0.2.7"


def test_no_password_cookie_or_pasted_text_is_in_the_log(installation, client, admin_client, log):
    client.post(
        reverse("admin:login"),
        {"username": "gone-in-the-log", "password": "correct-horse-battery"},
    )
    admin_client.post(reverse("admin:console_search"), {"q": "gone-in-the-log"})

    assert len(lines(log())) == 2
    assert not [secret for secret in SECRETS if secret in log()]


def test_the_request_id_leads_from_the_audit_trail_to_the_line(installation, admin_client, log):
    admin_client.post(
        reverse("admin:pki_denylistentry_add"),
        {"kind": DenylistEntry.Kind.COMMON_NAME.value, "value": "sensor-1", "reason": "stolen"},
    )

    (line,) = lines(log())
    assert AuditEvent.objects.get(action="deny").request_id == line["request_id"]


def test_behind_api_gateway_the_id_is_the_gateways(client, db, log):
    context = {"requestId": "11111111-2222-3333-4444-555555555555", "identity": {}}
    client.get("/admin/login/", **{"lambda.event": {"requestContext": context}})

    assert lines(log())[0]["request_id"] == context["requestId"]


def test_a_page_that_fails_leaves_its_traceback_beside_the_id(
    installation, admin_client, log, monkeypatch
):
    monkeypatch.setattr(settings_page, "effective_values", lambda config: 1 / 0)
    admin_client.raise_request_exception = False

    assert admin_client.get(reverse("admin:console_settings")).status_code == 500

    (failure,) = lines(log(), "estserver.people.request_log")
    assert "ZeroDivisionError" in failure["traceback"]
    assert failure["request_id"] == lines(log())[0]["request_id"]
