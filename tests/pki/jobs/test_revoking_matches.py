"""Everything that a filter of the list leaves is revoked by a job, from page and command alike."""

import io
import re

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.urls import reverse

from pki.admin.filtered import rows_of_address
from pki.jobs.worker import work_on_jobs
from pki.models import AuditEvent, IssuedCertificate, Job
from pki.operators.errors import OperatorError
from tests.pki.management.test_commands import run
from tests.support.builders import make_csr, make_key

pytestmark = pytest.mark.django_db(transaction=True)

URL = "admin:pki_issuedcertificate_revoke-matching"
TERMS = {"reason": "superseded", "comment": "recall"}


@pytest.fixture
def fleet(est_client):
    """Three pumps, of which one is revoked, and a valve."""
    for index, name in enumerate(("pump-1", "pump-2", "pump-3", "valve-1")):
        assert est_client.simpleenroll(make_csr(name, key=make_key(index=index))).certificate
    IssuedCertificate.objects.filter(common_name="pump-3").update(state="revoked")
    return IssuedCertificate.objects.filter(common_name__in=["pump-1", "pump-2"])


def revoked_by(job):
    events = AuditEvent.objects.filter(action="revoke", request_id=str(job.pk))
    return events.count()


def test_the_page_revokes_all_that_match_after_their_number_is_typed(admin_client, fleet):
    url = reverse(URL) + "?q=pump"
    page = admin_client.get(url)
    assert "2 certificates" in page.text
    page = admin_client.post(url, TERMS | {"count": "3"})
    assert "3 is not the number" in page.text
    assert not Job.objects.exists()

    page = admin_client.post(url, TERMS | {"count": "2"}, follow=True)

    assert "A job revokes 2 certificates." in page.text
    work_on_jobs(seconds=20)
    job = Job.objects.get()
    assert (job.state, job.done, revoked_by(job)) == ("finished", 2, 2)
    assert {*fleet.values_list("state", flat=True)} == {"revoked"}
    assert IssuedCertificate.objects.get(common_name="valve-1").state == "issued"


def test_the_link_on_the_list_has_its_filter(admin_client, fleet):
    page = admin_client.get(reverse("admin:pki_issuedcertificate_changelist"), {"q": "pump"})

    assert f'href="{reverse(URL)}?q=pump"' in page.text


def test_without_a_filter_nothing_is_offered(admin_client, fleet):
    page = admin_client.get(reverse(URL), follow=True)
    assert "Filter or search the list first." in page.text

    admin_client.post(reverse(URL), TERMS | {"count": "4"})

    assert not Job.objects.exists()


def test_who_may_not_change_certificates_is_refused(client, fleet):
    carol = User.objects.create_user("carol", is_staff=True)
    carol.user_permissions.add(Permission.objects.get(codename="view_issuedcertificate"))
    client.force_login(carol)

    response = client.post(reverse(URL) + "?q=pump", TERMS | {"count": "2"})

    assert response.status_code == 403
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    "address", ["q=pump", "https://admin.example/admin/pki/issuedcertificate/?q=pump"]
)
def test_the_command_revokes_what_the_list_at_an_address_shows(fleet, address):
    said = run("revoke_list", "--filter", address, "--reason=superseded", "--yes")

    job = Job.objects.get()
    assert said.endswith(f"job {job.pk}: finished, 2 of 2 lines\n")
    assert revoked_by(job) == 2


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("https://admin.example/admin/pki/issuedcertificate/", "has no filter"),
        ("", "has no filter"),
        ("q=", "has no filter"),
        ("stat=issued", "'stat' is not a filter of the list. Use: "),
        ("common_name__startswith=p", "is not a filter of the list"),
        ("status=bogus", "'bogus' is not a value of status. Use one of: active, "),
        ("status=active&made=ever", "'ever' is not a value of made. Use one of: today, "),
        ("profile__name=none", "'none' is not a value of profile__name. Use one of: default"),
        ("ca__id__exact=1", "'1' is not a value of ca__id__exact"),
        ("ends_from=monday", "'monday' is not a day. Use YYYY-MM-DD"),
        ("address=here", "'here' is not an IP address"),
    ],
)
def test_an_address_without_a_filter_or_with_another_is_refused(fleet, address, said):
    with pytest.raises(OperatorError, match=said):
        rows_of_address(IssuedCertificate, address)


def test_without_yes_what_the_filter_leaves_is_counted_and_nothing_is_revoked(fleet):
    out = io.StringIO()
    with pytest.raises(CommandError, match="Add --yes"):
        call_command("revoke_list", "--filter", "q=pump", "--reason=superseded", stdout=out)

    assert re.fullmatch(r"The filter leaves \d+ certificates\.\n", out.getvalue())
    assert not Job.objects.exists()


def test_a_value_that_a_filter_does_not_offer_revokes_nothing(fleet):
    with pytest.raises(CommandError, match="'bogus' is not a value of status"):
        run("revoke_list", "--filter", "status=bogus", "--reason=superseded")

    assert not Job.objects.exists()


def test_the_command_revokes_nothing_that_matches_nothing(fleet):
    with pytest.raises(CommandError, match="has no lines"):
        run("revoke_list", "--filter", "q=engine", "--reason=superseded")


def test_what_comes_to_match_later_is_not_revoked(fleet, est_client):
    run("revoke_list", "--filter", "q=pump", "--reason=superseded", "--yes", "--no-wait")
    assert est_client.simpleenroll(make_csr("pump-9", key=make_key(index=9))).certificate

    work_on_jobs(seconds=20)

    assert IssuedCertificate.objects.get(common_name="pump-9").state == "issued"
    assert Job.objects.get().done == 2
