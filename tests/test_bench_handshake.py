"""``python -m bench.handshake`` measures handshakes that are mutual and complete."""

import ssl
from pathlib import Path

import pytest

from bench.handshake import Files, shake_hands, ways


@pytest.fixture
def files(tmp_path: Path) -> Files:
    made = Files(tmp_path)
    made.make()
    return made


def _client(files: Files, *, shows_certificate: bool) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(files.authority))
    if shows_certificate:
        context.load_cert_chain(*files.of("client"))
    return context


def test_each_library_takes_cpu_for_a_handshake(files):
    for make in ways(files).values():
        assert shake_hands(make(), _client(files, shows_certificate=True)) > 0


def test_the_server_has_seen_the_clients_certificate(files):
    make = next(iter(ways(files).values()))
    server, stranger = make(), make()

    shake_hands(server, _client(files, shows_certificate=True))
    shake_hands(stranger, _client(files, shows_certificate=False))

    assert server._tls.getpeercert()["subject"] == ((("commonName", "client"),),)
    assert stranger._tls.getpeercert() is None
