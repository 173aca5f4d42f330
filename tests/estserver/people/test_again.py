"""Pages that ask for the password again, and what happens to the form meanwhile."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django.urls import reverse

from estserver.console.registry import console
from estserver.models import ApiToken
from estserver.people import again, two_persons
from estserver.people.roles import install_roles
from iotprov.documents.versions import add_version
from pki.admin import FactAdmin
from pki.models import AuditEvent, CertificateAuthority
from pki.operators.errors import OperatorError
from tests.iotprov.samples import POLICY, TEMPLATE
from tests.support.showcase import ALICE

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "a password that alice has"
ASKS_AGAIN = {
    "console_request",
    "iotprov_policyversion_push",
    "iotprov_policyversion_push-this",
    "iotprov_templateversion_push",
    "iotprov_templateversion_push-this",
    "pki_certificateauthority_distrust",
    "pki_certificateauthority_retire",
    "pki_certificateauthority_successor",
    "pki_issuedcertificate_key-file",
}
"""Every page and action that needs the password again."""


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
            person=User.objects.get(),
            actor=ALICE,
        )
        return reverse("admin:console_request", args=[asked.pk])
    stem, _, slug = name.rpartition("_")
    model = next(one for one in admin.site._registry if one._meta.label_lower == ".".join(
        stem.split("_", 1)))  # fmt: skip
    operation = next(one for one in admin.site._registry[model].operations if one.slug == slug)
    if operation.is_for_list:
        return reverse(f"admin:{name}")
    known = admin.site._registry[model].get_queryset(RequestFactory().get("/"))
    rows = [row for row in known if not operation.obstacle(row)]
    return reverse(f"admin:{name}", args=[rows[0].pk])


@pytest.fixture
def retiring(device_ca):
    """An installation in which each page of the table has a row that it can be done to."""
    from pki.authorities.succeed import make_successor

    make_successor(device_ca, actor=ALICE, reason="test")
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
    pages = {page.name for page in console.pages.values() if page.asks_again}

    assert operations | pages == ASKS_AGAIN


def test_T65_each_page_of_the_table_asks_again_and_does_nothing_before(alice, retiring):
    for name in sorted(ASKS_AGAIN):
        url, rows = _url(name), AuditEvent.objects.count()

        opened, sent = alice.get(url), alice.post(url, {"reason": "a reason of mine"})

        for answer in (opened, sent):
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
def codes():
    """A second factor that everybody has, whose code is 246810."""

    def check(person, code, *, actor):
        if code != "246810":
            raise OperatorError("The code is wrong.")

    again.use_second_factor(again.SecondFactor(lambda person: True, check))
    yield
    again.use_second_factor(None)


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
