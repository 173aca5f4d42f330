"""AWS IoT follows the end of trust in a CA: the CA at once, its certificates in chunks (T46)."""

from dataclasses import replace

import pytest

from iotprov.authorities.ca_registration import register_ca
from iotprov.conf import IoTTarget
from iotprov.drift.authorities import ca_differences
from iotprov.models import CARegistration, CAWithdrawal, Provisioning
from iotprov.provisioning import ca_withdrawal
from iotprov.provisioning.ca_withdrawal import continue_withdrawals
from pki.authorities.distrust import distrust_authority, retire_authority
from pki.authorities.succeed import make_successor
from tests.conftest import TESTER
from tests.iotprov.cloud import record, settle_all
from tests.support.aws_faults import Fault, failing
from tests.support.builders import make_csr, make_key

HERE = IoTTarget("default")


def distrust(ca, **kwargs):
    return distrust_authority(ca, reason="its key was copied", actor=TESTER, **kwargs)


def statuses(cloud):
    return sorted(held.status for held in cloud.held().values())


def ca_status(cloud, ca):
    row = CARegistration.objects.get(ca=ca)
    said = cloud.iot.describe_ca_certificate(certificateId=row.certificate_id)
    return said["certificateDescription"]["status"]


@pytest.fixture
def registered(cloud, device_ca, settings):
    """The device CA as AWS IoT knows it."""
    settings.IOT = replace(settings.IOT, configure_jitp=False, tags=())
    assert register_ca(device_ca, HERE, actor=TESTER).status == "ACTIVE"
    return device_ca


def test_T46_the_request_writes_one_row_a_target_and_none_a_certificate(waiting, registered):
    waiting("sensor-1", "sensor-2")
    settle_all()
    before = list(Provisioning.objects.values())

    distrust(registered)

    assert list(Provisioning.objects.values()) == before
    row = CAWithdrawal.objects.get()
    assert (row.ca, row.target, row.are_certificates_enqueued) == (registered, "default", False)


def test_T46_ca_and_certificates_become_inactive(waiting, registered, cloud, monkeypatch):
    monkeypatch.setattr(ca_withdrawal, "CHUNK", 2)
    waiting(*(f"sensor-{number}" for number in range(1, 6)))
    settle_all()
    assert statuses(cloud) == ["ACTIVE"] * 5

    distrust(registered)
    left = continue_withdrawals()
    settle_all()

    assert left == 0
    assert statuses(cloud) == ["INACTIVE"] * 5
    assert ca_status(cloud, registered) == "INACTIVE"
    assert list(ca_differences(HERE)) == []


def test_T46_the_walk_goes_on_where_it_stopped(waiting, registered, monkeypatch):
    monkeypatch.setattr(ca_withdrawal, "CHUNK", 2)
    waiting(*(f"sensor-{number}" for number in range(1, 6)))
    settle_all()
    distrust(registered)
    row = CAWithdrawal.objects.select_related("ca").get()

    ca_withdrawal._enqueue_chunk(row)  # and the process ends

    assert Provisioning.objects.pending().count() == 2
    assert continue_withdrawals() == 0
    assert Provisioning.objects.pending().count() == 5
    assert {one.revision for one in Provisioning.objects.all()} == {2}


def test_T46_certificates_are_kept_when_that_is_asked(waiting, registered, cloud):
    waiting("sensor-1")
    settle_all()

    distrust(registered, are_certificates_stopped=False)
    continue_withdrawals()
    settle_all()

    assert statuses(cloud) == ["ACTIVE"]
    assert ca_status(cloud, registered) == "INACTIVE"
    # They can still be stopped later.
    assert distrust(registered) == []
    assert continue_withdrawals() == 0
    settle_all()
    assert statuses(cloud) == ["INACTIVE"]


def test_T46_when_aws_fails_the_next_minute_tries_again(waiting, registered, cloud):
    waiting("sensor-1")
    settle_all()
    distrust(registered)

    with failing("iot", "UpdateCACertificate", Fault.ACCESS_DENIED):
        assert continue_withdrawals() == 1

    row = CAWithdrawal.objects.get()
    assert "iot:UpdateCACertificate" in row.error
    assert row.are_certificates_enqueued  # they do not wait for the CA
    assert continue_withdrawals() == 0
    assert ca_status(cloud, registered) == "INACTIVE"


def test_T46_certificates_of_the_successor_stay_active(waiting, registered, cloud, est_client):
    waiting("sensor-1")
    make_successor(registered, actor=TESTER, reason="half of its time is over")
    csr = make_csr("sensor-2", key=make_key(index=2))
    newer = record(est_client.simpleenroll(csr).certificate)
    settle_all()

    distrust(registered)
    continue_withdrawals()
    settle_all()

    assert statuses(cloud) == ["ACTIVE", "INACTIVE"]
    assert cloud.held_of(newer.fingerprint_sha256).status == "ACTIVE"


def test_T46_a_retired_ca_is_inactive_and_its_certificates_stay(waiting, registered, cloud):
    waiting("sensor-1")
    settle_all()
    make_successor(registered, actor=TESTER, reason="half of its time is over")

    retire_authority(registered, reason="over", actor=TESTER, is_forced=True)
    continue_withdrawals()
    settle_all()

    assert statuses(cloud) == ["ACTIVE"]
    assert ca_status(cloud, registered) == "INACTIVE"


def test_T46_aws_iot_is_not_told_of_client_cas(cloud, client_ca):
    distrust(client_ca)

    assert not CAWithdrawal.objects.exists()
