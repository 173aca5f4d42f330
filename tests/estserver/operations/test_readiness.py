"""`readyz` says 503 when the database answers, and cannot be written."""

import resource
import threading
from contextlib import contextmanager

import pytest
from django.db import connection

from pki.models import AuditEvent, Generation, IssuedCertificate
from pki.record import transactions, write_probe
from tests.support.builders import make_csr


@pytest.fixture(autouse=True)
def _nothing_was_written_lately(request):
    """What set the installation up was long ago."""
    if "transactional_db" in request.fixturenames:  # before the fixtures that write
        request.getfixturevalue("transactional_db")
    request.getfixturevalue("installation")
    transactions.forget()


def readyz(stranger):
    answer = stranger.request("GET", "/readyz")
    return answer.status_code, answer.body


def probes():
    """How often the fixed row was changed."""
    return (
        Generation.objects.filter(pk=Generation.PROBE_ROW).values_list("number", flat=True).first()
    )


def pass_time():
    """As if the last probe and the last write were long ago."""
    write_probe.forget()
    transactions.forget()


@contextmanager
def read_only():
    """The database takes no write: a file system that is read-only, a server that fails over."""
    on, off = {
        "sqlite": ("PRAGMA query_only = ON", "PRAGMA query_only = OFF"),
        "postgresql": (
            "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
            "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
        ),
    }[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(on)
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(off)


@contextmanager
def no_file_may_grow():
    """The kernel lets this process write to no file: a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_T58_not_ready_when_the_database_is_read_only_as_no_enrollment_is(
    transactional_db, stranger, est_client, caplog
):
    with read_only():
        assert readyz(stranger) == (503, b"not ready\n")
        assert est_client.simpleenroll(make_csr()).status_code == 503
    assert "not ready: database-unavailable" in caplog.text
    assert "read" in caplog.text.partition("not ready: ")[2].partition("\n")[0].rpartition("(")[2]

    pass_time()
    assert readyz(stranger) == (200, b"ready\n")


@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="the server's disk is another's")
def test_T58_not_ready_when_the_disk_is_full_as_no_enrollment_is(
    transactional_db, stranger, est_client
):
    with no_file_may_grow():
        ready = readyz(stranger)
        enrolled = est_client.simpleenroll(make_csr()).status_code
    assert (ready, enrolled) == ((503, b"not ready\n"), 503)

    pass_time()
    assert readyz(stranger) == (200, b"ready\n")


def test_T58_the_probe_changes_one_row_and_is_not_repeated_for_seconds(stranger, monkeypatch):
    events = AuditEvent.objects.count()
    generation = Generation.current()

    for _ in range(20):
        assert readyz(stranger) == (200, b"ready\n")

    assert probes() == 1
    monkeypatch.setattr(write_probe, "PROBE_SECONDS", 0.0)
    readyz(stranger)
    assert probes() == 2
    assert Generation.objects.count() == 2
    assert (AuditEvent.objects.count(), Generation.current()) == (events, generation)


def test_T58_a_failure_is_told_for_seconds_too_unless_a_write_succeeds(
    transactional_db, stranger, est_client
):
    with read_only():
        assert readyz(stranger)[0] == 503
    assert readyz(stranger)[0] == 503

    assert est_client.simpleenroll(make_csr()).status_code == 200

    assert readyz(stranger)[0] == 200
    assert not probes()


def test_T58_after_an_enrollment_nothing_is_written(stranger, est_client):
    est_client.simpleenroll(make_csr())

    assert readyz(stranger)[0] == 200

    assert not probes()


def test_a_transaction_that_wrote_nothing_is_no_write(stranger, est_client):
    csr = make_csr("sensor-1")
    est_client.simpleenroll(csr)
    pass_time()
    # The same request again gets the same certificate: there is nothing to write.
    assert est_client.simpleenroll(csr).status_code == 200
    assert IssuedCertificate.objects.for_name("sensor-1").count() == 1

    assert readyz(stranger)[0] == 200

    assert probes() == 1


def test_T58_nothing_is_written_on_lambda(stranger, settings):
    settings.IS_LAMBDA = True

    assert readyz(stranger)[0] == 200

    assert not probes()


def test_while_one_thread_waits_for_its_write_the_others_are_answered(
    transactional_db, installation, monkeypatch
):
    write_probe.write_problem()
    monkeypatch.setattr(write_probe, "PROBE_SECONDS", 0.0)
    begun, may_end = threading.Event(), threading.Event()

    def slow():
        begun.set()
        assert may_end.wait(30)

    monkeypatch.setattr(Generation, "touch", slow)

    def probe():
        try:
            write_probe.write_problem()
        finally:
            connection.close()

    thread = threading.Thread(target=probe)
    thread.start()
    assert begun.wait(30)

    assert write_probe.write_problem() == ""  # the outcome of the one before
    assert thread.is_alive()

    may_end.set()
    thread.join()
