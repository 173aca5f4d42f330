"""The local server: its own certificate, TLS, the worker, and two doors that stop together."""

import datetime as dt
import os
import signal
import socket
import ssl
import stat
import subprocess
import textwrap
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.verification import PolicyBuilder, Store

from bench import load
from estserver.serving.server_certificate import (
    LIFETIME,
    ServerCertificateUnusable,
    ensure_server_certificate,
)
from estserver.serving.supervisor import Door, PortUnavailable, supervise
from estserver.serving.tls import (
    ContextCache,
    TruststoreUnavailable,
    peer_chain,
    server_context,
)

NOW = dt.datetime.now(dt.UTC)
ROOT = Path(__file__).parents[2]


class Party:
    """A certificate with its key, able to issue others."""

    def __init__(self, name, issuer=None, *, ca=False, not_after=NOW + dt.timedelta(days=9)):
        self.key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        issuer = issuer or self
        issuer_name = subject if issuer is self else issuer.certificate.subject
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer_name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - dt.timedelta(days=9))
            .not_valid_after(not_after)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        self.certificate = builder.sign(issuer.key, SHA256())

    @property
    def pem(self):
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def der(self):
        return self.certificate.public_bytes(Encoding.DER)

    def save(self, directory, *chain):
        """A file with key, certificate and ``chain``, as `ssl` loads it."""
        key = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path = directory / f"{self.certificate.serial_number}.pem"
        path.write_text(key.decode() + self.pem + "".join(party.pem for party in chain))
        return path


class Truststore:
    """A truststore in memory, which counts how often it is asked."""

    def __init__(self, pem=""):
        self.text = pem
        self.asked = 0
        self.available = True

    def version(self):
        self.asked += 1
        if not self.available:
            raise TruststoreUnavailable("the database is locked")
        return str(hash(self.text))

    def pem(self):
        return self.text


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    """Root, intermediate and device, and strangers: issued once, read by all."""

    class Fleet:
        directory = tmp_path_factory.mktemp("fleet")
        root = Party("root", ca=True)
        intermediate = Party("intermediate", root, ca=True)
        device = Party("device", intermediate)
        expired = Party("expired", intermediate, not_after=NOW - dt.timedelta(days=1))
        other_root = Party("other root", ca=True)
        stranger = Party("stranger", other_root)
        server = ensure_server_certificate(directory / "server", now=NOW)

    return Fleet


def client_context(fleet, party=None, *chain, version=None):
    context = ssl.create_default_context(cafile=str(fleet.server.ca))
    if version:
        context.minimum_version = context.maximum_version = version
    if party:
        context.load_cert_chain(party.save(fleet.directory, *chain))
    return context


# The server's own certificate


def test_server_certificate_is_one_that_a_strict_client_accepts(tmp_path):
    files = ensure_server_certificate(tmp_path)

    ca = x509.load_pem_x509_certificate(files.ca.read_bytes())
    leaf = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    for name in (x509.DNSName("localhost"), *map(x509.IPAddress, addresses("127.0.0.1", "::1"))):
        PolicyBuilder().store(Store([ca])).build_server_verifier(name).verify(leaf, [])
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc <= dt.timedelta(days=398)


def addresses(*texts):
    import ipaddress

    return [ipaddress.ip_address(text) for text in texts]


def test_server_keys_are_for_their_owner_only(tmp_path):
    files = ensure_server_certificate(tmp_path / "new" / "directory")

    assert {stat.S_IMODE(key.stat().st_mode) for key in (files.ca_key, files.key)} == {0o600}


def contents(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_valid_server_certificate_is_never_overwritten(tmp_path):
    ensure_server_certificate(tmp_path, now=NOW)
    before = contents(tmp_path)

    ensure_server_certificate(tmp_path, now=NOW + LIFETIME - dt.timedelta(days=31))

    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("names", "later"),
    [
        (("localhost", "127.0.0.1", "::1"), LIFETIME - dt.timedelta(days=29)),
        (("localhost", "127.0.0.1", "::1", "est.example"), dt.timedelta(0)),
    ],
    ids=["it runs out", "the names changed"],
)
def test_server_certificate_is_renewed_under_the_same_ca(tmp_path, names, later):
    ensure_server_certificate(tmp_path, now=NOW)
    before = contents(tmp_path)

    ensure_server_certificate(tmp_path, names=names, now=NOW + later)

    changed = {name for name, content in contents(tmp_path).items() if content != before[name]}
    assert changed == {"server.pem", "server.key"}


@pytest.mark.parametrize("lost", ["server-ca.pem", "server-ca.key"])
def test_lost_server_ca_is_replaced_with_its_leaf(tmp_path, lost):
    files = ensure_server_certificate(tmp_path)
    before = contents(tmp_path)
    (tmp_path / lost).unlink()

    ensure_server_certificate(tmp_path)

    assert all(content != before[name] for name, content in contents(tmp_path).items())
    ca = x509.load_pem_x509_certificate(files.ca.read_bytes())
    x509.load_pem_x509_certificate(files.certificate.read_bytes()).verify_directly_issued_by(ca)


