"""Pages that ask for the password again, and what happens to the form meanwhile."""

import time
from dataclasses import replace

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.test import Client, RequestFactory
from django.urls import reverse

from estserver.console.registry import console
from estserver.models import ApiToken, SecondFactor, TruststorePush
from estserver.people import again, two_persons
from estserver.people.roles import install_roles
from iotprov.documents.versions import add_version
from pki.admin import FactAdmin
from pki.models import AuditEvent, CertificateAuthority
from pki.operators.errors import OperatorError
from tests.estserver.people.second_factor.browsing import browser, clock, enroll, sign_in
from tests.iotprov.samples import POLICY, TEMPLATE
from tests.support.showcase import ALICE

__all__ = ["clock"]

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "a password that alice has"
ASKS_AGAIN = {
    "pki_certificateauthority_create",
    "pki_certificateauthority_import",
    "auth_group_add",
    "auth_group_change",
    "auth_group_delete",
    "auth_user_add",
    "auth_user_change",
    "auth_user_delete",
    "auth_user_password_change",
    "console_api_tokens",
    "console_request",
    "console_second_factor_reset",
    "estserver_truststorepush_push",
    "estserver_truststorepush_roll-back",
    "iotprov_policyversion_push",
    "iotprov_policyversion_push-this",
    "iotprov_templateversion_push",
    "iotprov_templateversion_push-this",
    "pki_certificateauthority_distrust",
    "pki_certificateauthority_retire",
    "pki_certificateauthority_successor",
    "pki_certificateprofile_roll-back",
    "pki_issuedcertificate_key-file",
}
"""Every page and action that needs the password again."""
WHEN_SENT = {"auth_group_change", "auth_user_change", "console_api_tokens"}
"""Those that may be looked at without it."""


@pytest.fixture
def alice(installation):
    """A browser in which the superuser alice signed in a while ago."""
    client = Client()
    client.force_login(User.objects.create_superuser("alice", password=PASSWORD))
    _age(client)
    return client


def _age(client):
    session = client.session
    session["password_given_at"] -= 301
    session.save()


def _url(name):
    if name == "console_request":
        asked = two_persons.ask(
            operation="pki_certificateauthority_distrust",
            row=str(CertificateAuthority.objects.first().pk),
            subject="a CA",
            parameters={},
            person=User.objects.get(username="alice"),
            actor=ALICE,
        )
        return reverse("admin:console_request", args=[asked.pk])
    if name == "console_api_tokens":
        return reverse(f"admin:{name}")
    if name == "console_second_factor_reset":
        return reverse(f"admin:{name}", args=[User.objects.get(username="bob").pk])
    if name.endswith("_add"):
        return reverse(f"admin:{name}")
    if name.startswith("auth_"):
        row = User.objects.get(username="bob") if "user" in name else Group.objects.get(name="own")
        return reverse(f"admin:{name}", args=[row.pk])
    stem, _, slug = name.rpartition("_")
    model = next(one for one in admin.site._registry if one._meta.label_lower == ".".join(
        stem.split("_", 1)))  # fmt: skip
    operation = next(one for one in admin.site._registry[model].operations if one.slug == slug)
    if operation.is_for_list:
        return reverse(f"admin:{name}")
    pages, request = admin.site._registry[model], RequestFactory().get("/")
    known = [pages.get_object(request, str(row.pk)) for row in pages.get_queryset(request)]
    rows = [row for row in known if not operation.obstacle(row)]
    return reverse(f"admin:{name}", args=[rows[0].pk])


@pytest.fixture
def retiring(device_ca, settings):
    """An installation in which each page of the table has a row that it can be done to."""
    from pki.authorities.succeed import make_successor

    make_successor(device_ca, actor=ALICE, reason="test")
    properties = replace(settings.CONFIG.properties, api_custom_domain_name="mtls.example.com")
    settings.CONFIG = replace(settings.CONFIG, properties=properties)
    TruststorePush.objects.create(
        domain="mtls.example.com",
        uri="s3://bucket/truststore.pem",
        version_id="1",
        sha256="0" * 64,
        certificate_count=1,
        reason="first",
        pushed_by="x",
    )
    bob = User.objects.create_user("bob", is_staff=True)
    SecondFactor.objects.create(account=bob.pk, secret="x", last_step=0)
    Group.objects.create(name="own")
    add_version("template", TEMPLATE, actor=ALICE, reason="first")
    add_version("policy", POLICY.replace("messages/", "m/"), actor=ALICE, reason="first")


