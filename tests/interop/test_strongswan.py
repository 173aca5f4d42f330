"""strongSwan's `pki --estca` and `pki --est` against a real server process.

Its first enrollment knows only HTTP Basic, which the server doesn't offer; it renews over mutual
TLS. It can't send a label, wants each reply on one line, and a head of less than 1 KiB.
"""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509

from tests.interop.server import Installation
from tests.support.programs import require_program

pytestmark = pytest.mark.interop

SECONDS = 60


@dataclass(frozen=True)
class StrongSwan:
    """The pki program, pointed at one server."""

    program: str
    server: Installation
    directory: Path

    def run(self, *arguments: object) -> subprocess.CompletedProcess[bytes]:
        """Run it; it adds nothing of its own but the server's address and trust anchor."""
        return subprocess.run(
            [
                *(self.program, *map(str, arguments)),
                *("--url", f"https://localhost:{self.server.port}"),
                *("--cacert", str(self.server.server_ca), "--outform", "pem"),
            ],
            cwd=self.directory,
            env=os.environ | {"LEAK_DETECTIVE_DISABLE": "1"},
            capture_output=True,
            timeout=SECONDS,
        )

    def renew(self, device, csr: Path, *trusted: object) -> subprocess.CompletedProcess[bytes]:
        """Renew over mutual TLS: the certificate comes on standard output."""
        return self.run(
            *("--est", "--in", csr, "--cert", device.certificate, "--key", device.key), *trusted
        )


@pytest.fixture
def strongswan(server, tmp_path):
    """strongSwan's client."""
    return StrongSwan(require_program("pki", package="strongswan-pki"), server, tmp_path)


@pytest.fixture
def trusted_ca(strongswan):
    """The device CA in a file, as `pki --estca` writes it."""
    out = strongswan.directory / "ca.pem"
    done = strongswan.run("--estca", "--caout", out)
    assert done.returncode == 0, done.stderr.decode()
    return out


def test_strongswan_gets_the_ca_certificate(trusted_ca, curl):
    (ca,) = curl.get("cacerts").certificates

    assert x509.load_pem_x509_certificates(trusted_ca.read_bytes()) == [ca]


@pytest.mark.parametrize("rekeyed", [False, True], ids=["renew", "rekey"])
def test_strongswan_renews_over_mutual_tls(
    strongswan, trusted_ca, curl, openssl, tmp_path, rekeyed
):
    name = "swan-rekeyed" if rekeyed else "swan-renewed"
    device = curl.make_device(name)
    key = openssl.make_key(tmp_path / "next.key") if rekeyed else device.key
    openssl.make_csr(key, name)

    done = strongswan.renew(device, key.with_suffix(".csr"), "--cacert", trusted_ca)

    assert done.returncode == 0, done.stderr.decode()
    before, after = device.x509(), x509.load_pem_x509_certificate(done.stdout)
    after.verify_directly_issued_by(x509.load_pem_x509_certificate(trusted_ca.read_bytes()))
    assert after.subject == before.subject
    assert after.serial_number != before.serial_number
    assert (after.public_key() == before.public_key()) is not rekeyed


def test_W27_strongswan_may_write_the_name_as_another_string_type(
    strongswan, trusted_ca, curl, openssl
):
    """`pki --req` writes PrintableString where the certificate has UTF8String (RFC 5280 7.1)."""
    device = curl.make_device("swan-reencoded")
    csr = device.key.with_suffix(".own.csr")
    made = subprocess.run(
        [
            *(strongswan.program, "--req", "--type", "ecdsa", "--in", str(device.key)),
            *("--dn", "CN=swan-reencoded", "--digest", "sha256"),
        ],
        capture_output=True,
        timeout=SECONDS,
    )
    csr.write_bytes(made.stdout)
    sent = x509.load_der_x509_csr(made.stdout).subject.public_bytes()
    assert sent != device.x509().subject.public_bytes()

    done = strongswan.renew(device, csr, "--cacert", trusted_ca)

    assert done.returncode == 0, done.stderr.decode()
    renewed = x509.load_pem_x509_certificate(done.stdout)
    # As on file, letter by letter: whoever else compares names may compare bytes.
    assert renewed.subject.public_bytes() == device.x509().subject.public_bytes()


def test_strongswan_is_refused_for_a_denied_device(strongswan, trusted_ca, server, curl, openssl):
    device = curl.make_device("swan-denied")
    server.deny("swan-denied")
    openssl.make_csr(device.key, "swan-denied")

    done = strongswan.renew(device, device.key.with_suffix(".csr"), "--cacert", trusted_ca)

    assert done.returncode != 0
    assert done.stdout == b""
    assert b"403" in done.stderr
