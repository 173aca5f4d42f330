"""Pages are called as the navigation calls them, and say what an operator wants to know first."""

import re

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse
from django.utils.html import strip_tags

from estserver.console.navigation import LISTS
from iotprov.models import Provisioning
from pki.admin import jobs
from pki.jobs import registry
from pki.models import IssuedCertificate, Job, JobLine
from tests.support.builders import make_csr

pytestmark = pytest.mark.django_db

TABLES = ("Home", "Authentication and Authorization", "Provisionings", "Select ", "Issued certif")
"""Words that Django takes from tables and from its own site."""


@pytest.fixture
def alice(installation, client):
    """A browser in which the superuser alice is signed in."""
    client.person = User.objects.create_superuser("alice", password="a password")
    client.force_login(client.person)
    return client


def trail(page):
    """The breadcrumbs of a page, in words."""
    found = re.search(r'<div class="breadcrumbs">(.*?)</div>', page.text, re.DOTALL)
    return re.sub(r"\s+", " ", strip_tags(found[1])).replace("&rsaquo;", ">").strip()


def heading(page):
    return strip_tags(re.search(r"<h1>(.*?)</h1>", page.text, re.DOTALL)[1]).strip()


def test_a_list_is_called_as_in_the_navigation(alice):
    for link in LISTS[1:]:
        page = alice.get(link.url())

        assert heading(page) == link.title
        assert trail(page).endswith(f"> {link.title}")
        assert not [word for word in TABLES if word in trail(page)], link.title
        assert f"<title>{link.title} |" in page.text


def test_the_trail_of_a_row_and_of_its_operations_leads_by_the_words_of_the_navigation(
    alice, est_client
):
    est_client.simpleenroll(make_csr("pump-1"))
    row = Provisioning.objects.create(certificate=IssuedCertificate.objects.latest("created_at"))
    person = alice.person.pk

    for name, key, above in (
        ("iotprov_provisioning_change", row.pk, "AWS IoT > Waiting for AWS IoT >"),
        ("iotprov_provisioning_park", row.pk, "AWS IoT > Waiting for AWS IoT >"),
        ("pki_issuedcertificate_change", row.certificate_id, "Overview > Certificates >"),
        ("auth_user_change", person, "People > Accounts > alice"),
        ("auth_user_password_change", person, "People > Accounts > alice >"),
    ):
        page = alice.get(reverse(f"admin:{name}", args=[key]))

        assert above in trail(page)
        assert not [word for word in TABLES if word in trail(page)], name


def test_a_section_is_not_named_twice(alice):
    assert trail(alice.get(reverse("admin:pki_job_changelist"))) == "Overview > Jobs"
    assert trail(alice.get(reverse("admin:console_settings"))) == "Overview > Settings"


def test_the_list_of_accounts_says_who_may_do_what_and_the_history_is_the_trail(alice):
    bob = User.objects.create_user("bob", is_staff=True)
    bob.groups.add(Group.objects.get(name="Operator"), Group.objects.get(name="Auditor"))

    assert "Auditor, Operator" in alice.get(reverse("admin:auth_user_changelist")).text
    history = alice.get(reverse("admin:auth_user_history", args=[bob.pk]))
    assert history["Location"] == f"{reverse('admin:pki_auditevent_changelist')}?q=account%3Abob"
    assert alice.get(reverse("admin:auth_user_history", args=[0])).status_code == 404


def test_the_history_of_an_account_finds_the_rows_about_it(alice):
    bob = User.objects.create_user("bob", is_staff=True, password="another password")
    Client().post(reverse("admin:login"), {"username": "bob", "password": "another password"})
    history = alice.get(reverse("admin:auth_user_history", args=[bob.pk]), follow=True)

    events = history.context["cl"].result_list
    assert [(event.action, event.target) for event in events] == [("sign-in", "account:bob")]


@pytest.fixture
def job():
    """A job of which some lines failed."""
    made = Job.objects.create(
        kind="revoke", parameters={}, state="finished", actor="admin:alice", total=4, done=1,
        failed=3,
    )  # fmt: skip
    for number, state in enumerate(("done", "failed", "failed", "failed")):
        JobLine.objects.create(
            job=made, number=number, subject=f"pump-{number}", state=state,
            result=f"result <{number}>",
        )  # fmt: skip
    return made


def test_a_job_is_named_in_words_and_shows_how_far_it_is_and_which_lines_failed(alice, job):
    listed = alice.get(reverse("admin:pki_job_changelist")).text
    page = alice.get(reverse("admin:pki_job_change", args=[job.pk])).text

    for text in (listed, page):
        assert "Revoke certificates" in text
        assert '<progress max="4" value="4"' in text
    for number in (1, 2, 3):
        assert f"<td>pump-{number}</td><td>result &lt;{number}&gt;</td>" in page
    assert "<td>pump-0</td>" not in page
    assert "More lines failed." not in page


def test_a_job_shows_the_first_of_many_lines_that_failed(alice, job, monkeypatch):
    monkeypatch.setattr(jobs, "MOST_FAILED", 2)
    page = alice.get(reverse("admin:pki_job_change", args=[job.pk])).text

    assert "<td>pump-2</td>" in page
    assert "<td>pump-3</td>" not in page
    assert "More lines failed. All results are in the file above." in page


def test_every_kind_of_job_has_a_title_in_words():
    assert registry.titles.keys() == registry.paths.keys()
    assert not [name for name, title in registry.titles.items() if title == name]
