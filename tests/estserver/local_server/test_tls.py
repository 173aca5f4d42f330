"""TLS for devices, between two contexts in memory."""

import socket
import ssl
from collections import OrderedDict

import pytest

from estserver.est.transport import peer_certificate, peer_chain, remember_chain
from estserver.local_server.server_certificate import ensure_server_certificate
from estserver.local_server.tls import (
    ContextCache,
    TruststoreUnavailable,
    server_context,
)
from tests.support.fleet import VERSIONS, Fleet


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    return Fleet(tmp_path_factory.mktemp("fleet"))


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


@pytest.mark.parametrize("version", VERSIONS)
def test_peer_chain_is_the_verified_one_up_to_the_root(fleet, version):
    server = server_context(fleet.server.certificate, fleet.server.key, fleet.root.pem)
    # The stranger is sent along, and has no business in the chain.
    client = fleet.client_context(
        fleet.device, fleet.intermediate, fleet.other_root, version=version
    )

    connection, _ = shake_hands(server, client)

    assert peer_chain(connection) == (fleet.device.der, fleet.intermediate.der, fleet.root.der)


@pytest.mark.parametrize("version", VERSIONS)
def test_truststore_may_hold_an_intermediate_alone(fleet, version):
    server = server_context(fleet.server.certificate, fleet.server.key, fleet.intermediate.pem)

    connection, _ = shake_hands(server, fleet.client_context(fleet.device, version=version))

    assert peer_chain(connection) == (fleet.device.der, fleet.intermediate.der)


@pytest.mark.parametrize("version", VERSIONS)
def test_W17_client_without_certificate_is_served_and_has_no_chain(fleet, version):
    server = server_context(fleet.server.certificate, fleet.server.key, fleet.root.pem)

    connection, _ = shake_hands(server, fleet.client_context(version=version))

    assert peer_certificate(connection) is None
    assert peer_chain(connection) == ()


def test_plain_socket_has_no_peer_chain():
    with socket.socket() as plain:
        assert peer_certificate(plain) is None
        assert peer_chain(plain) == ()


def test_connection_whose_handshake_is_lost_has_no_peer_chain(fleet):
    server = server_context(fleet.server.certificate, fleet.server.key, fleet.root.pem)
    connection = server.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=True)

    with pytest.raises(ValueError, match="handshake not done"):
        connection.getpeercert()
    assert peer_certificate(connection) is None
    assert peer_chain(connection) == ()


def test_resumed_session_has_the_chain_of_the_first_connection(fleet):
    server = server_context(fleet.server.certificate, fleet.server.key, fleet.root.pem)
    client = fleet.client_context(fleet.device, fleet.intermediate, version=VERSIONS[0])
    connection, first = shake_hands(server, client)
    remember_chain(connection)

    connection, _ = shake_hands(server, client, session=first.session)
    remember_chain(connection)

    assert connection.session_reused
    assert peer_chain(connection) == (fleet.device.der, fleet.intermediate.der, fleet.root.der)


def test_resumed_session_that_is_unknown_yields_the_client_certificate_alone(fleet):
    server = server_context(fleet.server.certificate, fleet.server.key, fleet.root.pem)
    client = fleet.client_context(fleet.device, fleet.intermediate, version=VERSIONS[0])
    _, first = shake_hands(server, client)

    connection, _ = shake_hands(server, client, session=first.session)

    assert connection.session_reused
    assert peer_chain(connection) == (fleet.device.der,)


def test_chains_are_remembered_for_the_latest_sessions_only(fleet, monkeypatch):
    monkeypatch.setattr("estserver.est.transport.SESSIONS", 2)
    monkeypatch.setattr("estserver.est.transport._issuers_by_session", remembered := OrderedDict())
    server = server_context(fleet.server.certificate, fleet.server.key, fleet.root.pem)
    client = fleet.client_context(fleet.device, fleet.intermediate, version=VERSIONS[0])

    connections = [shake_hands(server, client)[0] for _ in range(3)]
    for connection in connections:
        remember_chain(connection)

    assert [*remembered] == [connection.session.id for connection in connections[1:]]


@pytest.mark.parametrize("version", VERSIONS)
def test_no_chain_is_remembered_for_strangers(fleet, monkeypatch, version):
    monkeypatch.setattr("estserver.est.transport._issuers_by_session", remembered := OrderedDict())
    server = server_context(fleet.server.certificate, fleet.server.key, fleet.root.pem)

    remember_chain(shake_hands(server, fleet.client_context(version=version))[0])

    assert not remembered


@pytest.mark.parametrize("version", VERSIONS)
def test_empty_truststore_serves_and_accepts_no_client_certificate(fleet, version):
    server = server_context(fleet.server.certificate, fleet.server.key, "")

    shake_hands(server, fleet.client_context(version=version))
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(server, fleet.client_context(fleet.device, version=version))


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

    connection, _ = shake_hands(cache.context(), fleet.client_context(fleet.stranger))
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
