"""Each slow path exists, and workers get whole files, the slow ones first."""

from collections import OrderedDict
from pathlib import Path

import pytest

from tests.support.distribution import APART, TOGETHER, SlowFirst, unit_of, workers_for
from tests.support.slow import SLOW, is_slow, place_in_line

ROOT = Path(__file__).parents[2]


class Worker:
    """A worker that only notes which tests it receives, by their place in the collection."""

    def __init__(self):
        self.received = []

    def send_runtest_some(self, places):
        self.received += places


@pytest.mark.parametrize("path", [*SLOW, *TOGETHER, *APART])
def test_each_path_exists_and_a_folder_ends_with_a_slash(path):
    assert (ROOT / path).is_dir() if path.endswith("/") else (ROOT / path).is_file()


def test_this_test_isnt_slow_and_those_of_a_slow_folder_are(request):
    assert not is_slow(request.node.nodeid)
    assert request.node.get_closest_marker("slow") is None
    assert is_slow("tests/interop/test_curl.py::test_x")


def test_the_first_path_starts_first_and_what_isnt_slow_last():
    first, second = (f"{path}x" for path in SLOW[:2])

    assert place_in_line(first) < place_in_line(second) < place_in_line("tests/pki/csr/test_x.py")


def test_a_unit_is_a_file_a_folder_or_a_test():
    assert unit_of("tests/pki/csr/test_x.py::test_a[::1]") == "tests/pki/csr/test_x.py"
    assert unit_of(f"{TOGETHER[0]}test_x.py::test_a") == TOGETHER[0]
    assert unit_of(f"{APART[0]}::test_a") == f"{APART[0]}::test_a"


def test_there_is_a_worker_for_each_core_and_one_for_two_cores_that_wait():
    assert [workers_for(cores) for cores in (1, 2, 3, 4, 8)] == [1, 3, 4, 6, 12]


def test_a_worker_gets_the_slowest_unit_that_is_left():
    ids = ["tests/pki/csr/test_x.py::test_a", f"{SLOW[1]}test_x.py::test_a", f"{SLOW[0]}::test_a"]
    worker = Worker()
    scheduler = object.__new__(SlowFirst)
    scheduler.workqueue = OrderedDict((unit_of(each), {each: False}) for each in ids)
    scheduler.assigned_work = {}
    scheduler.registered_collections = {worker: ids}

    for _ in ids:
        scheduler._assign_work_unit(worker)

    assert [ids[index] for index in worker.received] == ids[::-1]
