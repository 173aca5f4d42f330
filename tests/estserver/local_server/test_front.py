"""Clients that stall, flood or come through a balancer, over real sockets (threats T50 and T51)."""

import socket
import ssl
import struct
import time
from contextlib import ExitStack, suppress

import pytest

from estserver.local_server import connection as limits
from estserver.local_server.front import MOST_HANDSHAKES, MOST_UNSENT
from estserver.local_server.incoming import HEAD_BYTES
from estserver.local_server.proxy_protocol import SIGNATURE
from tests.estserver.local_server.dummy import BALANCER, ENORMOUS, get, read_reply

SMALL = 40
MANY = 1000
"""Connections that stall, of each kind: in CI, and in `make proof`."""


class Stalled:
    """Opens connections that go no further, each kind from an address of its own."""

    def __init__(self, server, fleet, stack):
        self.server, self.fleet, self.stack = server, fleet, stack

    def raw(self, source):
        address = (self.server.door.host, self.server.door.port)
        opened = socket.create_connection(address, timeout=10, source_address=(source, 0))
        return self.stack.enter_context(opened)

    def shaken(self, source, *who):
        context = self.fleet.client_context(*who)
        wrapped = context.wrap_socket(self.raw(source), server_hostname="localhost")
        return self.stack.enter_context(wrapped)

    def one_byte(self):
        self.raw("127.0.0.2").sendall(b"\x16")

    def silent_after_tls(self):
        self.shaken("127.0.0.3")

    def half_a_head(self):
        self.shaken("127.0.0.4").sendall(b"POST / HTTP/1.1\r\nHost: local")

    def half_a_body(self):
        head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\nhalf"
        self.shaken("127.0.0.5", self.fleet.device, self.fleet.intermediate).sendall(head)

    def slow_reader(self):
        self.shaken("127.0.0.6").sendall(get("/huge"))


KINDS = ("one_byte", "silent_after_tls", "half_a_head", "half_a_body", "slow_reader")


@pytest.fixture
def stalled(server, fleet):
    with ExitStack() as stack:
        yield Stalled(server, fleet, stack)


def is_over(raw):
    """Whether the server has hung up, with a reset or without."""
    try:
        return raw.recv(100) == b""
    except ConnectionResetError:
        return True


def ask_and_time(server, fleet):
    began = time.monotonic()
    status, _, _ = server.ask(get("/"), fleet.device, fleet.intermediate)
    return status, time.monotonic() - began


@pytest.mark.parametrize("kind", KINDS)
def test_T50_clients_that_stall_hold_up_nobody(server, fleet, stalled, kind):
    for _ in range(SMALL if kind != "slow_reader" else 8):
        getattr(stalled, kind)()

    status, seconds = ask_and_time(server, fleet)

    assert status == 200
    assert seconds < 2  # each of them may hold for five seconds and more


@pytest.mark.proof
@pytest.mark.parametrize("kind", KINDS)
def test_T50_a_thousand_that_stall_leave_an_enrollment_under_a_second(server, fleet, stalled, kind):
    for _ in range(MANY if kind != "slow_reader" else 100):
        getattr(stalled, kind)()

    times = [ask_and_time(server, fleet) for _ in range(20)]

    assert {status for status, _ in times} == {200}
    assert max(seconds for _, seconds in times) < 1


def test_T50_the_oldest_handshakes_of_an_address_give_way_to_its_newest(server, fleet, stalled):
    """A device behind the address of a flood is served."""
    opened = [stalled.raw("127.0.0.1") for _ in range(MOST_HANDSHAKES + 5)]
    for each in opened:
        each.sendall(b"\x16")
    assert ask_and_time(server, fleet)[0] == 200

    assert is_over(opened[0])
    opened[-1].settimeout(0.2)
    with pytest.raises(TimeoutError):
        opened[-1].recv(1)


def test_T50_answers_that_nobody_takes_give_way_to_newer_ones(server, stalled):
    count = MOST_UNSENT // ENORMOUS + 2
    readers = [stalled.shaken("127.0.0.6") for _ in range(count)]
    for each in readers:
        each.sendall(get("/enormous"))
        time.sleep(0.1)

    assert len(read_reply(readers[-1])[2]) == ENORMOUS
    with pytest.raises((ConnectionResetError, ssl.SSLEOFError, AssertionError)):
        read_reply(readers[0])


def test_finished_handshakes_of_an_address_are_not_bounded(server, fleet, stalled):
    """Behind an address may sit a factory."""
    held = [
        stalled.shaken("127.0.0.7", fleet.device, fleet.intermediate)
        for _ in range(MOST_HANDSHAKES + 20)
    ]

    for each in held:
        each.sendall(get("/"))
        assert read_reply(each)[0] == 200


