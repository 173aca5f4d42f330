"""Versions of a profile: compared, gone back to, and none that lets nobody in."""

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from pki.models import AuditEvent, CertificateProfile
from pki.operators.errors import OperatorError
from tests.support.builders import make_csr

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def alice(client):
    client.force_login(User.objects.create_superuser("alice"))
    return client


@pytest.fixture
def first(change_default_profile):
    """The first version of the default profile, which the second replaced."""
    row = CertificateProfile.objects.get(active_label="")
    change_default_profile(validity_days=30, san_rule="none")
    return CertificateProfile.objects.get(pk=row.pk)


def url(row, slug):
    return reverse(f"admin:pki_certificateprofile_{slug}", args=[row.pk])


def test_two_versions_are_compared_setting_by_setting(first, alice):
    second = CertificateProfile.objects.get(active_label="")

    shown = alice.post(url(first, "compare"), {"other": str(second.pk)}).text

    assert f"<td>validity_days</td><td>{first.validity_days}</td><td>30</td>" in shown
    assert "<td>san_rule</td>" in shown
    assert "<td>overlap_days</td>" not in shown


def test_a_profile_of_one_version_has_nothing_to_compare(installation, alice):
    only = CertificateProfile.objects.get(active_label="")

    assert alice.get(url(only, "compare")).status_code == 302
    assert url(only, "compare") not in alice.get(url(only, "change")).text


def test_an_earlier_version_comes_back_as_a_new_one_with_a_reason(first, alice):
    page = alice.get(url(first, "roll-back")).text
    assert f"validity_days: {first.validity_days} in place of 30." in page
    assert "san_rule" in page
    assert CertificateProfile.objects.count() == 2  # a GET changes nothing

    alice.post(url(first, "roll-back"), {"reason": "a mistake"})

    now = CertificateProfile.objects.get(active_label="")
    assert (now.version, now.validity_days, now.san_rule) == (
        3,
        first.validity_days,
        first.san_rule,
    )
    event = AuditEvent.objects.filter(action="change-profile").latest("at")
    assert (event.actor, event.reason) == ("admin:alice", "a mistake (back to v1)")
    assert alice.get(url(now, "roll-back")).status_code == 302


def test_a_change_that_lets_no_device_in_is_refused_with_their_number(
    est_client, change_default_profile
):
    est_client.simpleenroll(make_csr("sensor-1"))

    with pytest.raises(OperatorError, match=r"refuses every device .*\(1 live certificate\)"):
        change_default_profile(identity_rule="allow-list")

    change_default_profile(identity_rule="allow-list", allowed_names=["sensor-1"])
    with pytest.raises(OperatorError, match="Name at least one"):
        change_default_profile(allowed_names=[])


def test_a_profile_that_was_made_with_an_empty_list_can_be_changed(
    installation, change_default_profile
):
    CertificateProfile.objects.update(identity_rule="allow-list", allowed_names=[])

    assert change_default_profile(validity_days=30).validity_days == 30
