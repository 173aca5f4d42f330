"""Few threads compute at a time, while many wait for other machines."""

import threading
import time

import pytest

from estserver.local_server.compute import Compute, Full
from pki.waiting import waiting


@pytest.fixture
def compute():
    """One turn, four threads, and two jobs that may wait."""
    compute = Compute(turns=1, threads=4, waiting=2)
    yield compute
    compute.close()


def until(condition):
    give_up = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.005)


class Job:
    """Computes until it is told to go on, then waits for another machine until told again."""

    def __init__(self, *, waits=False):
        self.begun, self.computed = threading.Event(), threading.Event()
        self.answered, self.done = threading.Event(), threading.Event()
        self.thread = None
        if not waits:
            self.answered.set()
        self.waits = waits

    def __call__(self):
        self.thread = threading.current_thread()
        self.begun.set()
        self.computed.wait(10)
        if self.waits:
            with waiting():
                self.answered.wait(10)
        self.done.set()


def test_T50_one_computes_at_a_time(compute):
    first, second = Job(), Job()
    compute.submit(first)
    compute.submit(second)
    assert first.begun.wait(10)
    assert not second.begun.wait(0.1)

    first.computed.set()
    assert second.begun.wait(10)
    assert second.thread is first.thread  # no other thread had to be woken
    second.computed.set()
    assert second.done.wait(10)


def test_who_waits_for_another_machine_lets_others_compute(compute):
    slow, quick = Job(waits=True), Job()
    slow.computed.set()
    compute.submit(slow)
    assert slow.begun.wait(10)
    compute.submit(quick)

    assert quick.begun.wait(10)
    # The answer comes while another computes: the turn is waited for.
    slow.answered.set()
    assert not slow.done.wait(0.1)
    quick.computed.set()
    assert slow.done.wait(10)


def test_who_comes_back_goes_before_new_requests(compute):
    slow, first, second = Job(waits=True), Job(), Job()
    slow.computed.set()
    compute.submit(slow)
    assert slow.begun.wait(10)
    compute.submit(first)
    assert first.begun.wait(10)
    compute.submit(second)
    slow.answered.set()
    time.sleep(0.05)

    first.computed.set()
    assert slow.done.wait(10)
    assert second.begun.wait(10)
    second.computed.set()


def test_T50_more_than_may_wait_are_refused(compute):
    blocker = Job()
    compute.submit(blocker)
    assert blocker.begun.wait(10)
    jobs = [Job(), Job()]
    for job in jobs:
        compute.submit(job)

    with pytest.raises(Full):
        compute.submit(Job())

    for job in (blocker, *jobs):
        job.computed.set()
    assert jobs[-1].done.wait(10)
    compute.submit(jobs[0])


def test_a_bug_ends_no_thread(compute, caplog):
    def fail():
        raise RuntimeError("a bug")

    job = Job()
    job.computed.set()
    compute.submit(fail)
    compute.submit(job)

    assert job.done.wait(10)
    assert "a request was not answered" in caplog.text


def test_several_compute_where_there_are_turns():
    compute = Compute(turns=3, threads=3, waiting=10)
    jobs = [Job() for _ in range(4)]
    for job in jobs:
        compute.submit(job)

    until(lambda: sum(job.begun.is_set() for job in jobs) == 3)
    assert not jobs[3].begun.wait(0.1)
    for job in jobs:
        job.computed.set()
    assert jobs[3].done.wait(10)
    compute.close()