def test_key_of_another_certificate_is_replaced(tmp_path):
    files = ensure_server_certificate(tmp_path)
    files.key.write_bytes(files.ca_key.read_bytes())

    ensure_server_certificate(tmp_path)

    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
        files.certificate, files.key
    )


def test_unreadable_server_key_is_named_and_left_alone(tmp_path):
    files = ensure_server_certificate(tmp_path)
    files.key.write_text("something of the operator's")

    with pytest.raises(ServerCertificateUnusable, match=r"server\.key .*remove both"):
        ensure_server_certificate(tmp_path)

    assert files.key.read_text() == "something of the operator's"


# TLS, in memory


def shake_hands(server, client, *, session=None):
    """A handshake between two contexts; the server's side of it."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server_side = server.wrap_bio(to_server, to_client, server_side=True)
    client_side = client.wrap_bio(
        to_client, to_server, server_hostname="localhost", session=session
    )
    for _ in range(4):
        for side in (client_side, server_side):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return server_side, client_side


VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.mark.parametrize("version", VERSIONS)
def test_peer_chain_is_the_verified_one_up_to_the_root(fleet, version):
    server = server_context(fleet.server.certificate, fleet.server.key, fleet.root.pem)
    # The stranger is sent along, and has no business in the chain.
    client = client_context(
        fleet, fleet.device, fleet.intermediate, fleet.other_root, version=version
    )

    connection, _ = shake_hands(server, client)

    assert peer_chain(connection) == (fleet.device.der, fleet.intermediate.der, fleet.root.der)


@pytest.mark.parametrize("version", VERSIONS)
def test_truststore_may_hold_an_intermediate_alone(fleet, version):
    server = server_context(fleet.server.certificate, fleet.server.key, fleet.intermediate.pem)

    connection, _ = shake_hands(server, client_context(fleet, fleet.device, version=version))

    assert peer_chain(connection) == (fleet.device.der, fleet.intermediate.der)


@pytest.mark.parametrize("version", VERSIONS)
def test_W17_client_without_certificate_is_served_and_has_no_chain(fleet, version):
    server = server_context(fleet.server.certificate, fleet.server.key, fleet.root.pem)

    connection, _ = shake_hands(server, client_context(fleet, version=version))

    assert connection.getpeercert(binary_form=True) is None
    assert peer_chain(connection) == ()


def test_plain_socket_has_no_peer_chain():
    with socket.socket() as plain:
        assert peer_chain(plain) == ()


def test_resumed_session_yields_the_client_certificate_alone(fleet):
    server = server_context(fleet.server.certificate, fleet.server.key, fleet.root.pem)
    client = client_context(fleet, fleet.device, fleet.intermediate, version=VERSIONS[0])
    _, first = shake_hands(server, client)

    connection, _ = shake_hands(server, client, session=first.session)

    assert connection.session_reused
    assert peer_chain(connection) == (fleet.device.der,)


@pytest.mark.parametrize("version", VERSIONS)
def test_empty_truststore_serves_and_accepts_no_client_certificate(fleet, version):
    server = server_context(fleet.server.certificate, fleet.server.key, "")

    shake_hands(server, client_context(fleet, version=version))
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(server, client_context(fleet, fleet.device, version=version))


def test_W51_no_tls_before_1_2_and_no_cbc(fleet):
    context = server_context(fleet.server.certificate, fleet.server.key, "")

    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert all(cipher["aead"] for cipher in context.get_ciphers())


def test_context_is_built_once_and_the_truststore_asked_once_in_a_while(fleet):
    truststore = Truststore(fleet.root.pem)
    cache = ContextCache(fleet.server.certificate, fleet.server.key, truststore)

    assert len({id(cache.context()) for _ in range(50)}) == 1
    assert truststore.asked == 1


def test_successor_ca_is_trusted_without_a_restart(fleet):
    truststore = Truststore(fleet.root.pem)
    cache = ContextCache(fleet.server.certificate, fleet.server.key, truststore, refresh_seconds=0)
    before = cache.context()
    assert cache.context() is before

    truststore.text += fleet.other_root.pem

    connection, _ = shake_hands(cache.context(), client_context(fleet, fleet.stranger))
    assert peer_chain(connection)[0] == fleet.stranger.der


def test_renewed_server_certificate_is_used_without_a_restart(tmp_path):
    files = ensure_server_certificate(tmp_path)
    cache = ContextCache(files.certificate, files.key, Truststore(), refresh_seconds=0)
    before = cache.context()

    ensure_server_certificate(tmp_path, names=("localhost", "est.example"))

    assert cache.context() is not before


@pytest.mark.parametrize("fault", ["unavailable", "not PEM"])
def test_server_goes_on_with_the_truststore_it_had(fleet, caplog, fault):
    truststore = Truststore(fleet.root.pem)
    cache = ContextCache(fleet.server.certificate, fleet.server.key, truststore, refresh_seconds=0)
    before = cache.context()
    truststore.available = fault != "unavailable"
    truststore.text = "garbage"

    assert cache.context() is before
    assert "going on with the previous truststore" in caplog.text


# The worker, behind a real gunicorn

APPLICATION = """
    import time
    from estserver.serving.tls import peer_chain

    def application(environ, start_response):
        path, connection = environ["PATH_INFO"], environ["gunicorn.socket"]
        if path == "/fail":
            raise RuntimeError("a secret")
        if path == "/slow":
            time.sleep(1)
        if path != "/unread":
            environ["wsgi.input"].read()
        body = {
            "/chain": b"".join(peer_chain(connection)),
            "/large": b"x" * 300_000,
        }.get(path, connection.getpeercert(True) or b"nobody")
        headers = [("Content-Type", "application/pkcs7-mime; smime-type=certs-only")]
        if path != "/chunked":
            headers.append(("Content-Length", str(len(body))))
        start_response("200 OK", headers)
        return [body[:10], body[10:]]

    class Truststore:
        def version(self):
            return "1"

        def pem(self):
            return TRUSTSTORE