def test_T65_no_other_page_asks_again():
    operations = {
        f"{model._meta.app_label}_{model._meta.model_name}_{one.slug}"
        for model, model_admin in admin.site._registry.items()
        if isinstance(model_admin, FactAdmin)
        for one in model_admin.operations
        if one.asks_again
    }
    of_accounts = {
        f"auth_{model._meta.model_name}_{page}"
        for model in (User, Group)
        for page in admin.site._registry[model].asks_again
    }
    pages = {page.name for page in console.pages.values() if page.asks_again}
    sent = {page.name for page in console.pages.values() if page.asks_again_to_send}

    assert operations | of_accounts | pages | sent == ASKS_AGAIN


def test_T65_each_page_of_the_table_asks_again_and_does_nothing_before(alice, retiring):
    for name in sorted(ASKS_AGAIN):
        url, rows = _url(name), AuditEvent.objects.count()

        opened, sent = alice.get(url), alice.post(url, {"reason": "a reason of mine"})

        assert opened.status_code == (200 if name in WHEN_SENT else 403), name
        for answer in (sent,) if name in WHEN_SENT else (opened, sent):
            assert answer.status_code == 403, name
            assert "needs your password again" in answer.text
        assert "a reason of mine" in sent.text
        assert AuditEvent.objects.count() == rows
        page = alice.post(url, {again.PASSWORD: PASSWORD, again.IN_PLACE_OF_A_PAGE: "yes"})
        assert (page.status_code, page["Location"]) == (302, url)
        assert alice.get(url).status_code == 200
        _age(alice)


def test_T65_a_token_is_made_after_the_password_and_does_not_evade_the_pages(alice):
    url = reverse("admin:console_api_tokens")
    typed = {"name": "pipeline", "roles": ["CA officer", "Operator"], "days": "30"}
    install_roles()
    assert alice.get(url).status_code == 200  # to look at tokens takes no password

    asked = alice.post(url, typed)
    wrong = alice.post(url, {**typed, again.PASSWORD: "guess"})
    assert [asked.status_code, wrong.status_code] == [403, 403]
    assert not ApiToken.objects.exists()
    assert (*asked.context["kept"].fields,) == (
        ("name", "pipeline"), ("roles", "CA officer"), ("roles", "Operator"), ("days", "30")
    )  # fmt: skip

    made = alice.post(url, {**typed, again.PASSWORD: PASSWORD})
    assert "It is not shown again." in made.text
    assert ApiToken.objects.get().roles == typed["roles"]


def test_T65_what_was_typed_goes_on_after_the_password(alice, device_ca):
    ca = CertificateAuthority.objects.exclude(pk=device_ca.pk).get()
    url = reverse("admin:pki_certificateauthority_distrust", args=[ca.pk])
    asked = alice.post(url, {"name": ca.name, "reason": "the key was read out"})
    typed = dict(asked.context["kept"].fields)

    answer = alice.post(url, {**typed, again.PASSWORD: PASSWORD})

    assert typed == {"name": ca.name, "reason": "the key was read out"}
    assert answer.status_code == 302
    ca.refresh_from_db()
    assert ca.status == ca.Status.REVOKED
    assert AuditEvent.objects.filter(reason="the key was read out").exists()


def test_T65_a_secret_is_not_kept_and_the_password_is_shown_nowhere(alice, device_ca):
    url = _url("pki_issuedcertificate_key-file")
    typed = {"new_password": "of the file", "repeated_password": "of the file"}

    answer = alice.post(url, {**typed, again.PASSWORD: "guess"})

    assert "of the file" not in answer.text.replace("Password of the file", "")
    assert "guess" not in answer.text


def test_T65_a_wrong_password_is_counted_recorded_and_does_nothing(alice, device_ca):
    url = reverse("admin:pki_certificateauthority_distrust", args=[device_ca.pk])
    typed = {"name": device_ca.name, "reason": "mine"}

    answers = [alice.post(url, {**typed, again.PASSWORD: f"guess {n}"}) for n in range(5)]
    refused = alice.post(url, {**typed, again.PASSWORD: PASSWORD})

    assert all("The password is wrong." in answer.text for answer in answers)
    assert "Too many attempts" in refused.text
    device_ca.refresh_from_db()
    assert device_ca.status == device_ca.Status.ACTIVE
    failed = AuditEvent.objects.filter(action="password-check-failed", actor="admin:alice")
    assert [row.after["failures"] for row in failed.order_by("at")] == [1, 2, 3, 4, 5]


