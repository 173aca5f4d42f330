"""The certificate that the local server makes for itself."""

import datetime as dt
import ipaddress
import ssl
import stat

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store

from estserver.local_server.server_certificate import (
    LIFETIME,
    ServerCertificateUnusable,
    ensure_server_certificate,
)

NOW = dt.datetime.now(dt.UTC)
LOOPBACK = [ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1")]


def test_server_certificate_is_one_that_a_strict_client_accepts(tmp_path):
    files = ensure_server_certificate(tmp_path)

    ca = x509.load_pem_x509_certificate(files.ca.read_bytes())
    leaf = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    for name in (x509.DNSName("localhost"), *map(x509.IPAddress, LOOPBACK)):
        PolicyBuilder().store(Store([ca])).build_server_verifier(name).verify(leaf, [])
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc <= dt.timedelta(days=398)


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

    with pytest.raises(ServerCertificateUnusable, match=r"server\.key .*Remove both"):
        ensure_server_certificate(tmp_path)

    assert files.key.read_text() == "something of the operator's"
