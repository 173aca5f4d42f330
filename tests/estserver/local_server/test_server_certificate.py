"""The certificate that the local server makes for itself."""

import datetime as dt
import io
import ipaddress
import ssl
import stat

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.verification import PolicyBuilder, Store
from django.core.management import CommandError, call_command

from estserver.local_server.server_certificate import (
    LIFETIME,
    ServerCertificateUnusable,
    ensure_server_certificate,
    renew_if_made_here,
)
from tests.support.builders import make_ca, make_certificate, make_key

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

    with pytest.raises(
        ServerCertificateUnusable, match=r"server\.key is not a PEM key .*move it away"
    ):
        ensure_server_certificate(tmp_path)

    assert files.key.read_text() == "something of the operator's"


# What an operator brought


class Brought:
    """A certificate and key of an operator's own CA, in the place of the server's."""

    def __init__(self, directory, *, algorithm="ec-p256", start=-1, end=90, key=None):
        issuer = make_ca("The operator's CA")
        self.key = make_key(algorithm, 7)
        self.certificate = make_certificate(
            issuer,
            "est.example.com",
            public_key=self.key.public_key(),
            not_before=NOW + dt.timedelta(days=start),
            not_after=NOW + dt.timedelta(days=end),
        )
        self.files = {
            directory / "server.pem": self.certificate.public_bytes(Encoding.PEM),
            directory / "server.key": (key or self.key).private_bytes(
                Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
            ),
        }
        for path, content in self.files.items():
            path.write_bytes(content)

    def is_untouched(self):
        return all(path.read_bytes() == content for path, content in self.files.items())


@pytest.mark.parametrize("algorithm", ["ec-p256", "rsa-2048"])
@pytest.mark.parametrize("existed", [False, True], ids=["first start", "later start"])
def test_T62_a_certificate_that_an_operator_brought_is_served_as_it_is(
    tmp_path, algorithm, existed
):
    if existed:
        ensure_server_certificate(tmp_path)
    brought = Brought(tmp_path, algorithm=algorithm)

    for names in (("localhost",), ("localhost", "other.example")):
        files = ensure_server_certificate(tmp_path, names=names)

    assert brought.is_untouched()
    assert files.brought_until == brought.certificate.not_valid_after_utc
    assert f"is good until {files.brought_until:%Y-%m-%d}" in files.notice()
    assert "(89 days)" in files.notice()
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(files.certificate, files.key)


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"end": -0.5, "start": -2}, "it expired on"),
        ({"start": 1}, "it is not valid before"),
        ({"key": make_key("ec-p256", 8)}, r"server\.key is not its key"),
    ],
    ids=["expired", "not yet", "another key"],
)
def test_T62_a_certificate_that_cannot_be_served_is_refused_and_stays(tmp_path, how, why):
    brought = Brought(tmp_path, **how)

    with pytest.raises(ServerCertificateUnusable, match=why) as refused:
        ensure_server_certificate(tmp_path)

    assert brought.is_untouched()
    assert str(refused.value).count(". ") == 0  # one sentence
    assert "did not make" in str(refused.value)


@pytest.mark.parametrize("lost", ["server.key", "server.pem"])
def test_T62_half_of_what_an_operator_brought_is_never_overwritten(tmp_path, lost):
    brought = Brought(tmp_path)
    (tmp_path / lost).unlink()
    rest = {path: content for path, content in brought.files.items() if path.name != lost}

    if lost == "server.key":
        with pytest.raises(ServerCertificateUnusable):
            ensure_server_certificate(tmp_path)
    else:
        ensure_server_certificate(tmp_path)  # a certificate of ours over the key that is there
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            tmp_path / "server.pem", tmp_path / "server.key"
        )

    assert all(path.read_bytes() == content for path, content in rest.items())


def test_T62_a_certificate_made_here_is_renewed_without_a_notice(tmp_path):
    assert ensure_server_certificate(tmp_path).notice() == ""


def test_the_certificate_of_a_server_that_runs_is_renewed_for_its_own_names(tmp_path):
    names = ("localhost", "127.0.0.1", "::1", "est.example")
    files = ensure_server_certificate(tmp_path, names=names, now=NOW)
    before = contents(tmp_path)

    assert not renew_if_made_here(tmp_path, now=NOW + LIFETIME - dt.timedelta(days=31))
    assert contents(tmp_path) == before

    assert renew_if_made_here(tmp_path, now=NOW + LIFETIME - dt.timedelta(days=29))
    renewed = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    san = renewed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name.value) for name in san] == list(names)
    assert renewed.not_valid_after_utc > NOW + LIFETIME


def test_T62_what_an_operator_brought_is_not_renewed(tmp_path):
    assert not renew_if_made_here(tmp_path)
    brought = Brought(tmp_path, end=1)

    assert not renew_if_made_here(tmp_path)

    assert brought.is_untouched()


@pytest.mark.django_db
def test_quickstart_makes_a_certificate_for_the_names_that_devices_call(data_dir):
    call_command("quickstart", "--server-name=est.example", stdout=io.StringIO())

    leaf = x509.load_pem_x509_certificate((data_dir / "server.pem").read_bytes())
    san = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert san.get_values_for_type(x509.DNSName) == ["localhost", "est.example"]


@pytest.mark.django_db
def test_T62_quickstart_serves_what_is_there_and_says_for_how_long(data_dir):
    brought = Brought(data_dir)
    printed = io.StringIO()

    call_command("quickstart", stdout=printed)

    assert brought.is_untouched()
    assert f"is good until {brought.certificate.not_valid_after_utc:%Y-%m-%d}" in printed.getvalue()


@pytest.mark.django_db
@pytest.mark.parametrize("command", ["quickstart", "runest"])
def test_T62_commands_refuse_what_they_cannot_serve(data_dir, command):
    brought = Brought(data_dir, start=-2, end=-1)

    with pytest.raises(CommandError, match="cannot be served because it expired on"):
        call_command(command, stdout=io.StringIO())

    assert brought.is_untouched()
