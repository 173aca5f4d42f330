"""Workers beside each other, workers that die, and jobs in any order, any number of times."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import pytest
from django.db import connections
from django.utils import timezone

from iotprov.models import Provisioning
from iotprov.provisioning import leases
from iotprov.provisioning.worker import WORKER_READ_TIMEOUT, drain
from pki.aws.clients import aws_client
from pki.denylist.entries import deny
from pki.models import CertificateProfile
from pki.record.profile_versions import change_profile
from pki.record.transactions import in_write_transaction
from pki.revocation.revoke import revoke_certificate
from tests.conftest import TESTER
from tests.iotprov.child import MOMENTS, child_process
from tests.iotprov.cloud import Held, active, record, settle_all
from tests.support.aws_faults import aws_calls
from tests.support.builders import make_csr, make_key
from tests.support.est_client import ESTClient
from tests.support.installed import install

WORKERS = 4
DEVICES = 12


@pytest.fixture
def committed(transactional_db, data_dir, cloud, settings, tmp_path_factory):
    """An installation on a database that commits, in which only workers tell AWS IoT."""
    install(TESTER, tmp_path_factory.getbasetemp())
    settings.IOT = replace(settings.IOT, request_seconds=0)
    set_mode("register")
    return ESTClient.from_files(data_dir / "test-client.pem")


def set_mode(mode):
    profile = CertificateProfile.objects.get(active_label="")
    changes = {"iot_provisioning": mode}
    in_write_transaction(lambda: change_profile(profile, changes, actor=TESTER, reason="test"))


def enroll(client, name, key=0):
    return client.simpleenroll(make_csr(name, key=make_key(index=key))).certificate


def renew(client, certificate, name, key):
    csr = make_csr(name, key=make_key(index=key))
    return client.using(certificate).simplereenroll(csr).certificate


def fill(client):
    """Devices that wait to be told of."""
    return {record(enroll(client, f"sensor-{n}", n)): active(f"sensor-{n}") for n in range(DEVICES)}


def test_T19_threads_on_one_outbox_do_each_row_once(cloud, committed):
    expected = fill(committed)

    def work(_):
        try:
            return drain()
        finally:
            connections.close_all()

    with aws_calls() as calls, ThreadPoolExecutor(WORKERS) as pool:
        done = list(pool.map(work, range(WORKERS)))

    assert sum(one.settled for one in done) == DEVICES
    assert Counter(calls)["iot:RegisterCertificate"] == DEVICES
    cloud.check_agreement(expected)


def test_T19_processes_on_one_outbox_do_each_row_once(cloud, committed):
    expected = fill(committed)

    with child_process() as one, child_process() as other:
        for child in (one, other):
            child.start()
        answers = [child.finish() for child in (one, other)]

    assert [lived for _, lived in answers] == [True, True]
    calls = Counter(call for calls, _ in answers for call in calls)
    assert calls["RegisterCertificate"] == DEVICES
    cloud.check_agreement(expected)


def registered(client, number):
    """A device that waits to be registered."""
    name = f"sensor-{number}"
    return {record(enroll(client, name, number * 3)): active(name)}


def renewed(client, number):
    """A device with a thing, whose new certificate waits to be attached."""
    name = f"sensor-{number}"
    first = enroll(client, name, number * 3)
    settle_all()
    second = renew(client, first, name, number * 3 + 1)
    return {record(first): active(name), record(second): active(name)}


def revoked(client, number):
    """A device with a thing, whose certificate was revoked."""
    name = f"sensor-{number}"
    row = record(enroll(client, name, number * 3))
    settle_all()
    revoke_certificate(row, reason="keyCompromise", actor=TESTER)
    return {row: Held("REVOKED")}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("story", [registered, renewed, revoked])
def test_T20_T21_kill_9_at_every_step_and_a_drain_converges(cloud, committed, story, moment):
    expected = {}
    number = 0
    lived = False
    with child_process() as child:
        while not lived:
            number += 1
            expected |= story(committed, number)
            _, lived = child.drain(moment, number)
            settle_all()
            held = cloud.held()
            wanted = {row.fingerprint_sha256: one for row, one in expected.items()}
            assert held == wanted, (moment, number)
    assert number > 2
    assert len(cloud.things()) == len(set(cloud.things())) == number
    assert cloud.group() == cloud.things()


@pytest.mark.parametrize("seed", range(3))
def test_T19_jobs_done_several_times_in_any_order_end_the_same(cloud, committed, seed):
    first = enroll(committed, "sensor-1", 1)
    second = renew(committed, first, "sensor-1", 2)
    third = renew(committed, second, "sensor-1", 3)
    gone = record(enroll(committed, "sensor-2", 4))
    revoke_certificate(gone, reason="keyCompromise", actor=TESTER)
    stopped = record(enroll(committed, "sensor-3", 5))
    deny("name", "sensor-3", reason="stolen", actor=TESTER)
    set_mode("jitp")
    unknown = record(enroll(committed, "sensor-4", 6))
    revoke_certificate(unknown, reason="keyCompromise", actor=TESTER)
    order = random.Random(seed)
    jobs = [row.pk for row in Provisioning.objects.all() for _ in range(order.randint(1, 5))]
    order.shuffle(jobs)

    for job in jobs:
        Provisioning.objects.update(next_attempt_at=None)
        Provisioning.objects.filter(pk=job).update(next_attempt_at=timezone.now())
        assert drain().error is None

    cloud.check_agreement(
        {
            **{record(one): active("sensor-1") for one in (first, second, third)},
            gone: Held("REVOKED"),
            stopped: Held("INACTIVE"),
            unknown: Held("REVOKED"),
        }
    )


# Fencing


def test_a_certificate_revoked_while_it_is_provisioned_ends_revoked(cloud, committed):
    row = record(enroll(committed, "sensor-1"))

    with _before("AttachThingPrincipal", lambda: _revoke(row)):
        done = drain()

    assert done.settled == 1  # the second look; the first was outgrown
    assert cloud.held() == {row.fingerprint_sha256: Held("REVOKED")}


def _revoke(row):
    revoke_certificate(row, reason="keyCompromise", actor=TESTER)


@contextmanager
def _before(operation, act):
    """Have ``act`` done once, just before the worker's call of ``operation``."""
    client = aws_client("iot", read_timeout=WORKER_READ_TIMEOUT)
    todo = [act]

    def see(model, **_):
        if todo and model.name == operation:
            todo.pop()()

    client.meta.events.register("before-call", see)
    yield
    client.meta.events.unregister("before-call", see)
    assert not todo


def test_a_lease_is_taken_by_one_and_taken_over_when_it_ran_out(committed):
    enroll(committed, "sensor-1")
    (row,) = Provisioning.objects.all()

    first = leases.lease(row.pk)
    assert leases.lease(row.pk) is None
    Provisioning.objects.update(leased_until=timezone.now())
    second = leases.lease(row.pk)

    assert second is not None
    assert second.lease != first.lease


def test_whoever_comes_back_too_late_writes_nothing_and_has_the_row_looked_at_again(committed):
    enroll(committed, "sensor-1")
    (row,) = Provisioning.objects.all()
    late = leases.lease(row.pk)
    Provisioning.objects.update(leased_until=timezone.now())
    assert leases.settle(leases.lease(row.pk), leases.Outcome(aws_status="REVOKED"))

    assert not leases.settle(late, leases.Outcome(aws_status="ACTIVE"))

    row.refresh_from_db()
    assert (row.aws_status, row.state, row.revision) == ("REVOKED", "pending", 2)
    assert Provisioning.objects.due().exists()