"""


@pytest.fixture(scope="module")
def dummy(fleet):
    """A module with an application and a truststore, and settings that point at it."""
    directory = fleet.directory / "modules"
    directory.mkdir()
    source = textwrap.dedent(APPLICATION) + f"\nTRUSTSTORE = {fleet.root.pem!r}\n"
    (directory / "dummy_application.py").write_text(source)
    (directory / "dummy_settings.py").write_text(
        f"from pathlib import Path\nEST_DATA_DIR = Path({str(fleet.server.ca.parent)!r})\n"
        "EST_TRUSTSTORE = 'dummy_application.Truststore'\nSECRET_KEY = 'x'\n"
    )
    patch = pytest.MonkeyPatch()
    patch.setenv("PYTHONPATH", str(directory))
    yield directory
    patch.undo()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def device_door(*options):
    return Door(
        name="EST server",
        application="dummy_application:application",
        django_settings="dummy_settings",
        gunicorn_settings="estserver.serving.gunicorn_est",
        host="127.0.0.1",
        port=free_port(),
        options=("--workers=1", *options),
    )


class Server:
    """A running gunicorn, and a client for it."""

    def __init__(self, fleet, door, log):
        self.fleet, self.door, self.log = fleet, door, log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                door.command(), env=door.environment(), stderr=output, stdout=output
            )
        for _ in range(200):
            if door.is_listening():
                return
            time.sleep(0.05)
        pytest.fail(log.read_text())

    def connect(self, party=None, *chain, version=None):
        raw = socket.create_connection((self.door.host, self.door.port), timeout=10)
        context = client_context(self.fleet, party, *chain, version=version)
        try:
            return context.wrap_socket(raw, server_hostname="localhost")
        except BaseException:
            raw.close()
            raise

    def ask(self, request, *who, **how):
        with self.connect(*who, **how) as connection:
            connection.sendall(request)
            return read_reply(connection)

    def stop(self):
        self.process.terminate()
        return self.process.wait(timeout=20)


def get(path, *headers):
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *headers, "", ""]).encode()


def read_reply(connection):
    """Status, head and body of one reply, which must have a Content-Length."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += (chunk := connection.recv(65536))
        assert chunk, data
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while len(body) < length:
        body += (chunk := connection.recv(65536))
        assert chunk
    return int(head[9:12]), head.decode(), body


@pytest.fixture(scope="module")
def server(fleet, dummy):
    server = Server(fleet, device_door("--threads=4"), fleet.directory / "server.log")
    yield server
    assert server.stop() == 0


@pytest.mark.parametrize("worker", ["sync", "gthread", "estserver.serving.worker.DeviceWorker"])
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


def test_W17_application_is_reached_without_a_client_certificate(server):
    assert server.ask(get("/"))[2] == b"nobody"


@pytest.mark.parametrize(
    ("who", "why"), [("stranger", "self-signed|issuer certificate"), ("expired", "has expired")]
)
@pytest.mark.parametrize("version", VERSIONS)
def test_refused_client_gets_an_alert_and_the_log_one_line(server, fleet, who, why, version):
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

    assert server.log.read_text() == before


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


def test_kept_connections_never_take_all_threads(server):
    held = [server.connect() for _ in range(4)]
    answers = []
    try:
        for connection in held:
            connection.sendall(get("/"))
            answers.append("Connection: keep-alive" in read_reply(connection)[1])
    finally:
        for connection in held:
            connection.close()

    assert sorted(answers) == [False, False, True, True]


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

    assert data.endswith(b"\r\n\r\n6\r\nnobody\r\n0\r\n\r\n")


def test_client_that_sends_what_nobody_reads_still_sees_the_reply(server):
    body = b"x" * 40_000
    head = f"POST /unread HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"

    assert server.ask(head.encode() + body)[0] == 200


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
        server_pid=server.process.pid,
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
    with socket.create_server((taken.host, taken.port)):
        with pytest.raises(PortUnavailable, match=rf"The admin can't listen on {taken.address}"):
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
