"""Certificate profiles change by versions, and only into something consistent."""

import pytest

from pki.models import AuditEvent, CertificateProfile, IssuedCertificate
from pki.models.profile import EST_OPERATIONS
from pki.operators.errors import OperatorError
from pki.record.find import find_profile
from pki.record.profile_settings import parse_settings
from pki.record.profile_versions import add_profile, change_profile
from pki.record.transactions import in_write_transaction
from tests.conftest import TESTER
from tests.support.builders import make_csr, make_key


@pytest.fixture
def default(installation):
    return CertificateProfile.objects.get(active_label="")


def change(profile, **changes):
    return in_write_transaction(
        lambda: change_profile(profile, changes, actor=TESTER, reason="ticket 7")
    )


def add(ca, **settings):
    profile = CertificateProfile(ca=ca, **settings)
    return in_write_transaction(lambda: add_profile(profile, actor=TESTER))


def test_a_change_is_a_new_version_and_the_old_row_stays(default):
    new = change(default, validity_days=30)

    assert (new.name, new.version, new.validity_days) == ("default", 2, 30)
    old = CertificateProfile.objects.get(version=1)
    assert (old.validity_days, old.is_in_force, new.is_in_force) == (365, False, True)
    event = AuditEvent.objects.get(action="change-profile")
    assert event.before == {"version": 1, "validity_days": 365}
    assert event.after == {"version": 2, "validity_days": 30}
    assert event.reason == "ticket 7"


def test_a_certificate_remembers_the_version_it_was_issued_under(default, est_client):
    est_client.simpleenroll(make_csr("sensor-1"))
    change(default, validity_days=30)
    est_client.simpleenroll(make_csr("sensor-2", key=make_key(index=1)))

    versions = IssuedCertificate.objects.exclude(profile=None).order_by("created_at")
    assert [row.profile.version for row in versions] == [1, 2]
    assert (versions[1].not_after - versions[1].created_at).days == 29


def test_who_was_slower_looks_again(default):
    slower = CertificateProfile.objects.get(pk=default.pk)
    change(default, validity_days=30)
    slower.refresh_from_db()

    with pytest.raises(OperatorError, match="default v1 is not in force any more"):
        change(slower, validity_days=60)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"validity_days": 0}, "validity_days: "),
        ({"validity_days": 36501}, "validity_days: "),
        ({"key_algorithms": []}, "key_algorithms: "),
        (
            {"key_algorithms": ["ec-p256", "dsa"]},
            "key_algorithms: 'dsa' is unknown. Use some of",
        ),
        ({"key_algorithms": "ec-p256"}, "key_algorithms: Wanted a list"),
        ({"subject_attributes": ["title"]}, "subject_attributes: 'title' is unknown"),
        (
            {"is_serial_number_required": True, "subject_attributes": ["countryName"]},
            "serialNumber is required, so it must be allowed",
        ),
        ({"identity_rule": "whoever"}, "identity_rule: "),
        ({"identity_rule": "pattern"}, r"needs a group \(\?P<name>"),
        ({"identity_rule": "pattern", "identity_pattern": "("}, "not a regular expression"),
        ({"san_rule": "some"}, "san_rule: "),
        ({"label": "Factory 1"}, "label: Lower-case letters"),
    ],
)
def test_settings_that_dont_fit_are_refused_and_nothing_changes(default, values, complaint):
    with pytest.raises(OperatorError, match=complaint):
        change(default, **values)

    default.refresh_from_db()
    assert default.is_in_force
    assert CertificateProfile.objects.count() == 1


def test_everything_wrong_is_said_at_once(default):
    with pytest.raises(OperatorError, match=r"validity_days.*key_algorithms"):
        change(default, validity_days=0, key_algorithms=["dsa"])


@pytest.mark.parametrize("label", sorted(EST_OPERATIONS))
def test_W1_a_label_is_never_an_operation(device_ca, label):
    with pytest.raises(OperatorError, match=r"is an EST operation \(RFC 7030 3\.2\.2\)"):
        add(device_ca, name="factory", label=label)


def test_W1_a_label_leads_to_its_profile(device_ca, est_client):
    add(device_ca, name="factory", label="factory-1", validity_days=10)

    certificate = est_client.at("factory-1").simpleenroll(make_csr("sensor-1")).certificate

    lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert lifetime.days == 10
    assert est_client.at("factory-2").cacerts().status_code == 404


def test_a_label_or_name_belongs_to_one_profile(device_ca):
    add(device_ca, name="factory", label="factory-1")

    with pytest.raises(OperatorError, match="The label 'factory-1' belongs to factory v1"):
        add(device_ca, name="other", label="factory-1")
    with pytest.raises(OperatorError, match="default v1 is the default profile already"):
        add(device_ca, name="other")
    with pytest.raises(OperatorError, match="There is a profile 'factory' already"):
        add(device_ca, name="factory", label="factory-2")


def test_devices_get_nothing_from_a_client_CA(client_ca):
    with pytest.raises(OperatorError, match="ca: client-ca is a client CA"):
        add(client_ca, name="factory", label="factory-1")


# As an operator types them


def test_a_profile_is_found_by_name_or_label(device_ca):
    factory = add(device_ca, name="factory", label="line-1")

    assert find_profile("line-1") == find_profile("factory") == factory
    assert find_profile("default").label == ""
    with pytest.raises(OperatorError, match=r"no profile 'x'\. Known profiles: default, factory"):
        find_profile("x")


def test_settings_are_read_by_their_type(device_ca):
    assert parse_settings(
        [
            "validity_days=30",
            "can_reuse_key=no",
            "key_algorithms=ec-p256, ec-p384",
            'csrattrs=["1.2.840.113549.1.9.7"]',
            "allowed_names=",
            "identity_pattern=(?P<name>[a=z]+)",
            "ca=device-ca",
        ]
    ) == {
        "validity_days": 30,
        "can_reuse_key": False,
        "key_algorithms": ["ec-p256", "ec-p384"],
        "csrattrs": ["1.2.840.113549.1.9.7"],
        "allowed_names": [],
        "identity_pattern": "(?P<name>[a=z]+)",
        "ca": device_ca,
    }


@pytest.mark.parametrize(
    ("assignment", "complaint"),
    [
        ("validity_days", "'validity_days' is not of the form key=value"),
        ("validity_day=30", "no setting 'validity_day'. Did you mean validity_days"),
        ("version=7", "no setting 'version'"),
        ("validity_days=-1", "found '-1', wanted a whole number"),
        ("can_reuse_key=maybe", "found 'maybe', wanted true or false"),
        ("iot_provisioning=maybe", "found 'maybe', wanted one of jitp, register, none"),
        ("csrattrs=[1", "is not JSON"),
        ("csrattrs={}", "wanted a list"),
        ("ca=nobody", "There is no CA 'nobody'"),
    ],
)
def test_an_assignment_that_isnt_one_is_refused(installation, assignment, complaint):
    with pytest.raises(OperatorError, match=complaint):
        parse_settings([assignment])


def test_a_setting_is_given_once(installation):
    with pytest.raises(OperatorError, match="validity_days is given twice"):
        parse_settings(["validity_days=1", "validity_days=2"])
