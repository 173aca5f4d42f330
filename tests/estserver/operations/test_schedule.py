"""What runs by the clock, on Lambda and on one machine."""

import io
import os
import signal
import threading

import pytest
from django.core.management import call_command

from estserver.local_server import housekeeping as keeping
from estserver.management.commands import run_schedule
from estserver.operations import schedule
from iotprov.models import Provisioning
from iotprov.provisioning import outbox
from iotprov.provisioning.worker import drain
from tests.iotprov.cloud import record
from tests.iotprov.conftest import clock, cloud, in_mode, use_template, waiting
from tests.support.builders import make_csr

__all__ = ["clock", "cloud", "in_mode", "use_template", "waiting"]


def test_every_minute_drains(transactional_db, waiting, cloud):
    waiting("sensor-1")

    schedule.every_minute({}, None)

    assert cloud.things() == ["sensor-1"]


def test_one_chore_that_fails_does_not_keep_the_next_from_its_turn(
    transactional_db, waiting, cloud, monkeypatch
):
    waiting("sensor-1")
    monkeypatch.setattr(schedule, "run_pending_hooks", _fail)

    with pytest.raises(ZeroDivisionError):
        schedule.every_minute({}, None)

    assert cloud.things() == ["sensor-1"]


def _fail():
    raise ZeroDivisionError


def test_every_hour_stops_what_expired_without_ever_having_needed_a_row(
    transactional_db, cloud, est_client, in_mode, clock
):
    in_mode("jitp", validity_days=10)
    certificate = est_client.simpleenroll(make_csr()).certificate
    cloud.connect_first(certificate)
    assert not Provisioning.objects.exists()
    clock(days=11)

    schedule.every_hour({}, None)
    drain()

    assert cloud.held_of(record(certificate).fingerprint_sha256).status == "INACTIVE"
    assert outbox.enqueue_expired() == 0


def test_the_command_for_a_cluster_keeps_house_until_it_is_told_to_stop(data_dir, monkeypatch):
    done = threading.Event()
    monkeypatch.setattr(keeping, "MINUTES_AN_HOUR", 1)
    monkeypatch.setattr(keeping, "every_minute", lambda event, context: None)
    monkeypatch.setattr(keeping, "every_hour", lambda event, context: None)
    monkeypatch.setattr(
        keeping, "renew_if_made_here", lambda directory: done.set() or directory == data_dir
    )
    monkeypatch.setattr(run_schedule, "housekeeping", lambda: keeping.housekeeping(minute=0.01))
    before = [signal.getsignal(number) for number in run_schedule.STOP_SIGNALS]

    def stop():
        assert done.wait(timeout=30)
        os.kill(os.getpid(), signal.SIGTERM)

    stopper = threading.Thread(target=stop)
    stopper.start()
    try:
        call_command("run_schedule", stdout=io.StringIO())  # returns
    finally:
        stopper.join()
        for number, handler in zip(run_schedule.STOP_SIGNALS, before, strict=True):
            signal.signal(number, handler)
    assert done.is_set()


def test_on_one_machine_a_thread_keeps_house(monkeypatch):
    done = threading.Event()
    turns = []

    def chore(event, context):
        turns.append(event)
        if len(turns) == 2:
            done.set()
        raise ZeroDivisionError  # and it goes on

    monkeypatch.setattr(keeping, "every_minute", chore)
    with keeping.housekeeping(minute=0.01):
        assert done.wait(timeout=30)
