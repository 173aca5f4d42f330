"""The local server behind a real gunicorn, and two doors that stop together."""

import os
import signal
import socket
import ssl
import time
from contextlib import suppress

import pytest

from bench import load
from estserver.local_server.front import REPORT_SECONDS
from estserver.local_server.supervisor import Door, PortUnavailable, supervise
from tests.estserver.local_server.dummy import Server, device_door, free_port, get, read_reply
from tests.support.fleet import VERSIONS


@pytest.mark.parametrize(
    "worker", ["sync", "gthread", "estserver.local_server.worker.DeviceWorker"]
)
def test_application_sees_the_client_certificate_in_each_worker(fleet, dummy, tmp_path, worker):
    # gunicorn takes a later setting over an earlier one, so the worker can be chosen like this.
    door = device_door(f"--worker-class={worker}", "--threads=2")
    if worker == "sync":
        door = device_door("--worker-class=sync", "--threads=1")
    server = Server(fleet, door, tmp_path / "log")
    try:
        reply = server.ask(get("/"), fleet.device, fleet.intermediate)
    finally:
        server.stop()

    assert reply[2] == fleet.device.der


def test_application_sees_the_verified_chain(server, fleet):
    _, _, body = server.ask(get("/chain"), fleet.device, fleet.intermediate)

    assert body == fleet.device.der + fleet.intermediate.der + fleet.root.der


def test_resumed_tls_1_2_session_has_the_whole_chain(server, fleet):
    address = (server.door.host, server.door.port)
    context = fleet.client_context(fleet.device, fleet.intermediate, version=ssl.TLSVersion.TLSv1_2)
    with context.wrap_socket(
        socket.create_connection(address, timeout=10), server_hostname="localhost"
    ) as first:
        first.sendall(get("/"))
        read_reply(first)
        with context.wrap_socket(
            socket.create_connection(address, timeout=10),
            server_hostname="localhost",
            session=first.session,
        ) as second:
            second.sendall(get("/chain"))
            _, _, body = read_reply(second)
            is_reused = second.session_reused

    assert is_reused
    assert body == fleet.device.der + fleet.intermediate.der + fleet.root.der


def test_W17_application_is_reached_without_a_client_certificate(server):
    assert server.ask(get("/"))[2] == b"nobody"


@pytest.mark.parametrize(
    ("who", "why"), [("stranger", "self-signed|issuer certificate"), ("expired", "has expired")]
)
@pytest.mark.parametrize("version", VERSIONS)
def test_refused_client_gets_an_alert_and_the_log_one_line(server, fleet, who, why, version):
    time.sleep(REPORT_SECONDS)  # an address has one line a second
    before = server.log.read_text()

    with pytest.raises(ssl.SSLError, match="alert"):
        server.ask(get("/"), getattr(fleet, who), fleet.intermediate, version=version)

    lines = wait_for_log(server, before)
    assert len(lines) == 1
    assert "127.0.0.1: client certificate refused: " in lines[0]


def wait_for_log(server, before):
    for _ in range(100):
        if server.log.read_text() != before:
            break
        time.sleep(0.02)
    return server.log.read_text().removeprefix(before).splitlines()


def test_clients_that_leave_early_leave_no_trace_in_the_log(server, fleet):
    before = server.log.read_text()

    with socket.create_connection((server.door.host, server.door.port)) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\n\r\n")  # no TLS
    with server.connect(fleet.device, fleet.intermediate):
        pass  # no request
    with server.connect(fleet.device, fleet.intermediate) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\nhalf")
    assert server.ask(get("/"))[0] == 200

    time.sleep(0.2)  # for lines that come late
    assert server.log.read_text() == before


def test_application_never_takes_half_a_body_for_the_whole(server):
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n"
    with server.connect() as connection:
        connection.sendall(head + b"half")

        # The client's close_notify: it has nothing more to say. After a reply this would raise
        # another SSLError, and a server that waits on would make it a TimeoutError.
        with suppress(ssl.SSLEOFError):
            connection.unwrap()


def test_second_request_may_use_the_same_connection(server):
    with server.connect() as connection:
        for _ in range(2):
            connection.sendall(get("/"))
            status, head, body = read_reply(connection)
            assert (status, body) == (200, b"nobody")
            assert "Connection: keep-alive" in head


def test_pipelined_requests_are_both_answered(server):
    with server.connect() as connection:
        connection.sendall(get("/") + get("/", "Connection: close"))
        data = b""
        while chunk := connection.recv(65536):
            data += chunk

    assert data.count(b"HTTP/1.1 200 OK") == 2


def test_T50_kept_connections_take_no_thread(server):
    held = [server.connect() for _ in range(40)]
    try:
        for connection in held:
            connection.sendall(get("/"))
            assert "Connection: keep-alive" in read_reply(connection)[1]

        assert server.ask(get("/"))[0] == 200
    finally:
        for connection in held:
            connection.close()


