"""What only a server can do: stop in the middle of things, come back, and choose isolation."""

import os
from itertools import count
from pathlib import Path
from time import sleep

import pytest
from django.db import close_old_connections, connection

from tests.pki.state.door import at_once
from tests.pki.state.invariants import check_invariants, check_on_record, check_signed
from tests.support.builders import make_csr, make_key
from tests.support.postgresql import DIRECTORY_VARIABLE, PostgreSQLServer


@pytest.fixture
def server():
    """The private server that this run is on."""
    directory = os.environ.get(DIRECTORY_VARIABLE)
    if directory is None:
        pytest.skip(f"the server isn't ours to stop: {DIRECTORY_VARIABLE} isn't set")
    return PostgreSQLServer(Path(directory))


def test_T21_service_recovers_when_the_server_crashes_and_comes_back(device, signer, server):
    numbers = count()
    replies = []

    def enroll_some():
        for _ in range(40):
            number = next(numbers)
            csr = make_csr(f"sensor-{number}", key=make_key(index=number))
            for _ in range(400):
                reply = device.simpleenroll(csr)
                replies.append(reply)
                if reply.status_code != 503:
                    break
                sleep(0.02)

    def crash_the_server():
        while len(replies) < 20:
            sleep(0.01)
        server.stop("immediate")
        sleep(0.2)
        server.start()

    at_once(enroll_some, enroll_some, enroll_some, crash_the_server)
    close_old_connections()

    issued = [reply.certificate for reply in replies if reply.status_code == 200]
    assert {reply.status_code for reply in replies} == {200, 503}
    assert {reply.reason for reply in replies if reply.status_code == 503} == {
        "database-unavailable"
    }
    assert len(issued) == 120
    check_on_record(issued)
    check_signed(signer.signed)
    check_invariants()


def test_T21_first_request_after_a_restart_is_answered(device, server):
    assert device.simpleenroll(make_csr("sensor-1")).status_code == 200

    server.stop("fast")
    server.start()

    csr = make_csr("sensor-2", key=make_key(index=1))
    assert device.simpleenroll(csr).status_code == 200


def test_T38_isolation_is_the_one_that_this_run_is_about(db):
    with connection.cursor() as cursor:
        cursor.execute("SHOW transaction_isolation")
        (isolation,) = cursor.fetchone()

    assert isolation == os.environ.get("EST_ISOLATION", "read committed")
