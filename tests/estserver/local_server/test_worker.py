"""How much a process takes on: as many connections as it may open files, and one a core."""

import resource

import pytest

from estserver.local_server import worker
from estserver.local_server.front import MOST_CONNECTIONS
from estserver.local_server.processes import process_count, usable_cores

UNLIMITED = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("soft", "hard", "raised_to", "connections"),
    [
        (20_000, 20_000, None, MOST_CONNECTIONS),
        (UNLIMITED, UNLIMITED, None, MOST_CONNECTIONS),
        (1024, UNLIMITED, 4224, MOST_CONNECTIONS),
        (1024, 2048, 2048, 2048 - worker.FILES_FOR_OTHERS),
        (64, 64, 64, 1),
    ],
)
def test_T50_there_are_as_many_connections_as_open_files_allow(
    monkeypatch, soft, hard, raised_to, connections
):
    raised = []
    monkeypatch.setattr(resource, "getrlimit", lambda what: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda what, limits: raised.append(limits))

    assert worker._files_for_connections() == connections
    assert raised == ([] if raised_to is None else [(raised_to, hard)])


def test_a_limit_that_may_not_be_raised_is_kept(monkeypatch):
    def refuse(what, limits):
        raise PermissionError

    monkeypatch.setattr(resource, "getrlimit", lambda what: (1024, 4096))
    monkeypatch.setattr(resource, "setrlimit", refuse)

    assert worker._files_for_connections() == 1024 - worker.FILES_FOR_OTHERS


@pytest.mark.parametrize(
    ("text", "cores"),
    [("50000 100000", 1), ("200000 100000", 2), ("150000 100000", 2), ("max 100000", 8), ("", 8)],
)
def test_a_container_has_the_cores_of_its_quota(monkeypatch, tmp_path, text, cores):
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(8)))
    (tmp_path / "cpu.max").write_text(text + "\n")

    assert usable_cores(tmp_path / "cpu.max") == cores
    assert usable_cores(tmp_path / "absent") == 8


def test_sqlite_has_one_process_whatever_cores_there_are():
    assert process_count("django.db.backends.sqlite3") == 1
    assert process_count("estserver.postgresql") == usable_cores()
