"""Labels and the end of trust in a CA, as operators see and change them in the web admin."""

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from pki.authorities.import_ca import import_authority
from pki.authorities.succeed import make_successor
from pki.checks import check_client_cas
from pki.models import AuditEvent, CertificateAuthority, CertificateProfile
from tests.conftest import TESTER
from tests.support.builders import make_ca, make_csr

pytestmark = pytest.mark.django_db(transaction=True)

Status = CertificateAuthority.Status


@pytest.fixture
def alice(installation, client):
    """A browser in which the superuser alice is signed in."""
    client.force_login(User.objects.create_superuser("alice"))
    return client


def page(row, operation="change"):
    """The URL of a row's page."""
    model = row._meta
    return reverse(f"admin:{model.app_label}_{model.model_name}_{operation}", args=[row.pk])


def said(response):
    return " ".join(str(message) for message in response.context["messages"])


def import_client_ca(name):
    ca = make_ca(name)
    return import_authority(
        CertificateAuthority.Purpose.CLIENT,
        name,
        [ca.certificate],
        key=None,
        signer="",
        actor=TESTER,
    )


def default_profile():
    return CertificateProfile.objects.get(active_label="")


def test_T46_distrust_shows_what_stops_and_needs_the_name(alice, device_ca, est_client):
    est_client.simpleenroll(make_csr("sensor-1"))
    asked = alice.get(page(device_ca, "distrust"))
    assert "Live device certificates that stop authenticating: 1." in asked.text
    assert "left without a CA" in asked.text
    terms = {"reason": "its key was copied", "are_certificates_stopped": "on"}

    refused = alice.post(page(device_ca, "distrust"), {**terms, "name": "client-ca"})

    assert "not the name of the CA" in refused.text
    device_ca.refresh_from_db()
    assert device_ca.status == Status.ACTIVE
    done = alice.post(page(device_ca, "distrust"), {**terms, "name": "device-ca"}, follow=True)
    assert "device-ca is distrusted." in said(done)
    assert "Distrusted" in done.text
    event = AuditEvent.objects.get(action="distrust-ca")
    assert (event.actor, event.reason) == ("admin:alice", "its key was copied")
    assert event.after["are_certificates_stopped"] is True
    again = alice.get(page(device_ca, "distrust"), follow=True)
    assert "device-ca is distrusted already." in said(again)


def test_T46_certificates_are_kept_without_the_tick(alice, device_ca):
    terms = {"reason": "its key was copied", "name": "device-ca"}

    alice.post(page(device_ca, "distrust"), terms)

    device_ca.refresh_from_db()
    assert (device_ca.status, device_ca.are_certificates_stopped) == (Status.REVOKED, False)


def test_T46_retire_is_for_a_ca_with_a_successor(alice, device_ca, est_client):
    est_client.simpleenroll(make_csr("sensor-1"))
    assert "Only a CA that is retiring" in said(alice.get(page(device_ca, "retire"), follow=True))
    make_successor(device_ca, actor=TESTER, reason="half of its time is over")
    terms = {"reason": "over", "name": "device-ca"}

    refused = alice.post(page(device_ca, "retire"), terms)
    assert "1 live certificates depend on device-ca" in refused.text
    done = alice.post(page(device_ca, "retire"), {**terms, "is_forced": "on"}, follow=True)

    assert "device-ca is retired." in said(done)
    device_ca.refresh_from_db()
    assert device_ca.status == Status.RETIRED


def form_of(response):
    """What a browser would send of the form as it is shown."""
    form = response.context["form"]
    values = {}
    for name, field in form.fields.items():
        value = field.prepare_value(form.get_initial_for_field(field, name))
        if value is not None and value is not False:
            values[name] = value
    return values


def test_T41_the_page_of_a_profile_changes_both_lists(alice):
    import_client_ca("outside")
    profile = default_profile()
    asked = alice.get(page(profile, "new-version"))
    assert "outside" in asked.text
    assert "every client CA on record" not in asked.text

    terms = {**form_of(asked), "client_cas": ["client-ca", "outside"], "reason": "second factory"}
    alice.post(page(profile, "new-version"), terms)

    assert default_profile().client_cas == ["client-ca", "outside"]
    assert "client-ca, outside" in alice.get(page(default_profile())).text


def test_T41_the_page_and_check_warn_of_a_profile_that_names_no_ca(alice):
    CertificateProfile.objects.update(client_cas=["*"])  # as the migration leaves them
    assert check_client_cas(None, ["default"]) == []
    import_client_ca("outside")

    (warning,) = check_client_cas(None, ["default"])

    assert warning.id == "pki.W002"
    assert "The profile default accepts clients of every client CA" in warning.msg
    assert "There are several. Name those" in alice.get(page(default_profile())).text
    assert "every client CA on record" in alice.get(page(default_profile(), "new-version")).text
    assert check_client_cas(None, None) == []
