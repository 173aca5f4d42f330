"""Pages of errors: in the console's clothes, with what happened and the way on."""

import re
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.http import QueryDict
from django.test import Client
from django.urls import path

from estserver.people.sign_in.kept_fields import MOST_CHARACTERS, KeptFields
from estserver.urls import admin as urls
from pki.models import AuditEvent, DenylistEntry
from tests.estserver.console.crawl import alice

__all__ = ["alice"]

pytestmark = pytest.mark.django_db
ADD = "/admin/pki/denylistentry/add/"
ENTRY = {"kind": "name", "value": "sensor-7", "reason": "stolen <b>"}


def is_dressed(answer):
    """The answer has the console's style, the policy, no inline code, and a way back."""
    text = answer.text
    assert "estserver/admin.css" in text
    assert "default-src 'none'" in answer["Content-Security-Policy"]
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=\"", text)
    assert not re.search(r"<script(?![^>]*\ssrc=)[^>]*>", text)
    assert 'href="/admin/"' in text
    return True


def boom(request):
    raise RuntimeError("a secret of the server")


def test_an_address_that_only_takes_forms_says_so_to_a_get(admin_client):
    for address in ("/admin/logout/", f"/admin/api-tokens/{uuid4()}/end/"):
        answer = admin_client.get(address)

        assert (answer.status_code, answer["Allow"].split(", ")[0]) == (405, "POST")
        assert is_dressed(answer)
        assert "no button was pressed. Nothing was changed." in answer.text
        assert "console-nav" in answer.text


@pytest.fixture
def broken(monkeypatch):
    """An address whose view fails."""
    from django.urls import clear_url_caches

    monkeypatch.setattr(urls, "urlpatterns", [path("admin/boom/", boom), *urls.urlpatterns])
    clear_url_caches()
    yield "/admin/boom/"
    monkeypatch.undo()
    clear_url_caches()


def test_a_page_that_is_not_there_says_so_and_has_the_navigation(admin_client):
    for address in ("/admin/nothing/", "/nothing/", "/admin/pki/job/nothing/change/"):
        answer = admin_client.get(address)
        if answer.status_code == 302:  # Django's list says that there is no such row
            continue
        assert answer.status_code == 404
        assert is_dressed(answer)
        assert "There is no such page" in answer.text
        assert "console-nav" in answer.text


def test_a_page_that_may_not_be_opened_says_so():
    client = Client()
    client.force_login(User.objects.create_user("carol", is_staff=True))

    answer = client.get("/admin/pki/job/")

    assert answer.status_code == 403
    assert is_dressed(answer)
    assert "no permission" in answer.text
    assert "The roles Viewer, Operator and CA officer may do it." in answer.text


def test_an_error_of_the_server_shows_nothing_of_it_and_asks_no_database(
    admin_client, broken, django_assert_max_num_queries
):
    admin_client.raise_request_exception = False
    with django_assert_max_num_queries(2):  # the session and the account, before the page
        answer = admin_client.get(broken)

    assert answer.status_code == 500
    assert is_dressed(answer)
    assert "a secret of the server" not in answer.text
    assert "audit trail" in answer.text


def test_a_wrong_host_is_a_page_too(admin_client):
    answer = admin_client.get("/admin/", headers={"host": "evil.example"})

    assert answer.status_code == 400
    assert "evil.example" not in answer.text
    assert "estserver/admin.css" in answer.text


def test_T07_a_form_of_another_site_is_refused_and_not_shown(alice):
    for site in ({}, {"Sec-Fetch-Site": "cross-site"}):
        answer = alice.post(ADD, ENTRY, headers=site)

        assert answer.status_code == 403
        assert is_dressed(answer)
        assert "sensor-7" not in answer.text
        assert "Send it again" not in answer.text
    assert not DenylistEntry.objects.exists()


def test_T07_a_form_of_this_site_with_an_old_token_can_be_sent_again(alice):
    answer = alice.post(ADD, ENTRY, headers={"Sec-Fetch-Site": "same-origin"})

    assert answer.status_code == 403
    assert is_dressed(answer)
    assert not DenylistEntry.objects.exists()
    assert alice.post(ADD, fields_of(answer.text)).status_code == 302
    assert DenylistEntry.objects.get().reason == ENTRY["reason"]


