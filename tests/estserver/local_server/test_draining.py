"""A server that is told to stop says so, and goes on until a balancer has noticed."""

import asyncio
import socket
import time
from types import SimpleNamespace

import pytest
from gunicorn.config import Config

from estserver.local_server import draining
from estserver.local_server.front import Front
from estserver.local_server.worker import DeviceWorker
from tests.estserver.local_server.dummy import Server, device_door, get, read_reply

SECONDS = 2


@pytest.fixture
def draining_server(fleet, dummy, tmp_path, monkeypatch):
    monkeypatch.setenv("DUMMY_DRAIN_SECONDS", str(SECONDS))
    server = Server(fleet, device_door("--threads=2"), tmp_path / "log")
    yield server
    server.stop()


def test_a_draining_server_says_so_at_once_and_answers_new_clients(draining_server):
    assert draining_server.ask(get("/draining"))[2] == b"False"

    draining_server.process.terminate()
    began = time.monotonic()
    head, said = "", b""
    while "connection: close" not in head.lower() and time.monotonic() < began + SECONDS / 2:
        status, head, said = draining_server.ask(get("/draining"))
        assert status == 200

    assert "connection: close" in head.lower()
    assert said == b"True"
    assert draining_server.process.wait(timeout=20) == 0
    assert time.monotonic() - began >= SECONDS
    assert not draining_server.door.is_listening()


def test_a_kept_connection_ends_after_its_next_answer(draining_server):
    with draining_server.connect() as kept:
        kept.sendall(get("/"))
        assert "connection: close" not in read_reply(kept)[1].lower()
        draining_server.process.terminate()
        time.sleep(SECONDS / 4)

        kept.sendall(get("/draining"))
        status, head, said = read_reply(kept)

        assert (status, said) == (200, b"True")
        assert "connection: close" in head.lower()
        assert kept.recv(1) == b""
    assert draining_server.process.wait(timeout=20) == 0


@pytest.mark.parametrize("pause", [SECONDS / 4, SECONDS + 1])
def test_a_request_that_has_begun_is_answered_while_draining_and_after(
    fleet, draining_server, pause
):
    head = b"POST /draining HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\nhalf"
    with draining_server.connect(fleet.device, fleet.intermediate) as begun:
        begun.sendall(head)
        draining_server.process.terminate()
        time.sleep(pause)
        begun.sendall(b"..")

        assert read_reply(begun)[::2] == (200, b"True")
    assert draining_server.process.wait(timeout=20) == 0


def test_a_client_that_connects_while_the_listener_closes_is_not_reset():
    """The kernel has accepted it, and the loop has not come to it yet."""

    async def stop():
        loop = asyncio.get_running_loop()
        listener = socket.create_server(("127.0.0.1", 0))
        worker = SimpleNamespace(sockets=[SimpleNamespace(sock=listener)], cfg=Config())
        front = Front(worker, loop, compute=None)
        server = await loop.create_server(asyncio.Protocol, sock=listener)
        address = listener.getsockname()
        with (
            socket.create_connection(address, timeout=0.2) as early,
            socket.create_connection(address, timeout=0.2) as other,
        ):
            await DeviceWorker._stop_accepting(worker, loop, [server], front)

            assert len(front) == 2
            for client in (early, other):
                with pytest.raises(TimeoutError):
                    client.recv(1)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, timeout=0.2)
        await asyncio.sleep(0.1)

    asyncio.run(stop())


@pytest.mark.parametrize(
    ("configured", "graceful", "drains"),
    [(5, 20, 5), (0, 15, 0), (60, 20, 5), (5, 3, 0)],
)
def test_time_for_answers_is_left_before_gunicorn_kills(configured, graceful, drains):
    drained = draining.drain_seconds(configured, graceful_timeout=graceful)

    assert drained == drains
    assert drained + draining.answer_seconds(drained, graceful_timeout=graceful) < graceful
