"""Sign-in by an OpenID provider, through a provider of ours on loopback."""

import dataclasses
import http.client
import time
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from estserver.models import ProviderIdentity
from estserver.people.oidc import provider as known
from estserver.people.oidc.provider import Provider
from estserver.people.roles import ROLE_NAMES, install_roles
from pki.models import AuditEvent
from pki.operators.errors import OperatorError
from tests.estserver.people.oidc.openid_provider import CLIENT, SECRET, OpenIDProvider

pytestmark = pytest.mark.django_db

START = "/admin/provider/"


@pytest.fixture(scope="module")
def running():
    """A provider on loopback."""
    server = OpenIDProvider()
    yield server
    server.close()


@pytest.fixture
def openid(running, settings, monkeypatch):
    """The provider, which the configuration names, and which knows alice."""
    running.claims = {"sub": "a-1", "preferred_username": "alice", "groups": ["est-operators"]}
    running.userinfo, running.header = {}, {}
    running.signing_key, running.said_issuer = running.key, running.issuer
    running.asked.clear()
    monkeypatch.setenv("EST_OIDC_CLIENT_SECRET", SECRET)
    settings.ROOT_URLCONF = "tests.estserver.people.oidc.urls"
    settings.EST_OIDC = Provider(
        issuer=running.issuer,
        client_id=CLIENT,
        groups_claim="groups",
        roles={"est-operators": "Operator", "est-cas": "CA officer", "est-root": "Superuser"},
    )
    settings.AUTHENTICATION_BACKENDS = [
        *settings.AUTHENTICATION_BACKENDS, "estserver.people.oidc.backend.ProviderBackend",
    ]  # fmt: skip
    install_roles()
    known.forget()
    yield running
    known.forget()


def to_provider(client, address=START):
    """Follow a browser to the provider. Return where it sends the person back to."""
    sent = client.get(address)
    assert sent.status_code == 302, sent.text
    url = urlsplit(sent["Location"])
    connection = http.client.HTTPConnection(url.netloc, timeout=10)
    connection.request("GET", f"{url.path}?{url.query}")
    back = connection.getresponse().headers["Location"]
    connection.close()
    return back.removeprefix("http://testserver")


def sign_in(client, address=START):
    return client.get(to_provider(client, address))


def test_T79_a_person_gets_in_with_the_roles_of_their_groups(openid):
    client = Client()

    answer = sign_in(client, f"{START}?next=/admin/devices/")

    assert (answer.status_code, answer["Location"]) == (302, "/admin/devices/")
    assert client.get("/admin/devices/").status_code == 200
    account = User.objects.get(username="alice")
    assert [group.name for group in account.groups.all()] == ["Operator"]
    assert (account.is_staff, account.is_superuser) == (True, False)
    assert not account.has_usable_password()
    asked = openid.asked[0]
    assert asked["code_challenge_method"] == "S256"
    assert {"state", "nonce"} <= asked.keys()
    rows = AuditEvent.objects.filter(target="account:alice").order_by("at")
    assert {row.action for row in rows} == {"account-add", "account-change", "sign-in"}


def test_T79_a_person_without_a_mapped_group_gets_a_sentence_and_no_access(openid):
    openid.claims["groups"] = ["staff"]
    client = Client()

    answer = sign_in(client)

    assert answer.status_code == 403
    assert "none of your groups there has a role here" in answer.text
    assert client.get("/admin/").status_code == 302
    assert not User.objects.exists()
    assert AuditEvent.objects.get(action="sign-in-failed").after["subject"] == "a-1"


def test_T79_roles_are_set_at_each_sign_in_and_taken_with_the_last_group(openid):
    sign_in(Client())
    alice = User.objects.get()
    alice.groups.add(Group.objects.get(name="People manager"))  # given here by hand
    openid.claims["groups"] = ["est-cas"]

    second = Client()
    sign_in(second)
    assert [group.name for group in alice.groups.all()] == ["CA officer"]

    openid.claims["groups"] = []
    sign_in(Client())
    alice.refresh_from_db()
    assert (list(alice.groups.all()), alice.is_staff) == ([], False)
    assert second.get("/admin/devices/").status_code == 302  # its session has ended


def test_T79_a_superuser_is_one_only_if_the_group_is_mapped_to_it(openid):
    openid.claims["groups"] = ["est-root", "root", "Superuser"]
    sign_in(Client())
    assert User.objects.get().is_superuser

    openid.claims["groups"] = ["Superuser", "est-operators"]
    sign_in(Client())
    assert not User.objects.get().is_superuser


def test_T79_an_account_is_found_by_issuer_and_subject_and_not_by_name_or_address(openid):
    mine = User.objects.create_superuser("alice", "alice@example.com", password="x")
    openid.claims |= {"email": "alice@example.com", "email_verified": True}

    sign_in(Client())
    openid.claims["preferred_username"] = "alice.new"
    sign_in(Client())

    other = User.objects.exclude(pk=mine.pk).get()
    assert other.username.startswith("alice-")
    assert (other.is_superuser, ProviderIdentity.objects.get().account) == (False, other.pk)


def test_T79_an_account_that_was_disabled_here_stays_so(openid):
    client = Client()
    sign_in(client)
    User.objects.update(is_active=False)

    answer = sign_in(Client())

    assert answer.status_code == 403
    assert "Your account here is not active." in answer.text
    assert client.get("/admin/devices/").status_code == 302


