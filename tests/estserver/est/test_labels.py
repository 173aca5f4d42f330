"""Labels separate: which clients and which devices' certificates count at which one (T41)."""

import pytest

from pki.authorities.succeed import make_successor
from pki.models import CertificateProfile, IssuedCertificate
from pki.operators.errors import OperatorError
from pki.record.profile_labels import client_cas_by_default
from tests.conftest import TESTER
from tests.estserver.est.conftest import change_settings
from tests.support.builders import make_ca, make_certificate, make_csr, make_key


def of_label(label):
    return CertificateProfile.objects.get(active_label=label)


def device_of(client, name="sensor-1", **kwargs):
    return client.using(client.simpleenroll(make_csr(name, **kwargs)).certificate)


# Device certificates


@pytest.mark.parametrize("operation", ["simpleenroll", "simplereenroll"])
def test_T41_a_lab_device_does_not_get_a_production_certificate(est_client, add_label, operation):
    add_label("lab", validity_days=30)
    add_label("production", validity_days=3650)
    device = device_of(est_client.at("lab"))

    response = getattr(device.at("production"), operation)(make_csr("sensor-1"))

    assert (response.status_code, response.reason) == (403, "device-of-another-profile")
    assert device.simplereenroll(make_csr("sensor-1")).status_code == 200
    assert IssuedCertificate.objects.filter(profile=of_label("production")).count() == 0


def test_T41_a_profile_may_accept_the_devices_of_another(est_client, add_label):
    lab = add_label("lab")
    add_label("production", accepted_profiles=[lab.name])
    device = device_of(est_client.at("lab"))

    assert device.at("production").simplereenroll(make_csr("sensor-1")).status_code == 200
    # It works one way only.
    other = device_of(est_client.at("production"), "sensor-2", key=make_key(index=2))
    response = other.at("lab").simplereenroll(make_csr("sensor-2", key=make_key(index=2)))
    assert response.reason == "device-of-another-profile"


def test_T41_a_device_certificate_counts_under_every_version_of_its_profile(
    est_client, change_default_profile
):
    device = device_of(est_client)
    change_default_profile(validity_days=90)
    change_default_profile(validity_days=91)

    assert device.simplereenroll(make_csr("sensor-1")).status_code == 200


def test_T41_a_change_of_the_accepted_profiles_holds_at_once(est_client, add_label):
    lab, production = add_label("lab"), add_label("production")
    device = device_of(est_client.at("lab")).at("production")
    change_settings(production, accepted_profiles=[lab.name])
    assert device.simplereenroll(make_csr("sensor-1")).status_code == 200

    change_settings(of_label("production"), accepted_profiles=[])

    response = device.simplereenroll(make_csr("sensor-1", key=make_key(index=1)))
    assert response.reason == "device-of-another-profile"


# Client CAs


def test_T41_a_profile_takes_the_clients_of_the_CAs_that_it_names(est_client, add_label, trust):
    outside = make_ca("Outside")
    trust(outside, at_every_label=False)
    add_label("theirs", client_cas=["outside"])
    theirs = est_client.using(make_certificate(outside, "their client"))

    refused = theirs.simpleenroll(make_csr("sensor-1"))
    assert (refused.status_code, refused.reason) == (403, "client-ca-not-accepted")
    refused = est_client.at("theirs").simpleenroll(make_csr("sensor-1"))
    assert refused.reason == "client-ca-not-accepted"
    assert theirs.at("theirs").simpleenroll(make_csr("sensor-1")).status_code == 200


def test_T41_a_client_whose_CA_is_not_named_any_more_gets_no_old_certificate(
    est_client, trust, add_label
):
    outside = make_ca("Outside")
    trust(outside)
    theirs = est_client.using(make_certificate(outside, "their client"))
    csr = make_csr("sensor-1")
    assert theirs.simpleenroll(csr).status_code == 200

    change_settings(of_label(""), client_cas=["client-ca"])

    for operation in (theirs.simpleenroll, theirs.simplereenroll):  # the first is a repetition
        assert operation(csr).reason == "client-ca-not-accepted"


def test_T41_a_new_profile_takes_the_only_client_CA(client_ca, add_label):
    assert of_label("").client_cas == ["client-ca"]
    assert add_label("one", client_cas=[]).client_cas == ["client-ca"]


def test_T41_with_more_client_CAs_a_new_profile_has_to_name_them(add_label, trust):
    trust(make_ca("Outside"), at_every_label=False)

    with pytest.raises(OperatorError, match=r"more than one client CA.*client-ca, outside\."):
        add_label("new", client_cas=[])

    assert add_label("new", client_cas=["outside"]).client_cas == ["outside"]


def test_T41_no_new_profile_and_no_change_lets_every_client_CA_in(add_label):
    with pytest.raises(OperatorError, match="for profiles from before this setting"):
        add_label("new", client_cas=["*"])
    with pytest.raises(OperatorError, match="for profiles from before this setting"):
        change_settings(of_label(""), client_cas=["*"])


def test_T41_an_existing_profile_keeps_all_until_it_names_some(est_client, add_label, trust):
    CertificateProfile.objects.update(client_cas=["*"])  # as the migration leaves them
    outside = make_ca("Outside")
    trust(outside, at_every_label=False)
    change_settings(of_label(""), validity_days=90)
    theirs = est_client.using(make_certificate(outside, "their client"))
    assert theirs.simpleenroll(make_csr("sensor-1")).status_code == 200

    change_settings(of_label(""), client_cas=["client-ca"])

    response = theirs.simpleenroll(make_csr("sensor-2", key=make_key(index=2)))
    assert response.reason == "client-ca-not-accepted"


def test_T41_the_successor_of_a_client_CA_is_named_with_it(
    client_ca, est_client, make_client_certificate, add_label
):
    add_label("lab")
    successor = make_successor(client_ca, actor=TESTER, reason="half of its time is over")

    assert of_label("").client_cas == of_label("lab").client_cas == ["client-ca", successor.name]
    assert client_cas_by_default() == ["client-ca", successor.name]
    new = est_client.using(make_client_certificate("of the new CA"))
    assert new.simpleenroll(make_csr("sensor-1")).status_code == 200


def test_T41_names_that_are_not_on_record_are_refused(device_ca, add_label):
    with pytest.raises(OperatorError, match=r"There is no client CA 'device-ca'\. Known are: cli"):
        add_label("new", client_cas=["device-ca"])
    with pytest.raises(OperatorError, match=r"accepted_profiles: There is no profile 'nowhere'"):
        add_label("new", accepted_profiles=["nowhere"])
    with pytest.raises(OperatorError, match=r"accepted_profiles: Wanted a list of names\."):
        add_label("new", accepted_profiles=[1])


def test_T41_a_profile_from_before_there_was_a_client_CA_takes_the_first(device_ca, trust):
    CertificateProfile.objects.update(client_cas=[])

    with_first = trust(make_ca("First"), name="first", at_every_label=False)

    assert of_label("").client_cas == [with_first.name]


def test_T41_a_repeated_request_of_a_device_is_checked_again(est_client, add_label):
    lab = add_label("lab")
    add_label("production", accepted_profiles=[lab.name])
    device = device_of(est_client.at("lab")).at("production")
    csr = make_csr("sensor-1", key=make_key(index=1))
    assert device.simplereenroll(csr).status_code == 200

    change_settings(of_label("production"), accepted_profiles=[])

    assert device.simplereenroll(csr).reason == "device-of-another-profile"
