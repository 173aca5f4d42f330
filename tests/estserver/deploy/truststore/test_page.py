"""The page of the truststore: what belongs into it, the push as a job, and the way back."""

from dataclasses import replace

import pytest
from django.contrib.auth.models import Group, User
from django.urls import reverse

from estserver.deploy.truststore.pushes import active_version
from estserver.deploy.truststore.versions import read_version
from estserver.models import TruststorePush
from estserver.people.api_tokens import make_token
from estserver.people.roles import install_roles
from pki.jobs.worker import work_on_jobs
from pki.models import AuditEvent, CertificateAuthority, Job, JobLine
from pki.record.audit_trail import Actor
from tests.estserver.api.conftest import Program
from tests.estserver.deploy import moto_gaps
from tests.estserver.deploy.account import DOMAIN

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "admin:estserver_truststorepush_changelist"
WARNING = f"API Gateway warns of the truststore of {DOMAIN}:"
PUSH = "admin:estserver_truststorepush_push"


@pytest.fixture
def domain(settings):
    """A domain with mutual TLS in the configuration; nothing is asked of AWS."""
    properties = replace(settings.CONFIG.properties, api_custom_domain_name=DOMAIN)
    settings.CONFIG = replace(settings.CONFIG, properties=properties)


@pytest.fixture
def officer(client):
    """A browser in which somebody with the role CA officer is signed in."""
    install_roles()
    person = User.objects.create_user("olga", is_staff=True)
    person.groups.set(Group.objects.filter(name="CA officer"))
    client.force_login(person)
    return client


def send(client, **fields):
    return client.post(reverse(PUSH), {"reason": "second factory", "is_here": "on", **fields})


def warn(guarded):
    """Let API Gateway warn of the truststore that it has."""
    held = {
        "truststoreUri": f"s3://{guarded.truststore_bucket}/truststore.pem",
        "truststoreVersion": active_version(guarded),
        "truststoreWarnings": ["CN=x expires soon"],
    }
    moto_gaps.change_domain(DOMAIN, mutualTlsAuthentication=held)


def finished():
    """The state and the result of the job's only line, after a worker had its turn."""
    work_on_jobs(seconds=60)
    line = JobLine.objects.get()
    return line.state, line.result


def test_the_page_shows_the_cas_and_what_changed_since_the_push(guarded, officer, new_ca):
    shown = officer.get(reverse(LIST)).text

    for ca in CertificateAuthority.objects.all():
        assert ca.name in shown
    assert "Changed since the last push" in shown
    assert active_version(guarded) in shown
    assert "Active" in shown


def test_a_comparison_says_what_a_push_would_do_and_what_api_gateway_warns_of(
    guarded, officer, new_ca
):
    warn(guarded)

    shown = officer.post(reverse("admin:estserver_truststorepush_compare")).text

    assert "A push adds it" in shown
    assert new_ca.certificate.subject.rfc4514_string() in shown
    assert f"{WARNING} CN=x expires soon." in shown
    assert not Job.objects.exists()


def test_the_api_says_of_each_ca_what_a_push_would_do(guarded, officer, client_ca, new_ca):
    CertificateAuthority.objects.filter(pk=client_ca.pk).update(status="revoked")
    person = User.objects.get(username="olga")
    _, token = make_token(person, "ci", roles=["CA officer"], actor=Actor("test"))
    warn(guarded)

    found = Program(token).post("truststore/compare").json()

    assert found["active_version"] == active_version(guarded)
    assert [new_ca.certificate.subject.rfc4514_string() in one for one in found["added"]] == [True]
    assert len(found["removed"]) == len(found["turned_away"]) == 1
    assert client_ca.certificate.subject.rfc4514_string() in found["turned_away"][0]
    assert found["warnings"] == [f"{WARNING} CN=x expires soon."]
    assert not Job.objects.exists()


def test_T27_a_push_is_a_job_that_ends_with_the_domain_trusting_the_cas(guarded, officer, new_ca):
    first = active_version(guarded)

    answer = send(officer)

    job = Job.objects.get()
    assert answer["Location"] == reverse("admin:pki_job_change", args=[job.pk])
    assert active_version(guarded) == first  # not before the worker's turn
    state, result = finished()
    active = active_version(guarded)
    assert (state, result) == ("done", f"The domain trusts version {active}.")
    assert new_ca.certificate in read_version(guarded, active).certificates
    event = AuditEvent.objects.get(action="truststore.activate", reason="second factory")
    assert (event.actor, event.after["version"]) == ("admin:olga", active)


def test_T27_clients_are_not_turned_away_without_the_tick(guarded, officer, client_ca, new_ca):
    CertificateAuthority.objects.filter(pk=client_ca.pk).update(status="revoked")
    first = active_version(guarded)

    send(officer)

    state, result = finished()
    assert state == "failed"
    assert "1 live certificates on record" in result
    assert active_version(guarded) == first
    JobLine.objects.all().delete()
    Job.objects.all().delete()
    send(officer, is_removal_meant="on")
    assert finished()[0] == "done"
    assert active_version(guarded) != first


def test_an_officer_goes_back_to_an_earlier_version(guarded, officer, new_ca):
    first = TruststorePush.objects.get()
    send(officer)
    finished()
    JobLine.objects.all().delete()
    Job.objects.all().delete()
    url = reverse("admin:estserver_truststorepush_roll-back", args=[first.pk])
    assert "2 CA certificates" in officer.get(url).text

    officer.post(url, {"reason": "a mistake", "is_here": "on", "is_removal_meant": "on"})

    assert finished()[0] == "done"
    assert active_version(guarded) == first.version_id
    assert officer.get(url).status_code == 302  # it is in force, so there is no way back to it


def test_T27_a_machine_that_deploys_says_that_the_database_is_the_deployments(
    installation, domain, officer
):
    answer = officer.post(reverse(PUSH), {"reason": "x"})

    assert answer.status_code == 200
    assert "must not get into API Gateway" in answer.text
    assert not Job.objects.exists()


def test_in_the_admins_function_nobody_is_asked_whose_database_it_is(
    installation, domain, officer, settings
):
    settings.IS_LAMBDA = True

    officer.post(reverse(PUSH), {"reason": "second factory"})

    assert Job.objects.get().parameters["reason"] == "second factory"


def test_a_viewer_sees_the_page_and_pushes_nothing(installation, domain, officer):
    User.objects.get().groups.set(Group.objects.filter(name="Viewer"))

    assert reverse(PUSH) not in officer.get(reverse(LIST)).text
    assert send(officer).status_code == 403
    assert not Job.objects.exists()


def test_without_an_api_gateway_the_page_says_so_and_offers_no_push(installation, officer):
    shown = officer.get(reverse(LIST)).text

    assert "apiCustomDomainName is not set" in shown
    assert "manage.py aws_deploy" in shown
    assert reverse(PUSH) not in shown
    refused = officer.get(reverse(PUSH), follow=True)
    assert refused.redirect_chain == [(reverse(LIST), 302)]
    assert "no domain in API Gateway (apiCustomDomainName)" in refused.text


def test_without_an_api_gateway_a_viewer_hears_of_the_roles_first(installation, client):
    install_roles()
    person = User.objects.create_user("vera", is_staff=True)
    person.groups.set(Group.objects.filter(name="Viewer"))
    client.force_login(person)

    refused = client.get(reverse(PUSH))

    assert refused.status_code == 403
    assert "apiCustomDomainName" not in refused.text
