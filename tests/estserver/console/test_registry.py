"""The console's registry: a page has one address, and opens for whom and for what it states."""

import pytest
from django.contrib.auth.models import Permission, User
from django.http import HttpResponse
from django.test import Client
from django.urls import clear_url_caches, path, reverse

from estserver.console import navigation as navigation_module
from estserver.console.navigation import LISTS
from estserver.console.registry import Registry, Section, console, console_page, list_link
from estserver.console.site import ConsoleSite
from estserver.urls import admin as admin_urls
from tests.support.builders import make_csr

pytestmark = pytest.mark.django_db


@pytest.fixture
def site():
    from django.contrib import admin

    return admin.site


@pytest.fixture
def added(monkeypatch, site):
    """A function that registers one more page, as a console module does at its import."""
    monkeypatch.setattr(console, "links", [*console.links])
    monkeypatch.setattr(console, "pages", {**console.pages})

    def add(view, **stated):
        given = {"section": Section.TOOLS, "title": "Try", "name": "console_try", "route": "try/"}
        console_page(**{**given, **stated})(view)
        monkeypatch.setattr(admin_urls, "urlpatterns", [path("admin/", site.urls)])
        clear_url_caches()

    yield add
    monkeypatch.undo()
    clear_url_caches()


def show(request):
    return HttpResponse(f"shown to {request.user}")


def person(*permissions, **fields):
    """A browser in which a person with these permissions is signed in."""
    user = User.objects.create_user("carol", is_staff=True, **fields)
    for one in permissions:
        app, codename = one.split(".")
        user.user_permissions.add(
            Permission.objects.get(content_type__app_label=app, codename=codename)
        )
    client = Client()
    client.force_login(user)
    return client


def titles(client):
    """The links that the navigation shows to a person, in their order."""
    sections = client.get(reverse("admin:index")).context["navigation"]
    return [link.title for section in sections for link in section.links]


def test_the_default_site_is_the_consoles(site):
    assert isinstance(site._wrapped if hasattr(site, "_wrapped") else site, ConsoleSite)
    assert site.is_registered(User)


def test_a_page_opens_for_a_person_with_its_permission_only(added):
    added(show, permission="pki.view_job")

    assert person("pki.view_job").get("/admin/try/").text == "shown to carol"
    User.objects.all().delete()
    refused = person("pki.view_auditevent")
    assert refused.get("/admin/try/").status_code == 403
    assert "Try" not in titles(refused)


def test_one_of_several_permissions_is_enough(added):
    added(show, permission=("pki.view_job", "pki.change_job"))

    carol = person("pki.change_job")

    assert carol.get("/admin/try/").status_code == 200
    assert "Try" in titles(carol)


def test_a_page_without_a_permission_opens_for_staff_and_for_no_one_else(added):
    added(show)

    assert person().get("/admin/try/").status_code == 200
    stranger = Client().get("/admin/try/")
    assert (stranger.status_code, stranger["Location"]) == (302, "/admin/login/?next=/admin/try/")


def test_a_page_takes_the_methods_that_it_states(added):
    added(show)
    carol = person()

    assert carol.head("/admin/try/").status_code == 200
    refused = carol.post("/admin/try/")
    assert (refused.status_code, refused["Allow"]) == (405, "GET, HEAD")


def test_T07_a_page_that_takes_a_post_asks_for_the_token(added):
    added(show, methods=("GET", "POST"))
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("dora"))

    assert client.post("/admin/try/").status_code == 403


def test_two_pages_with_one_name_or_one_address_are_refused():
    registry = Registry()
    given = {"section": Section.TOOLS, "title": "Try", "registry": registry}
    console_page(**given, name="console_try", route="try/")(show)

    for name, route in (("console_try", "other/"), ("console_other", "try/")):
        with pytest.raises(ValueError, match="Give the page"):
            console_page(**given, name=name, route=route)(show)


def test_a_page_can_stay_out_of_the_navigation(added):
    added(show, name="console_one", route="one/<str:name>/", is_in_navigation=False)

    carol = person()

    assert "Try" not in titles(carol)
    assert reverse("admin:console_one", args=["sensor-1"]) == "/admin/one/sensor-1/"


def test_every_registered_list_has_a_place_and_every_place_a_list(site):
    registered = {
        f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
        for model in site._registry
    }
    placed = {link.url_name for link in LISTS if link.url_name.endswith("_changelist")}

    assert registered == placed


def test_a_list_that_has_no_place_is_under_other(admin_client, monkeypatch):
    jobs = "admin:pki_job_changelist"
    monkeypatch.setattr(
        navigation_module, "LISTS", tuple(link for link in LISTS if link.url_name != jobs)
    )

    sections = admin_client.get(reverse("admin:index")).context["navigation"]

    other = next(section for section in sections if section.title == "Other")
    assert [link.url for link in other.links] == ["/admin/pki/job/"]


def test_a_person_sees_what_may_be_seen_and_no_more():
    carol = person("pki.view_denylistentry", "pki.view_auditevent")

    # Each person may make tokens, of their own roles.
    assert titles(carol) == ["Overview", "Denylist", "Audit trail", "API tokens"]


def test_the_sections_stand_in_the_order_of_the_jobs(admin_client):
    sections = admin_client.get(reverse("admin:index")).context["navigation"]

    order = [section.value for section in Section]
    assert [one.title for one in sections] == sorted(
        (one.title for one in sections), key=order.index
    )
    assert sections[0].title == "Overview"


def test_the_open_page_is_marked_in_the_navigation(admin_client, est_client):
    est_client.simpleenroll(make_csr("sensor-1"))
    marks = 'href="/admin/pki/issuedcertificate/" aria-current="page"'

    assert marks in admin_client.get("/admin/pki/issuedcertificate/?status=active").text
    assert marks not in admin_client.get("/admin/").text
    assert 'href="/admin/" aria-current="page"' in admin_client.get("/admin/").text


def test_a_list_has_the_title_of_its_link_and_not_of_its_table(admin_client):
    assert "<h1>Waiting for AWS IoT</h1>" in admin_client.get("/admin/iotprov/provisioning/").text
    assert "<h1>Certificates</h1>" in admin_client.get("/admin/pki/issuedcertificate/").text


def test_a_link_with_a_filter_leads_to_the_filtered_list():
    link = list_link(Section.JOBS, "pki.job", "Running", state="running")

    assert link.url() == "/admin/pki/job/?state=running"


def test_the_search_box_leads_to_the_search_by_post_for_those_who_may_search(admin_client):
    shown = admin_client.get("/admin/").text

    assert '<form id="console-search" role="search" method="post" action="/admin/search/">' in shown
    assert 'role="search"' not in person("pki.view_job").get("/admin/").text


def test_a_stranger_sees_no_navigation_and_no_search_box(client):
    shown = client.get("/admin/login/").text

    assert "console-nav" not in shown
    assert "console-search" not in shown
