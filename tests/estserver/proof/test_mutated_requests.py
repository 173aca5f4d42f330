"""Mutated HTTP requests, over TLS and before it, get a refusal or nothing (T51, T29).

501 is an answer to an operation or a transfer coding that the server does not have (RFC 9110
15.6.2), and no failure. EST_PROOF_SEED repeats a run.
"""

import base64
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from estserver.local_server.proxy_protocol import SIGNATURE
from tests.estserver.proof.client import (
    HandshakeEnded,
    ask,
    ask_and_say_goodbye,
    client_hello,
    send_before_tls,
)
from tests.estserver.proof.gauges import Gauges
from tests.estserver.proof.installed import BALANCER
from tests.estserver.proof.mutations import TOKENS_OF_HTTP, dice_for, kept, mutated
from tests.estserver.proof.sizes import seed, sizes
from tests.support.builders import make_csr

THREADS = 32
CHUNK = 200
"""Requests between two looks at the server's memory."""
NOT_IMPLEMENTED = 501
TRIES = 20
"""How often a handshake is begun that takes five seconds, on a machine with much other work."""
MOST_GROWTH = 16 * 1024 * 1024
"""Bytes by which memory may have grown after the warm-up, for any number of requests."""

BODY = base64.b64encode(make_csr("mutated-request"))


def request(line, *headers, body=b""):
    lines = [line, "Host: localhost", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def post(operation, *headers, body=BODY):
    return request(
        f"POST /.well-known/est/{operation} HTTP/1.1",
        "Content-Type: application/pkcs10",
        *headers,
        body=body,
    )


CHUNKED = b"%x\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (100, BODY[:100], len(BODY) - 100, BODY[100:])
LENGTH = f"Content-Length: {len(BODY)}"
REQUESTS = [
    request("GET /.well-known/est/cacerts HTTP/1.1"),
    request("HEAD /.well-known/est/cacerts HTTP/1.1", "Connection: close"),
    request("GET /.well-known/est/csrattrs?a=b HTTP/1.1", "Accept: */*"),
    request("GET https://localhost/.well-known/est/label/cacerts HTTP/1.1"),
    request("GET /healthz HTTP/1.1", "Authorization: Basic dXNlcjpwYXNz"),
    post("simpleenroll", LENGTH),
    post("simpleenroll", LENGTH, "Content-Transfer-Encoding: base64", "Connection: close"),
    post("simpleenroll", "Transfer-Encoding: chunked", body=CHUNKED),
    post("simpleenroll", LENGTH, "Expect: 100-continue"),
    post("simplereenroll", LENGTH),
    post("serverkeygen", LENGTH),
    post("simpleenroll", LENGTH) + request("GET /.well-known/est/cacerts HTTP/1.1"),
]


def proxy_header(command=0x21):
    addresses = socket.inet_aton("192.0.2.7") + socket.inet_aton("192.0.2.1")
    addresses += struct.pack("!HH", 1, 2)
    return SIGNATURE + struct.pack("!BBH", command, 0x11, len(addresses)) + addresses


def is_failure(status):
    return status >= 500 and status != NOT_IMPLEMENTED


def sent(served, contexts, hello, dice):
    """Send one mutation; return its bytes, how it was sent, and the reply."""
    how = dice.choice(["client"] * 5 + ["stranger"] * 3 + ["spoilt record"] + ["before TLS"] * 3)
    if how == "before TLS":
        seeds = [hello, proxy_header() + hello, proxy_header(0x20), REQUESTS[0]]
        data = mutated(dice, seeds, TOKENS_OF_HTTP)
        source = dice.choice(["", BALANCER])
        return data, how, send_before_tls(served.port, data, source=source)
    data = mutated(dice, REQUESTS, TOKENS_OF_HTTP) or b"\r\n"
    context = contexts["stranger" if how == "stranger" else "client"]
    for _ in range(TRIES):
        with suppress(HandshakeEnded):
            reply = ask_and_say_goodbye(context, served.port, data, spoilt=how == "spoilt record")
            return data, how, reply
        time.sleep(1)
    raise AssertionError(f"The server ended {TRIES} handshakes, one after the other.")


@sizes("EST_PROOF_REQUESTS", small=600, whole=100_000)
def test_T51_T29_no_mutated_request_gets_a_5xx(served, contexts, size):
    seed_now = seed()
    hello = client_hello(contexts["client"])
    gauges = Gauges(served.workers)
    statuses = {}

    def send(number):
        data, how, reply = sent(served, contexts, hello, dice_for(seed_now, number))
        if any(map(is_failure, reply.statuses)):
            file = kept(f"request-{number}.bin", data)
            return f"{how}: {reply.statuses} for {file} (EST_PROOF_SEED={seed_now})"
        statuses[reply.status] = statuses.get(reply.status, 0) + 1
        return None

    with ThreadPoolExecutor(THREADS) as pool:
        for first in range(0, size, CHUNK):
            failures = [each for each in pool.map(send, range(first, first + CHUNK)) if each]
            assert failures == []
            gauges.look(first + CHUNK)

    assert ask(contexts["client"], served.port, REQUESTS[1]).status == 200
    assert {200, 400, 404} <= {*statuses}, f"too few kinds of answers: {statuses}"
    assert gauges.grown() < MOST_GROWTH
    counts = ", ".join(f"{count} x {status}" for status, count in sorted(statuses.items(), key=str))
    print(  # noqa: T201  # the figures, for whoever runs it with -s
        f"{size} mutated requests with seed {seed_now}: {counts}; memory grew by "
        f"{gauges.growth():.0f} bytes a request"
    )


def test_the_check_takes_no_5xx_but_501():
    assert [status for status in range(200, 600) if is_failure(status)] == [
        status for status in range(500, 600) if status != NOT_IMPLEMENTED
    ]