def fields_of(text):
    """The fields of the page's own form, the last one, as a browser would send them."""
    from html import unescape

    form = re.findall(r"<form [^>]*method=\"post\"(.*?)</form>", text, re.DOTALL)[-1]
    fields = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', form)
    return {unescape(name): unescape(value) for name, value in fields}


@pytest.fixture
def expired():
    """A browser with a form whose session has ended, and the form's token."""
    User.objects.create_superuser("bob", password="correct horse battery")
    client = Client(enforce_csrf_checks=True)
    client.post("/admin/login/", {})
    page = client.get("/admin/login/").text
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[1]
    return client, token


def sign_in(client, ended, password="correct horse battery"):
    credentials = {"username": "bob", "password": password}
    return client.post("/admin/login/", {**fields_of(ended.text), **credentials})


def test_what_was_typed_is_kept_over_a_new_sign_in_and_sent_by_the_person(expired):
    client, token = expired
    ended = client.post(ADD, {**ENTRY, "csrfmiddlewaretoken": token})
    assert ended.status_code == 403
    assert is_dressed(ended)
    assert "nothing was done" in ended.text
    assert "stolen &lt;b&gt;" in ended.text

    again = sign_in(client, ended)

    assert again.status_code == 200
    assert is_dressed(again)
    assert not DenylistEntry.objects.exists()  # nothing is done before the person sends it
    assert f'action="{ADD}"' in again.text
    done = client.post(ADD, fields_of(again.text))
    assert done.status_code == 302
    assert DenylistEntry.objects.get().reason == ENTRY["reason"]
    assert AuditEvent.objects.get(action="deny").actor == "admin:bob"


def test_a_wrong_password_keeps_it_too(expired):
    client, token = expired
    ended = client.post(ADD, {**ENTRY, "csrfmiddlewaretoken": token})

    refused = sign_in(client, ended, password="wrong")

    assert refused.status_code == 200
    assert "Please enter the correct" in refused.text
    again = sign_in(client, refused)
    assert fields_of(again.text)["value"] == "sensor-7"


def test_T22_a_secret_is_not_put_into_the_page(expired):
    client, token = expired
    key = "-----BEGIN EC PRIVATE KEY-----\nMHcC"
    typed = {**ENTRY, "new_password1": "hunter22hunter", "pem": key, "csrfmiddlewaretoken": token}

    ended = client.post(ADD, typed)

    for secret in ("hunter22hunter", "MHcC"):
        assert secret not in ended.text
    assert "new_password1, pem" in ended.text
    again = sign_in(client, ended)
    assert "hunter22hunter" not in again.text
    assert "correct horse battery" not in again.text


def test_T07_without_a_token_the_session_ended_page_shows_nothing_that_was_sent(expired):
    client, _ = expired

    answer = client.post(ADD, ENTRY)

    assert answer.status_code == 403
    assert "sensor-7" not in answer.text


def test_T04_the_kept_form_goes_to_this_host_only(expired):
    client, token = expired
    ended = client.post(ADD, {**ENTRY, "csrfmiddlewaretoken": token})
    fields = {**fields_of(ended.text), "next": "https://evil.example/"}

    again = client.post(
        "/admin/login/", {**fields, "username": "bob", "password": "correct horse battery"}
    )

    assert "evil.example" not in again.text
    assert 'action="/admin/"' in again.text


@pytest.mark.parametrize("text", ["", "{", "[1]", '[["a", 1]]', '{"a": "b"}', "null", '["ab"]'])
def test_what_is_not_of_this_server_is_not_kept(text):
    kept = KeptFields.read(text)

    assert all(isinstance(value, str) for _, value in kept.fields)
    assert len(kept.fields) <= 1


def test_fields_are_kept_in_their_order_and_to_a_bound():
    posted = QueryDict("b=1&a=2&b=3&csrfmiddlewaretoken=x")
    assert KeptFields.of_form(posted).fields == (("b", "1"), ("b", "3"), ("a", "2"))
    assert KeptFields.read(KeptFields.of_form(posted).as_text()) == KeptFields.of_form(posted)

    large = QueryDict(mutable=True)
    large["body"] = "x" * (MOST_CHARACTERS + 1)
    assert KeptFields.of_form(large, ["file"]) == KeptFields((), ("body", "file"))


def test_a_get_without_a_session_is_led_to_the_login_page_as_before(client):
    answer = client.get(ADD)

    assert (answer.status_code, answer["Location"]) == (302, f"/admin/login/?next={ADD}")
