"""An enrollment against the moment at which an import comes in force."""

import datetime
from dataclasses import replace
from itertools import count
from threading import Event
from time import monotonic, sleep
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.hashes import SHA256

from pki.csr.public_keys import public_key_sha256
from pki.denylist.csv_import import Line
from pki.exceptions import Busy
from pki.jobs import denying
from pki.jobs.denying import import_lines, start_import
from pki.jobs.worker import work_on_job
from pki.models import DenylistEntry, IssuedCertificate
from pki.operators.errors import OperatorError
from tests.conftest import TESTER
from tests.pki.state.invariants import check_invariants
from tests.pki.state.test_deny_waits import race
from tests.pki.state.test_races import ROUNDS, issued_serials, pair  # noqa: F401  # a fixture
from tests.support.builders import make_csr, make_key

NAME, KEY = "sensor-1", 1
LATE = datetime.datetime(2999, 1, 1, tzinfo=datetime.UTC)


def lines_of(*entries):
    return [
        Line(number=number, kind=kind, value=value, reason="race", expires_at=LATE)
        for number, (kind, value) in enumerate(entries, 2)
    ]


def import_persistently(*entries):
    """An operator repeats what was answered with Busy, which is the same job."""
    while True:
        try:
            return import_lines(lines_of(*entries), actor=TESTER)
        except Busy:
            sleep(0.01)


@pytest.mark.parametrize(
    "kind", ["name", "device-serial", "key", "client", "fingerprint", "serial"]
)
def test_T16_an_import_waits_for_the_enrollment_that_is_being_issued(device, kind):
    key = make_key(index=KEY)
    value = {
        "name": NAME,
        "device-serial": "sn-1",
        "key": public_key_sha256(key.public_key()),
        "client": device.certificate.fingerprint(SHA256()).hex(),
        "fingerprint": device.certificate.fingerprint(SHA256()).hex(),
        "serial": f"{device.certificate.serial_number:x}",
    }[kind]
    csr = make_csr(NAME, key=key, serial_number="SN-1")
    entries = ("name", "other"), (kind, value)
    job = start_import(lines_of(*entries), is_replacing=False, actor=TESTER)
    turns = iter([True, True, False])
    work_on_job(job.pk, may_go_on=lambda: next(turns))  # all is staged, and nothing in force

    reply, seen = race(lambda: device.simpleenroll(csr), lambda: import_persistently(*entries))

    assert reply.status_code == (200 if seen else 403), reply.text
    assert issued_serials(common_name=NAME) == seen, "I6"
    check_invariants()


@pytest.fixture
def moment(monkeypatch):
    """An event that is set some milliseconds before an import comes in force, and how many."""
    before = SimpleNamespace(comes=Event(), seconds=0.0)
    kind = denying.DENY_IMPORT

    def finish(job, actor, pace):
        if not before.comes.is_set():
            before.comes.set()
            sleep(before.seconds)
        return kind.finish(job, actor, pace)

    monkeypatch.setattr(denying, "DENY_IMPORT", replace(kind, finish=finish))
    return before


@pytest.mark.timeout(1200)
def test_T16_nothing_is_issued_after_the_import_has_returned(device, pair, moment):  # noqa: F811
    outcomes = set()
    began = monotonic()
    assert device.simpleenroll(make_csr("first", key=make_key(index=8))).status_code == 200
    took = monotonic() - began
    rounds = max(ROUNDS // 3, 6)
    for number in range(rounds):
        name = f"sensor-{number}"
        csr = make_csr(name, key=make_key(index=number % 8))

        moment.comes.clear()
        lead = (number / (rounds - 1) * 4 - 2) * took  # the enrollment's: two late, then two early
        moment.seconds = max(lead, 0)

        def enroll(csr=csr, lead=lead):
            moment.comes.wait(30)
            sleep(max(-lead, 0))
            return device.simpleenroll(csr)

        def denied(name=name, number=number):
            import_persistently(("name", name), ("name", f"other-{number}"))
            return issued_serials(common_name=name)

        reply, seen = pair(enroll, denied)

        assert reply.status_code in (200, 403, 503), reply.text
        assert issued_serials(common_name=name) == seen, "I6"
        assert device.simpleenroll(csr).status_code == 403
        IssuedCertificate.objects.filter(common_name=name).update(key_owner=None)
        outcomes.add(reply.status_code)
    assert {200, 403} <= outcomes
    check_invariants()


@pytest.mark.timeout(1200)
def test_T17_no_device_sees_a_part_of_an_import(device, pair, moment, monkeypatch):  # noqa: F811
    """Two names of one import, staged and settled in transactions of their own.

    When the first of two requests is refused, the second one is refused, too.
    """
    monkeypatch.setattr(denying, "DENY_IMPORT", replace(denying.DENY_IMPORT, chunk=1))
    for number in range(max(ROUNDS // 10, 15)):
        names = [f"a-{number}", f"b-{number}"]
        moment.comes.clear()
        moment.seconds = (number % 15) / 300

        def enroll(names=names):
            moment.comes.wait(30)
            return [
                device.simpleenroll(make_csr(name, key=make_key(index=place))).status_code
                for place, name in enumerate(names)
            ]

        codes, _ = pair(
            enroll, lambda names=names: import_persistently(*[("name", name) for name in names])
        )

        first, second = codes
        assert not (first == 403 and second == 200), "a part of the import was in force"
        IssuedCertificate.objects.exclude(key_owner=None).update(key_owner=None)
    assert DenylistEntry.objects.in_force().count() == DenylistEntry.objects.count() > 0


def test_two_imports_of_the_same_values_at_once_leave_each_value_denied_by_one(device, pair):  # noqa: F811
    numbers = count()
    for _ in range(15):
        entries = [("name", f"sensor-{next(numbers)}") for _ in range(4)]

        def one(actor, entries=entries):
            while True:
                try:
                    return import_lines(lines_of(*entries), actor=actor)
                except (Busy, OperatorError):
                    if not DenylistEntry.objects.exclude(batch=None).exists():
                        return None
                    sleep(0.01)

        pair(lambda: one(TESTER), lambda: one(type(TESTER)("command:other")))

        assert DenylistEntry.objects.in_force().filter(value__startswith="sensor").count()
