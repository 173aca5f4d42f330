"""What locks devices out is refused, or has to be confirmed with the number of devices."""

import datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from pki.csr.subjects import common_name_in_text
from pki.models import CertificateAuthority, CertificateProfile, IssuedCertificate
from pki.operators.errors import OperatorError
from pki.record import bounded_counts, lockout_rules
from pki.record.profile_lockouts import EVERY_SETTING, NotConfirmed, lockouts
from pki.record.profile_versions import add_profile, change_profile, changed
from pki.record.setting_problems import SettingsRefused
from pki.record.snapshot import AuthoritySnapshot, ProfileSnapshot
from pki.record.transactions import in_write_transaction
from tests.conftest import TESTER
from tests.support.builders import make_csr, make_key

P256, RSA = "ec-p256", "rsa-2048"


def default():
    return CertificateProfile.objects.select_related("ca").get(active_label="")


def change(confirmed=(), **changes):
    return in_write_transaction(
        lambda: change_profile(
            default(), changes, actor=TESTER, reason="ticket 7", confirmed=confirmed
        )
    )


@pytest.fixture
def fleet(est_client):
    """Three devices: two with a P-256 key, of which one has a serial number, and one with RSA."""
    subject = {"common_name": "pump-1", "serial_number": "SN-1", "organization": "Acme"}
    est_client.simpleenroll(make_csr("pump-0", key=make_key(index=0)))
    est_client.simpleenroll(make_csr(subject=named(**subject), key=make_key(index=1)))
    est_client.simpleenroll(make_csr("pump-2", key=make_key(RSA)))
    return est_client


def named(*, common_name, serial_number, organization):
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    parts = {
        NameOID.COMMON_NAME: common_name,
        NameOID.SERIAL_NUMBER: serial_number,
        NameOID.ORGANIZATION_NAME: organization,
    }
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts.items()])


def found(**changes):
    """The number of devices by setting, and that nothing was written."""
    before = default()
    after = changed(before, changes)
    return {one.setting: one.devices for one in lockouts(before, after)}


def test_T146_each_change_says_how_many_devices_it_refuses(fleet, device_ca):
    without = [name for name in default().subject_attributes if name != "organizationName"]
    client = fleet.certificate.subject.rfc4514_string()

    assert client == "CN=test-client"
    assert found(label="line-1") == {"label": 3}
    assert found(key_algorithms=[RSA]) == {"key_algorithms": 2}
    assert found(key_algorithms=[P256]) == {"key_algorithms": 1}
    assert found(subject_attributes=without) == {"subject_attributes": 1}
    assert found(is_serial_number_required=True) == {"is_serial_number_required": 2}
    assert found(can_client_reenroll=False) == {"can_client_reenroll": 3}
    assert found(can_reuse_key=False) == {"can_reuse_key": 3}
    listed = {"identity_rule": "allow-list", "allowed_names": ["pump-0", "pump-9"]}
    assert found(**listed) == {"identity_rule": 2}
    assert found(identity_rule="same-cn") == {"identity_rule": 3}
    pattern = {"identity_rule": "pattern", "identity_pattern": "(?P<name>test)-client"}
    assert found(**pattern) == {"identity_rule": 3}
    assert found(validity_days=5000) == {"validity_days": 3}
    assert CertificateProfile.objects.count() == 1


def test_what_refuses_nobody_needs_no_confirmation(fleet):
    assert found(validity_days=90, overlap_days=3, san_rule="none") == {}
    assert found(identity_rule="any") == {}
    assert found(key_algorithms=["ec-p256", "rsa-2048"]) == {}
    names = ["pump-0", "pump-1", "pump-2"]
    assert found(identity_rule="allow-list", allowed_names=names) == {}
    IssuedCertificate.objects.update(not_after=timezone.now())  # no device has a certificate
    assert found(label="line-1", is_serial_number_required=True) == {}


def test_T146_a_change_is_made_when_each_lockout_of_it_is_confirmed(fleet):
    changes = {"label": "line-1", "key_algorithms": [RSA], "validity_days": 90}

    with pytest.raises(NotConfirmed) as refused:
        change(**changes)
    with pytest.raises(NotConfirmed) as half:
        change(confirmed=["label"], **changes)

    words = str(refused.value)
    assert "label: The address changes from /.well-known/est/ to /.well-known/est/line-1/." in words
    assert "up to 3 devices of this profile" in words
    assert "refuses the renewal of 2 devices with such a key" in words
    assert "(--confirm label --confirm key_algorithms)" in words
    assert [one.setting for one in half.value.problems] == ["key_algorithms"]
    assert default().version == 1
    assert change(confirmed=["label", "key_algorithms"], **changes).version == 2