def test_groups_may_be_in_userinfo_if_it_is_of_the_same_person(openid):
    del openid.claims["groups"]
    openid.userinfo = {"sub": "a-1", "groups": ["est-operators"]}
    assert sign_in(Client()).status_code == 302

    openid.userinfo = {"sub": "a-2", "groups": ["est-root"]}
    assert sign_in(Client()).status_code == 403
    assert not User.objects.get().is_superuser


FORGED = {
    "another issuer": {"iss": "https://other.example.com"},
    "another client": {"aud": "another"},
    "another client beside": {"aud": [CLIENT, "another"]},
    "another nonce": {"nonce": "guessed"},
    "an old token": {"exp": 1},
    "nobody": {"sub": ""},
}


@pytest.mark.parametrize("what", FORGED)
def test_T79_a_token_that_is_not_for_this_sign_in_is_refused(openid, what):
    openid.claims |= FORGED[what]
    client = Client()

    answer = sign_in(client)

    assert answer.status_code == 403
    assert "The answer of the provider could not be used" in answer.text
    assert client.get("/admin/").status_code == 302
    assert not User.objects.exists()


@pytest.mark.parametrize("header", [{}, {"alg": "none"}, {"alg": "HS256"}])
def test_T79_a_token_of_another_key_or_algorithm_is_refused(openid, header):
    openid.header = header
    openid.signing_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    assert sign_in(Client()).status_code == 403
    assert not User.objects.exists()


def test_T79_an_answer_that_another_browser_asked_for_signs_nobody_in(openid):
    back = to_provider(Client())
    victim = Client()

    assert victim.get(back).status_code == 403
    to_provider(victim)  # this browser has a state of its own
    assert victim.get(back).status_code == 403
    assert not User.objects.exists()


def test_T79_an_answer_is_taken_once(openid):
    client = Client()
    back = to_provider(client)
    assert client.get(back).status_code == 302

    assert client.get(back).status_code == 403


def test_T29_a_stranger_on_the_way_to_the_provider_adds_no_row(openid):
    client = Client()

    to_provider(client)

    assert not Session.objects.exists()
    assert client.cookies["provider"]["httponly"]
    assert client.cookies["provider"]["path"] == START


def test_a_page_of_another_site_is_not_led_to(openid):
    client = Client()

    assert sign_in(client, f"{START}?next=https://evil.example.com/")["Location"] == "/admin/"


def test_a_provider_that_is_not_the_one_named_is_said(openid):
    openid.said_issuer = "https://other.example.com"

    answer = Client().get(START)

    assert answer.status_code == 403
    assert "Write the same one." in answer.text


def test_a_provider_that_is_gone_is_said(openid, settings):
    settings.EST_OIDC = Provider(
        issuer="http://127.0.0.1:9", client_id=CLIENT, groups_claim="groups", roles={}
    )

    assert "does not answer" in Client().get(START).text


def test_the_sign_in_page_offers_it(openid):
    text = Client().get("/admin/login/?next=/admin/devices/").text

    assert '/admin/provider/?next=%2Fadmin%2Fdevices%2F"' in text


def test_T65_a_person_without_a_password_is_sent_to_the_provider_to_give_theirs(openid, device_ca):
    openid.claims["groups"] = ["est-cas"]
    openid.claims["auth_time"] = int(time.time()) - 3600  # the provider's own session
    client = Client()
    sign_in(client)
    page = f"/admin/pki/certificateauthority/{device_ca.pk}/distrust/"
    asked = client.get(page)
    assert asked.status_code == 403
    assert "/admin/provider/?again=yes" in asked.text

    openid.claims["auth_time"] = int(time.time())
    answer = sign_in(client, f"{START}?again=yes&next={page}")

    assert answer["Location"] == page
    assert (openid.asked[-1]["prompt"], openid.asked[-1]["max_age"]) == ("login", "0")
    assert client.get(page).status_code == 200


@pytest.mark.parametrize("missing", [{"client_id": ""}, {"roles": {}}], ids=["client", "roles"])
def test_half_a_configuration_is_refused(openid, settings, missing):
    half = dataclasses.replace(settings.EST_OIDC, **missing)

    with pytest.raises(ImproperlyConfigured, match="oidcClientId or oidcRoles"):
        known.refuse_half_a_configuration(half)


def test_a_library_that_is_not_installed_is_said(openid, settings, monkeypatch):
    monkeypatch.setattr(known, "find_spec", lambda name: None)

    with pytest.raises(ImproperlyConfigured, match="pip install mozilla-django-oidc"):
        known.refuse_half_a_configuration(settings.EST_OIDC)


@pytest.mark.parametrize("kind", ["none", "file", "gone"])
def test_the_secret_is_in_the_environment_or_in_a_file(openid, monkeypatch, tmp_path, kind):
    monkeypatch.delenv("EST_OIDC_CLIENT_SECRET")
    path = tmp_path / "secret"
    if kind == "file":
        path.write_text("of a file\n")
    file = None if kind == "none" else path
    found = Provider(issuer="x", client_id="x", groups_claim="x", roles={}, secret_file=file)

    if kind == "file":
        assert found.client_secret() == "of a file"
        return
    with pytest.raises(OperatorError, match="oidcClientSecretFile"):
        found.client_secret()


def test_the_configuration_may_name_each_role_and_no_other(openid):
    from estserver.config import types

    assert {*types._ROLES} == {*ROLE_NAMES, "Superuser"}