def test_T50_what_takes_too_long_ends(server, fleet, stalled, monkeypatch):
    began = time.monotonic()
    handshake = stalled.raw("127.0.0.2")
    handshake.sendall(b"\x16")
    head = stalled.shaken("127.0.0.3")
    head.sendall(b"GET / HT")
    body = stalled.shaken("127.0.0.4", fleet.device, fleet.intermediate)
    body.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx")
    kept = stalled.shaken("127.0.0.5")
    kept.sendall(get("/"))
    assert read_reply(kept)[0] == 200

    for each in (handshake, head, body, kept):
        each.settimeout(limits.REQUEST_SECONDS + 5)
    assert is_over(handshake)
    assert time.monotonic() - began < limits.HANDSHAKE_SECONDS + 2
    assert kept.recv(100) == b""  # closed quietly: no request had begun
    for each in (head, body):
        assert read_reply(each)[0] == 408
        assert each.recv(100) == b""
    assert time.monotonic() - began < limits.REQUEST_SECONDS + 3


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [(b"GET / HTTP/1.1\r\nHost: local", None), (get("/"), 200), (get("/") * 2, 200)],
    ids=["half a request", "a request", "two requests"],
)
def test_T50_a_goodbye_that_comes_with_the_request_is_not_forgotten(
    server, fleet, stalled, request_bytes, status
):
    """Else the connection would be held until the request's time is over, or that of the next."""
    context = fleet.client_context(fleet.device, fleet.intermediate)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    stream = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    raw = stalled.raw("127.0.0.2")
    while True:
        try:
            stream.do_handshake()
            break
        except ssl.SSLWantReadError:
            raw.sendall(outgoing.read())
            incoming.write(raw.recv(65536))
    stream.write(request_bytes)
    with suppress(ssl.SSLWantReadError):
        stream.unwrap()
    began = time.monotonic()
    raw.sendall(outgoing.read())  # the end of the handshake, the request and the goodbye

    while piece := raw.recv(65536):
        incoming.write(piece)

    assert time.monotonic() - began < limits.REQUEST_SECONDS / 2
    answers = b""
    with suppress(ssl.SSLError):
        while piece := stream.read(65536):
            answers += piece
    assert answers.count(b"HTTP/1.1 ") == request_bytes.count(b"\r\n\r\n")
    assert answers[9:12].decode() == str(status or "")


def test_T50_a_head_that_does_not_end_is_refused(server, stalled):
    long_line, long_head = stalled.shaken("127.0.0.2"), stalled.shaken("127.0.0.2")
    long_line.sendall(b"GET /" + b"x" * (HEAD_BYTES + 1))
    long_head.sendall(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * (HEAD_BYTES // 6 + 1))

    assert read_reply(long_line)[0] == 414
    assert read_reply(long_head)[0] == 431


def test_T51_no_body_is_awaited_from_a_stranger(server, stalled):
    stranger = stalled.shaken("127.0.0.2")
    stranger.sendall(b"POST /unread HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20000\r\n\r\n")

    status, head, _ = read_reply(stranger)

    assert status == 200
    assert "Connection: close" in head


def test_a_client_that_resets_while_it_is_answered_leaves_no_trace(server, stalled):
    before = server.log.read_text()
    for _ in range(5):
        client = stalled.shaken("127.0.0.2")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.sendall(b"POST /slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n")
        time.sleep(0.05)
        client.close()  # a reset, because of the option

    assert server.ask(get("/"))[0] == 200
    time.sleep(1.2)
    assert "Traceback" not in server.log.read_text().removeprefix(before)


def test_100_continue_is_for_a_body_that_is_awaited(server, fleet, stalled):
    lines = (
        b"POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
    )
    client = stalled.shaken("127.0.0.2", fleet.device, fleet.intermediate)
    client.sendall(lines)

    assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.sendall(b"body")
    assert read_reply(client)[0] == 200


def test_a_slow_signer_holds_up_nobody_else(server, fleet, stalled):
    asking = [stalled.shaken("127.0.0.2") for _ in range(2)]
    for each in asking:
        each.sendall(get("/signer"))

    times = [ask_and_time(server, fleet)[1] for _ in range(5)]

    assert max(times) < 1
    assert [read_reply(each)[0] for each in asking] == [200, 200]


# Balancers


def passed_on(source, *, command=0x21):
    addresses = socket.inet_aton(source) + socket.inet_aton("192.0.2.1") + struct.pack("!HH", 1, 2)
    return SIGNATURE + struct.pack("!BBH", command, 0x11, len(addresses)) + addresses


@pytest.mark.parametrize("in_pieces", [False, True])
def test_T50_a_trusted_balancer_says_whose_connection_it_is(server, fleet, stalled, in_pieces):
    raw = stalled.raw(BALANCER)
    header = passed_on("192.0.2.7")
    for piece in [header[:5], header[5:20], header[20:]] if in_pieces else [header]:
        raw.sendall(piece)
        time.sleep(0.05 * in_pieces)

    context = fleet.client_context(fleet.device, fleet.intermediate)
    with context.wrap_socket(raw, server_hostname="localhost") as connection:
        connection.sendall(get("/who"))
        assert read_reply(connection)[2] == b"192.0.2.7"


def test_a_trusted_balancer_need_not_say_it(server, fleet, stalled):
    connection = stalled.shaken(BALANCER)
    connection.sendall(get("/who"))

    assert read_reply(connection)[2] == BALANCER.encode()


@pytest.mark.parametrize(
    ("source", "header"),
    [
        ("127.0.0.2", passed_on("192.0.2.7")),
        (BALANCER, b"PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\n"),
        (BALANCER, passed_on("192.0.2.7", command=0x2F)),
        (BALANCER, passed_on("192.0.2.7") * 2),
    ],
    ids=["not trusted", "version 1", "unknown command", "twice"],
)
def test_T50_any_other_header_is_a_400(server, stalled, source, header):
    raw = stalled.raw(source)
    raw.sendall(header)

    assert read_reply(raw)[0] == 400


def test_a_certificate_is_refused_with_an_alert_also_after_the_request(server, fleet):
    """In TLS 1.3 the client may have sent its request before the server has looked."""
    with pytest.raises(ssl.SSLError, match="alert"):
        server.ask(get("/") * 50, fleet.stranger, version=ssl.TLSVersion.TLSv1_3)
