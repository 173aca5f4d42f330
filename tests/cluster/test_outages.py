"""The database goes and comes back: nothing that a device got is lost, and /readyz is right."""

import itertools
import os
import shutil
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.counting_proxy import counting_proxy
from tests.support.devices import Devices
from tests.support.members import Member, RunningMember
from tests.support.ports import free_ports
from tests.support.programs import unavailable

OUTAGE_SECONDS = 5
NOTICED_SECONDS = 10
"""What /readyz may take to notice. On a quiet machine it takes one to two seconds."""
MANY = 50
FULL = b"x" * 4096

pytestmark = [pytest.mark.proof, pytest.mark.timeout(300)]


@pytest.fixture
def proxy(postgresql):
    with counting_proxy(postgresql.port) as proxy:
        yield proxy


@pytest.fixture
def member(members, postgresql, proxy):
    """A server that reaches its database through the proxy."""
    url = postgresql.url().replace(f":{postgresql.port}/", f":{proxy.port}/")
    return replace(members[0], more=members[0].more | {"DATABASE_URL": url})


def outage(member, log, begin, end, *, unready=(503,), is_gradual=False):
    """Let devices enroll before, during and after an outage; return them and what they met.

    A gradual outage begins with the first refusal.
    """
    running = RunningMember(member, log)
    devices = Devices(member, member.port, pause=0.02)
    try:
        running.wait_until(200)
        with devices.enrolling():
            devices.wait_for_more(MANY)
            begin()
            if is_gradual:
                devices.wait_for_refusal()
            noticed = running.wait_until(*unready)
            time.sleep(OUTAGE_SECONDS)
            assert running.readiness() in unready
            end()
            back = running.wait_until(200)
            devices.wait_for_more(MANY)
    finally:
        code = running.stop()
    lost = devices.lost()
    print(  # noqa: T201  # the figures, for whoever runs it with -s
        f"{len(devices.answered)} certificates answered, {len(lost)} lost; "
        f"refused: {dict(devices.refused)}; broken: {len(devices.broken)}; /readyz: "
        f"not ready after {noticed:.1f} s, ready after {back:.1f} s; "
        f"the slowest answer took {devices.slowest:.1f} s"
    )
    assert (code, lost) == (0, set())
    assert noticed < NOTICED_SECONDS
    assert back < NOTICED_SECONDS
    return devices


def assert_all_were_asked_to_come_again(devices):
    assert devices.broken == []
    assert set(devices.refused) == {(503, True)}


@pytest.mark.postgresql
def test_T58_postgresql_crashes_and_comes_back(member, postgresql, tmp_path):
    devices = outage(
        member, tmp_path / "log", lambda: postgresql.stop("immediate"), postgresql.start
    )

    assert_all_were_asked_to_come_again(devices)


@pytest.mark.postgresql
def test_T58_the_connections_to_postgresql_are_cut_and_refused(member, proxy, tmp_path):
    def cut():
        proxy.is_refusing = True
        proxy.cut()

    def mend():
        proxy.is_refusing = False

    assert_all_were_asked_to_come_again(outage(member, tmp_path / "log", cut, mend))


@pytest.mark.postgresql
def test_T58_postgresql_does_not_answer_and_nothing_says_that_it_is_gone(member, proxy, tmp_path):
    """No byte comes back, so threads wait, and /readyz too: a check times out, or gets a 503."""
    devices = outage(member, tmp_path / "log", proxy.hold, proxy.release, unready=(0, 503))

    assert devices.broken == []
    assert set(devices.refused) <= {(503, True)}


@pytest.mark.postgresql
def test_T58_postgresql_becomes_read_only_and_writable_again(member, postgresql, tmp_path):
    def read_only():
        postgresql.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        postgresql.execute("SELECT pg_reload_conf()")

    def writable():
        postgresql.execute("ALTER SYSTEM RESET default_transaction_read_only")
        postgresql.execute("SELECT pg_reload_conf()")

    assert_all_were_asked_to_come_again(outage(member, tmp_path / "log", read_only, writable))


@contextmanager
def small_disk(directory: Path):
    """A file system of 24 MB, in memory."""
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(directory)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        unavailable("A file system can be mounted by root alone, where the kernel lets it.")
    try:
        yield directory
    finally:
        subprocess.run(["umount", str(directory)], check=True)


def fill(path: Path):
    """Write a file until the disk is full."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(FULL):
            pass
    assert shutil.disk_usage(path).free == 0


def test_T58_the_disk_of_sqlite_is_full_and_has_room_again(tmp_path):
    one, admin_port = itertools.islice(free_ports(), 2)
    with small_disk(tmp_path / "disk") as disk:
        member = Member(disk / "data", one, admin_port)
        member.quickstart()
        member.manage("profile_set", "default", "new_names_per_hour=1000000", "--reason=test")
        filler = disk / "filler"

        # SQLite first writes what its log has room for.
        devices = outage(
            *(member, tmp_path / "log", lambda: fill(filler), filler.unlink), is_gradual=True
        )

    assert_all_were_asked_to_come_again(devices)
