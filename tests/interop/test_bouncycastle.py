"""Bouncy Castle's EST client (Debian's jars) against a real server process."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12

from tests.interop.server import ROOT, Installation
from tests.support.programs import require_file, require_program

pytestmark = pytest.mark.interop

SOURCE = ROOT / "estserver/static/estserver/EstClient.java"
JARS = Path("/usr/share/java")
REFUSED = 2
SECONDS = 120


@dataclass(frozen=True)
class BouncyCastle:
    """The compiled client, pointed at one server."""

    java: str
    class_path: str
    server: Installation

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run it."""
        return subprocess.run(
            [
                *(self.java, "-cp", self.class_path, "EstClient"),
                *("localhost", str(self.server.port), str(self.server.server_ca)),
                *map(str, arguments),
            ],
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )

    def __call__(self, *arguments: object) -> str:
        """Run it; returns what it prints, and fails when it fails."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    @property
    def password(self) -> str:
        """Of the bootstrap client's .p12, and so of every device's."""
        return (self.server.data_dir / "test-client.p12-password").read_text().strip()

    @property
    def bootstrap(self) -> tuple[Path, str]:
        """The bootstrap client's .p12 and its password, as the server made them."""
        return self.server.data_dir / "test-client.p12", self.password

    def enroll(self, out: Path, common_name: str) -> x509.Certificate:
        """A new device, with the bootstrap client's certificate."""
        self("enroll", *self.bootstrap, out, common_name)
        return self.certificate(out)

    def certificate(self, p12: Path) -> x509.Certificate:
        """The certificate in a device's .p12, whose key must be the certificate's own."""
        key, certificate, _ = pkcs12.load_key_and_certificates(
            p12.read_bytes(), self.password.encode()
        )
        assert certificate.public_key() == key.public_key()
        return certificate


@pytest.fixture(scope="module")
def class_path(tmp_path_factory):
    """The class path of the compiled client."""
    javac = require_program("javac", package="default-jdk-headless")
    jars = [
        require_file(JARS / f"{name}.jar", package=f"lib{name}-java")
        for name in ("bcprov", "bcpkix", "bcutil")
    ]
    build = tmp_path_factory.mktemp("java")
    path = ":".join(map(str, (build, *jars)))
    done = subprocess.run(
        [javac, "-Xlint:all,-path", "-Werror", "-cp", path, "-d", build, SOURCE],
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return path


@pytest.fixture
def bouncy_castle(class_path, server):
    """The client."""
    return BouncyCastle(require_program("java", package="default-jdk-headless"), class_path, server)


def test_bouncy_castle_gets_the_ca_certificates(bouncy_castle, curl, tmp_path):
    out = tmp_path / "cacerts.pem"

    bouncy_castle("cacerts", out)

    assert x509.load_pem_x509_certificates(out.read_bytes()) == curl.get("cacerts").certificates


def test_W33_bouncy_castle_understands_that_there_are_no_attributes(bouncy_castle):
    assert bouncy_castle("csrattrs") == "no attributes"


def test_bouncy_castle_enrolls_renews_and_rekeys_a_device(bouncy_castle, curl, tmp_path):
    first, second, third = (tmp_path / f"{number}.p12" for number in (1, 2, 3))
    password = bouncy_castle.password

    enrolled = bouncy_castle.enroll(first, "java-device")
    bouncy_castle("renew", first, password, second)
    bouncy_castle("rekey", second, password, third)

    renewed, rekeyed = map(bouncy_castle.certificate, (second, third))
    (ca,) = curl.get("cacerts").certificates
    for certificate in (enrolled, renewed, rekeyed):
        certificate.verify_directly_issued_by(ca)
        assert certificate.subject.rfc4514_string() == "CN=java-device"
    assert len({one.serial_number for one in (enrolled, renewed, rekeyed)}) == 3
    assert renewed.public_key() == enrolled.public_key()
    assert rekeyed.public_key() != renewed.public_key()


def test_bouncy_castle_is_told_that_its_device_is_denied(bouncy_castle, server, tmp_path):
    device = tmp_path / "device.p12"
    bouncy_castle.enroll(device, "java-denied")
    server.deny("java-denied")

    again = bouncy_castle.run(
        "enroll", *bouncy_castle.bootstrap, tmp_path / "no.p12", "java-denied"
    )
    renewal = bouncy_castle.run("renew", device, bouncy_castle.password, tmp_path / "no.p12")

    for done in (again, renewal):
        assert done.returncode == REFUSED, done.stderr
        assert done.stdout.startswith("refused 403 device-denied: ")
    assert not (tmp_path / "no.p12").exists()