def test_a_clients_name_is_found_as_it_was_written(fleet):
    texts = {"OU=x,CN=pump-0": "pump-0", r"CN=a\,b\+c,O=d": "a,b+c", "O=x": "", r"O=y\,CN=z": ""}

    assert {text: common_name_in_text(text) for text in texts} == texts
    IssuedCertificate.objects.exclude(name_owner=None).update(client_subject="O=x,CN=pump-1")
    assert found(identity_rule="same-cn") == {"identity_rule": 2}
    same = change(confirmed=EVERY_SETTING, identity_rule="same-cn")
    pattern = {"identity_rule": "pattern", "identity_pattern": "(?P<name>pump-.).*"}
    assert same.version == 2
    assert found(**pattern) == {}
    assert found(identity_rule="first-use") == {"identity_rule": 3}  # held by name until now


def test_a_group_that_finds_nothing_grants_nothing(installation):
    row = changed(
        default(), {"identity_rule": "pattern", "identity_pattern": "(?P<name>pump-.)?.*"}
    )
    profile = ProfileSnapshot(row, AuthoritySnapshot(row.ca), ())

    assert profile.granted_name("a client") == ""
    assert not profile.grants("pump-1", "a client")
    assert profile.grants("pump-1", "pump-1 of ours")


def test_a_client_ca_that_goes_takes_its_devices_along(fleet, client_ca):
    other = CertificateAuthority.objects.get(pk=client_ca.pk)
    other.pk, other.name, other.fingerprint_sha256 = None, "factory {devices}", "0" * 64
    other.save(force_insert=True)

    assert found(client_cas=["factory {devices}"]) == {"client_cas": 3}
    assert found(client_cas=[client_ca.name, "factory {devices}"]) == {}
    CertificateProfile.objects.update(client_cas=["*"])
    assert found(client_cas=[client_ca.name]) == {"client_cas": 3}


def test_a_profile_that_is_accepted_no_longer_loses_its_devices(fleet, device_ca):
    add = CertificateProfile(name="line", label="line", ca=device_ca, accepted_profiles=["default"])
    line = in_write_transaction(lambda: add_profile(add, actor=TESTER))

    (lockout,) = lockouts(line, changed(line, {"accepted_profiles": []}))

    assert (lockout.setting, lockout.devices) == ("accepted_profiles", 3)
    assert lockout.sentence == ("That refuses the renewal of 3 devices of 'default' at this label.")


def test_a_ca_that_ends_first_is_said_when_it_is_new(fleet, device_ca):
    ends = timezone.now() + datetime.timedelta(days=40, hours=1)
    CertificateAuthority.objects.filter(pk=device_ca.pk).update(not_after=ends)

    (lockout,) = lockouts(default(), changed(default(), {"validity_days": 366}))

    assert lockout.setting == "validity_days"
    assert f"The CA device-ca ends in 40 days, on {ends:%Y-%m-%d}" in lockout.sentence
    assert "it refuses 3 devices of this profile" in lockout.sentence
    assert found(validity_days=364, can_rebind_names=True) == {}  # no longer than it was
    assert found(validity_days=39) == {}


WRONG_DAYS = (
    ({"validity_days": 90, "overlap_days": 91}, "overlap_days: The overlap of 91 days is longer"),
    ({"validity_days": 5}, "overlap_days: The overlap of 7 days is longer"),
    ({"reenroll_window_days": 366}, "reenroll_window_days: The renewal window of 366 days"),
)


def test_days_that_are_longer_than_the_validity_are_refused(installation, device_ca):
    for changes, words in WRONG_DAYS:
        with pytest.raises(SettingsRefused, match=words):
            change(confirmed=EVERY_SETTING, **changes)
        profile = CertificateProfile(name="new", label="new", ca=device_ca, **changes)
        with pytest.raises(SettingsRefused, match=words):
            in_write_transaction(lambda one=profile: add_profile(one, actor=TESTER))
    edge = change(validity_days=90, overlap_days=90, reenroll_window_days=90)
    assert edge.version == 2


def test_days_from_before_the_rule_do_not_stop_another_change(installation):
    CertificateProfile.objects.update(validity_days=5, reenroll_window_days=6)

    assert change(san_rule="none").version == 2
    with pytest.raises(OperatorError, match="The overlap of 8 days"):
        change(overlap_days=8)


def test_a_large_fleet_is_counted_to_a_bound(fleet, monkeypatch):
    monkeypatch.setattr(bounded_counts, "MOST_COUNTED", 1)
    monkeypatch.setattr(lockout_rules, "MOST_COUNTED", 1)
    changes = {"label": "x", "key_algorithms": [RSA], "identity_rule": "same-cn"}
    before = default()
    after = changed(before, changes)

    with CaptureQueriesContext(
        connection,
    ) as asked:
        said = {one.setting: one for one in lockouts(before, after)}

    assert {one.devices for one in said.values()} == {2}
    assert "more than 1 devices" in said["label"].sentence
    assert "more than 1 devices" in said["identity_rule"].sentence
    assert len(asked) == len(said) == 3
    assert all("LIMIT 2" in one["sql"] for one in asked.captured_queries[:2])
