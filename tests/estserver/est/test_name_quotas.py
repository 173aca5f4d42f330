"""A client enrolls a bounded number of new names, within an hour and ever (T45)."""

import datetime
from importlib import import_module

import pytest
from cryptography import x509
from django.apps import apps
from django.core.management import CommandError, call_command
from django.utils import timezone

from pki.encoding.certificates import with_other_signature
from pki.models import CertificateProfile, IssuedCertificate
from pki.record.intents import settle_intents
from tests.estserver.est.test_query_counts import statements
from tests.support.builders import make_ca, make_certificate, make_csr, make_key

State = IssuedCertificate.State


def csr(number, key=None):
    return make_csr(
        f"sensor-{number}", key=make_key("ec-p256", 500 + (number if key is None else key))
    )


@pytest.fixture
def clock(monkeypatch):
    """Seconds that the clock is ahead."""
    real, ahead = timezone.now, [0]
    monkeypatch.setattr(timezone, "now", lambda: real() + datetime.timedelta(seconds=ahead[0]))
    return ahead


def assert_too_many(response, code="too-many-new-names"):
    assert (response.status_code, response.reason) == (429, code)
    return int(response.headers["retry-after"])


def test_T45_a_client_enrolls_so_many_new_names_within_an_hour(
    est_client, change_default_profile, clock
):
    change_default_profile(new_names_per_hour=3)
    for number in range(3):
        assert est_client.simpleenroll(csr(number)).status_code == 200
        clock[0] += 100

    refused = est_client.simpleenroll(csr(3))

    assert 3200 <= assert_too_many(refused) <= 3400
    assert "new thing names within an hour" in refused.text
    assert not IssuedCertificate.objects.for_name("sensor-3").exists()
    clock[0] += assert_too_many(refused)
    assert est_client.simpleenroll(csr(3)).status_code == 200
    assert 0 < assert_too_many(est_client.simpleenroll(csr(4))) <= 100


def test_T45_a_client_enrolls_so_many_new_names_ever(est_client, change_default_profile, clock):
    change_default_profile(new_names_ever=2)
    for number in range(2):
        assert est_client.simpleenroll(csr(number)).status_code == 200
        clock[0] += 86_400 * 10

    refused = est_client.simpleenroll(csr(2))

    assert assert_too_many(refused, "no-more-new-names") == 86_400
    assert "have the operator raise new_names_ever" in refused.text
    change_default_profile(new_names_ever=3)
    assert est_client.simpleenroll(csr(2)).status_code == 200


def test_T45_renewals_repeated_requests_and_refusals_do_not_count(
    est_client, change_default_profile
):
    change_default_profile(new_names_per_hour=2, new_names_ever=2)
    first = csr(0)
    device = est_client.using(est_client.simpleenroll(first).certificate)

    assert est_client.simpleenroll(first).status_code == 200
    assert est_client.simpleenroll(csr(1, key=0)).reason == "key-in-use"
    for key in (10, 11):
        assert est_client.simpleenroll(csr(0, key)).status_code == 200
        assert est_client.simplereenroll(csr(0, key + 10)).status_code == 200
        assert device.simplereenroll(csr(0, key + 20)).status_code == 200

    assert est_client.simpleenroll(csr(1)).status_code == 200
    assert_too_many(est_client.simpleenroll(csr(2)), "no-more-new-names")
    for key in (12, 13):  # and what it has goes on
        assert est_client.simpleenroll(csr(0, key)).status_code == 200


def test_T45_an_intent_that_came_to_nothing_does_not_count(est_client, change_default_profile):
    change_default_profile(new_names_ever=1)
    est_client.simpleenroll(csr(0))
    rows = IssuedCertificate.objects.for_name("sensor-0")
    rows.update(state=State.INTENT, der=None, fingerprint_sha256=None, current_name=None)
    assert_too_many(est_client.simpleenroll(csr(1)), "no-more-new-names")

    settle_intents(older_than=datetime.timedelta(0))

    assert est_client.simpleenroll(csr(1)).status_code == 200
    assert rows.get().new_name_of is None