def test_slow_handshakes_do_not_block_others(server, fleet):
    idle = [socket.create_connection((server.door.host, server.door.port)) for _ in range(10)]
    for raw in idle[:3]:
        raw.sendall(b"\x16\x03\x01")  # the first bytes of a ClientHello, and no more
    try:
        assert server.ask(get("/"), fleet.device, fleet.intermediate)[0] == 200
    finally:
        for raw in idle:
            raw.close()


def test_reply_is_one_tls_record(server):
    with server.connect(version=ssl.TLSVersion.TLSv1_3) as connection:
        connection.sendall(get("/"))
        first = connection.recv(65536)  # OpenSSL hands over one record at a time

    assert first.endswith(b"nobody")


def test_W52_head_is_small_and_names_no_version(server):
    _, head, _ = server.ask(get("/"))

    assert len(head) < 512
    assert "gunicorn" not in head.lower()


def test_large_reply_arrives_whole(server):
    assert server.ask(get("/large"))[2] == b"x" * 300_000


def test_reply_of_unknown_length_is_chunked(server):
    with server.connect() as connection:
        connection.sendall(get("/chunked", "Connection: close"))
        data = b""
        while chunk := connection.recv(65536):
            data += chunk

    assert data.endswith(b"\r\n\r\n3\r\nnob\r\n3\r\nody\r\n0\r\n\r\n")


def test_client_that_sends_what_nobody_reads_still_sees_the_reply(server):
    head = "POST /unread HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 40000"
    with server.connect() as connection:
        connection.sendall(f"{head}\r\n\r\n".encode())
        for _ in range(40):
            connection.sendall(b"x" * 1000)
            time.sleep(0.005)

        assert read_reply(connection)[0] == 200


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (get("/" + "x" * 3000), 414),
        (get("/", "X-Large: " + "x" * 5000), 431),
        (get("/", *(f"X-{n}: 1" for n in range(60))), 431),
        (get("/", "Transfer-Encoding: rot13"), 501),
        (get("/", "Content-Length: 1", "Content-Length: 2"), 400),
        (b"hello\r\n\r\n", 400),
    ],
)
def test_request_beyond_the_limits_is_refused_in_plain_text(server, request_bytes, status):
    answered, head, body = server.ask(request_bytes)

    assert answered == status
    assert "text/plain" in head
    assert len(body) < 50


def test_failing_application_answers_500_without_detail(server):
    before = server.log.read_text()

    status, _, body = server.ask(get("/fail"))

    assert (status, body) == (500, b"Internal Server Error\n")
    assert "RuntimeError: a secret" in "\n".join(wait_for_log(server, before))


def test_stopping_server_finishes_the_request_it_has(fleet, dummy, tmp_path):
    server = Server(fleet, device_door("--threads=2"), tmp_path / "log")
    with server.connect() as connection:
        connection.sendall(get("/slow"))
        time.sleep(0.3)
        server.process.terminate()
        status, _, _ = read_reply(connection)

    assert status == 200
    assert server.process.wait(timeout=20) == 0


def test_load_generator_counts_and_verifies(server, fleet):
    target = load.Target(
        host="127.0.0.1",
        port=server.door.port,
        path="/",
        server_ca=fleet.server.ca,
        client=fleet.device.save(fleet.directory, fleet.intermediate),
        client_key=None,
        tls=None,
        timeout=10,
    )

    report = load.run(
        target,
        [load.make_csr(f"device-{n}", "p256") for n in range(12)],
        concurrency=3,
        server_pids=[server.process.pid],
    )

    assert (report.requests, report.failed) == (12, 0)
    assert report.server_cpu is not None


# Two doors


def plain_door(name, application="dummy_application:application"):
    return Door(
        name=name,
        application=application,
        django_settings="dummy_settings",
        gunicorn_settings="estserver.serving.gunicorn_admin",
        host="127.0.0.1",
        port=free_port(),
    )


def test_port_in_use_is_one_sentence_and_nothing_is_started(dummy):
    free, taken = plain_door("EST server"), plain_door("admin")
    sentence = rf"The admin cannot listen on {taken.address}"
    with (
        socket.create_server((taken.host, taken.port)),
        pytest.raises(PortUnavailable, match=sentence),
    ):
        supervise((free, taken))

    assert not free.is_listening()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_stops_both_doors_and_is_a_success(dummy, number):
    doors = device_door("--threads=2"), plain_door("admin")

    code = supervise(doors, when_open=lambda: os.kill(os.getpid(), number))

    assert code == 0
    assert not any(door.is_listening() for door in doors)


def test_door_that_closes_by_itself_takes_the_other_with_it(dummy, caplog):
    doors = plain_door("EST server"), plain_door("admin", application="no_such_module:application")

    assert supervise(doors) == 1
    assert "the admin closed by itself" in caplog.text
    assert not any(door.is_listening() for door in doors)