@pytest.fixture
def codes(monkeypatch):
    """A second factor that everybody has, whose code is 246810."""

    def check(person, code, *, actor):
        if code != "246810":
            raise OperatorError("The code is wrong.")

    monkeypatch.setattr(again._asked, "factor", again.SecondFactor(lambda person: True, check))


def test_T65_a_code_is_asked_for_too(alice, device_ca, codes):
    url = reverse("admin:pki_certificateauthority_distrust", args=[device_ca.pk])
    typed = {again.PASSWORD: PASSWORD, again.IN_PLACE_OF_A_PAGE: "yes"}

    without = alice.post(url, typed)
    assert "The code is wrong." in without.text
    assert again.CODE in without.text
    assert alice.get(url).status_code == 403
    assert alice.post(url, {**typed, again.CODE: "246810"}).status_code == 302
    assert alice.get(url).status_code == 200


def test_a_person_who_has_just_signed_in_is_not_asked(alice, device_ca):
    alice.force_login(User.objects.get(username="alice"))

    answer = alice.get(reverse("admin:pki_certificateauthority_distrust", args=[device_ca.pk]))

    assert answer.status_code == 200


def test_who_lacks_the_right_is_refused_and_not_asked(alice, device_ca):
    alice.force_login(User.objects.create_user("carol", is_staff=True))
    _age(alice)

    answer = alice.get(reverse("admin:pki_certificateauthority_distrust", args=[device_ca.pk]))

    assert answer.status_code == 403
    assert "The role CA officer may do it." in answer.text


def test_T65_an_account_is_looked_at_and_changed_once_the_password_was_given(alice):
    bob = User.objects.create_user("bob", is_staff=True)
    url = reverse("admin:auth_user_change", args=[bob.pk])
    form = {"username": "bob", "email": "bob@example.com", "is_active": "on", "is_staff": "on"}

    asked = alice.post(url, form)
    typed = dict(asked.context["kept"].fields)
    bob.refresh_from_db()
    assert (asked.status_code, bob.email) == (403, "")
    wrong = alice.post(url, {**typed, again.PASSWORD: "guess"})
    bob.refresh_from_db()
    assert (wrong.status_code, bob.email) == (403, "")
    answer = alice.post(url, {**typed, again.PASSWORD: PASSWORD})

    bob.refresh_from_db()
    assert (answer.status_code, bob.email) == (302, "bob@example.com")
    counted = AuditEvent.objects.get(action="password-check-failed")
    assert counted.after["failures"] == 1


def test_T65_a_person_who_has_a_second_factor_gives_its_code_again(alice, clock, settings):
    settings.EST_ADMIN_SECOND_FACTOR = "optional"
    app, _ = enroll(User.objects.get(username="alice"), clock)
    client, url = browser(), reverse("admin:auth_user_add")
    clock.pass_steps()
    sign_in(client, "alice", PASSWORD, code=app.code())
    _age(client)
    clock.pass_steps()
    typed = {again.PASSWORD: PASSWORD, again.IN_PLACE_OF_A_PAGE: "yes"}

    without = client.post(url, typed)
    assert (without.status_code, "The code is wrong" in without.text) == (403, True)
    assert client.get(url).status_code == 403
    assert client.post(url, {**typed, again.CODE: app.code()}).status_code == 302
    assert client.get(url).status_code == 200


def test_T65_a_password_from_the_future_does_not_hold(alice, device_ca):
    url = reverse("admin:pki_certificateauthority_distrust", args=[device_ca.pk])
    for seconds, status in ((0, 200), (3600, 403)):
        session = alice.session
        session["password_given_at"] = int(time.time()) + seconds
        session.save()

        assert alice.get(url).status_code == status


def test_T65_what_was_given_wrongly_is_no_field_of_the_form(alice, device_ca):
    url = reverse("admin:pki_certificateauthority_distrust", args=[device_ca.pk])

    asked = alice.post(url, {"reason": "mine", again.PASSWORD: "guess", again.CODE: "123456"})

    assert asked.context["kept"].fields == (("reason", "mine"),)
    assert asked.context["kept"].left_out == ()
    assert "no-store" in asked["Cache-Control"]
