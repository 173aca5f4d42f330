"""Servers behind a balancer are restarted in turn, and no device notices."""

from dataclasses import replace
from itertools import islice

import pytest

from tests.support.balancer import balancer
from tests.support.devices import Devices
from tests.support.members import RunningMember
from tests.support.ports import free_ports

DEVICE = "127.0.0.21"
"""The address that devices connect from."""

pytestmark = [pytest.mark.postgresql, pytest.mark.timeout(600)]


@pytest.mark.parametrize(
    ("processes", "rounds"),
    [(1, 2), pytest.param(2, 10, marks=[pytest.mark.proof, pytest.mark.timeout(1200)])],
)
def test_no_request_fails_while_two_servers_are_restarted_in_turn(
    members, tmp_path, processes, rounds
):
    (port,) = islice(free_ports(), 1)
    devices = Devices(members[0], port, source=DEVICE, pause=0.05)
    given = {"GUNICORN_CMD_ARGS": f"--workers={processes}"}
    named = {
        name: replace(member, more=member.more | given)
        for name, member in zip(("one", "two"), members, strict=True)
    }
    running = {name: RunningMember(member) for name, member in named.items()}
    codes = []
    try:
        with balancer(tmp_path, port, [each.port for each in members], members[0].server_ca) as tcp:
            for name in running:
                tcp.wait_for(name, "UP")
            with devices.enrolling(threads=3):
                devices.wait_for_more(20)
                for name, member in [*named.items()] * rounds:
                    codes.append(running[name].stop())
                    running[name] = RunningMember(member)
                    tcp.wait_for(name, "UP")
                    devices.wait_for_more(5)
    finally:
        codes += [each.stop() for each in running.values()]

    assert (devices.broken, dict(devices.refused)) == ([], {})
    assert codes == [0] * (2 * rounds + 2)
    assert devices.lost() == set()
    assert _addresses_on_record(members[0]) == {DEVICE}


def _addresses_on_record(member):
    """Where the enrollments on the audit trail came from. A command has no address."""
    return set(
        member.ask("""
            from pki.models import AuditEvent
            of_certificates = AuditEvent.objects.filter(target__startswith="certificate:")
            answer = list(of_certificates.values_list("source_ip", flat=True).distinct())
        """)
    ) - {None}