def test_T45_a_quota_is_of_one_client_alone(
    est_client, change_default_profile, make_client_certificate
):
    change_default_profile(new_names_per_hour=1)
    assert est_client.simpleenroll(csr(0)).status_code == 200
    assert_too_many(est_client.simpleenroll(csr(1)))

    other = est_client.using(make_client_certificate("other"))

    assert other.simpleenroll(csr(1)).status_code == 200
    assert_too_many(other.simpleenroll(csr(2)))


def test_T45_a_rewritten_signature_makes_no_other_client(est_client, change_default_profile, trust):
    factory = make_ca("factory")
    trust(factory)
    one = make_certificate(factory, "line-1")
    other = x509.load_der_x509_certificate(with_other_signature(one, factory.certificate))
    change_default_profile(new_names_per_hour=1)

    assert est_client.using(one).simpleenroll(csr(0)).status_code == 200

    assert_too_many(est_client.using(other).simpleenroll(csr(1)))


def test_T45_names_that_are_taken_over_or_adopted_count(
    est_client, change_default_profile, make_client_certificate
):
    change_default_profile(
        identity_rule="any", can_rebind_names=True, can_adopt_names=True, new_names_per_hour=2
    )
    thief = est_client.using(make_client_certificate("thief"))
    for number in range(2):
        assert est_client.simpleenroll(csr(number)).status_code == 200
    assert thief.simpleenroll(csr(0, 10)).status_code == 200
    assert thief.simplereenroll(csr(7)).status_code == 200

    assert_too_many(thief.simpleenroll(csr(1, 11)))
    assert_too_many(thief.simplereenroll(csr(8)))


def test_T45_a_profile_without_quotas_counts_nothing(est_client, change_default_profile):
    assert CertificateProfile.objects.get(active_label="").new_names_per_hour == 3600
    with_quota = statements(lambda: est_client.simpleenroll(csr(0)))[1]
    change_default_profile(new_names_per_hour=None)
    est_client.simpleenroll(csr(1))

    without = statements(lambda: est_client.simpleenroll(csr(2)))[1]

    assert [sql for sql in with_quota if "new_name_of = " in sql]
    assert not [sql for sql in without if "new_name_of = " in sql]


def test_T45_a_renewal_runs_no_statement_for_it_and_a_first_enrollment_one(est_client):
    device = est_client.using(est_client.simpleenroll(csr(0)).certificate)

    renewal = statements(lambda: device.simplereenroll(csr(0, 10)))[1]
    first = statements(lambda: est_client.simpleenroll(csr(1)))[1]

    assert not [sql for sql in renewal if "new_name_of = " in sql]
    assert len([sql for sql in first if "new_name_of = " in sql]) == 1


def test_T45_profile_set_takes_a_quota_or_none(installation):
    def set_(assignment):
        call_command("profile_set", "default", assignment, reason="test", verbosity=0)
        return CertificateProfile.objects.get(active_label="")

    assert set_("new_names_ever=50").new_names_ever == 50
    assert set_("new_names_ever=none").new_names_ever is None
    assert set_("new_names_ever=7").new_names_ever == 7
    assert set_("new_names_ever=null").new_names_ever is None  # as profile_show prints it
    assert set_("new_names_per_hour=").new_names_per_hour is None
    for wrong in ("new_names_per_hour=0", "new_names_ever=many"):
        with pytest.raises(CommandError, match="new_names"):
            set_(wrong)


def test_T45_the_migration_counts_the_names_so_far(est_client, change_default_profile):

    migration = import_module("pki.migrations.0012_names_taken")
    est_client.simpleenroll(csr(0))
    est_client.simpleenroll(csr(0, 10))
    counted = IssuedCertificate.objects.exclude(new_name_of=None)
    (row,) = counted
    IssuedCertificate.objects.update(new_name_of=None)

    for _ in range(2):
        migration.count_names(apps, None)

    assert list(counted.values_list("pk", "new_name_of")) == [(row.pk, row.client_signed_sha256)]
    change_default_profile(new_names_ever=1)
    assert_too_many(est_client.simpleenroll(csr(1)), "no-more-new-names")
