"""The commands on a device's page, run by bash exactly as they are printed."""

import shutil
import subprocess

import pytest
from cryptography import x509

from tests.interop.server import ROOT
from tests.support.programs import require_file, require_program

pytestmark = pytest.mark.interop

SECONDS = 120
JARS = ("bcprov", "bcpkix", "bcutil")


@pytest.fixture
def commands(server):
    """The commands for a thing name by their titles, as the page of this installation has them."""

    def commands(name, label=""):
        return server.ask(f"""
            from django.conf import settings
            from estserver.operations.device_commands import ClientFiles, commands_for
            from estserver.operations.est_address import est_address
            from pki.authorities.test_client import TEST_CLIENT
            from pki.models import IssuedCertificate
            row = IssuedCertificate.objects.filter(common_name={name!r}).order_by("-id").first()
            answer = {{
                each.title: each.lines
                for each in commands_for(
                    {name!r},
                    est_address(port={server.port}),
                    ClientFiles.of_test_client(settings.EST_DATA_DIR, TEST_CLIENT),
                    label={label!r},
                    subject=row.to_x509().subject if row else None,
                )
            }}
        """)

    return commands


@pytest.fixture
def paste(tmp_path):
    """Paste commands into a shell in the device's directory; returns what they print."""

    def paste(lines, *, may_fail=False):
        done = subprocess.run(
            ["/bin/bash", "-c", f"set -e -o pipefail\n{lines}"],
            cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS,
        )  # fmt: skip
        assert may_fail or done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return paste


def certificate_in(directory, name="device.pem"):
    return x509.load_pem_x509_certificate((directory / name).read_bytes())


def test_openssl_and_curl_enroll_and_renew_the_device(server, commands, curl, paste, tmp_path):
    printed = commands("shell-1")

    assert paste(printed["Enroll with openssl and curl"]).strip().endswith("device.pem: OK")
    first = certificate_in(tmp_path)
    assert "notAfter=" in paste(commands("shell-1")["Renew with openssl and curl"])

    second = certificate_in(tmp_path)
    assert first.subject == second.subject
    assert first.serial_number != second.serial_number


def test_a_subject_with_signs_of_openssl_and_of_the_shell_is_enrolled_again(
    server, commands, curl, openssl, paste, tmp_path
):
    key = openssl.make_key(tmp_path / "first.key")
    openssl(
        *("req", "-new", "-key", key, "-utf8", "-outform", "DER", "-out", tmp_path / "first.csr"),
        *("-subj", r"/O=A\/B $HOME `x` 'y' \+ Söhne/CN=shell-2/serialNumber=SN 1"),
    )
    first = curl.enroll((tmp_path / "first.csr").read_bytes()).certificates[0]

    paste(commands("shell-2")["Enroll with openssl and curl"])

    assert certificate_in(tmp_path).subject == first.subject
    assert "A/B $HOME `x` 'y' + Söhne" in first.subject.rfc4514_string().replace("\\", "")


def test_a_refusal_is_printed_and_the_old_certificate_stays(
    server, commands, curl, paste, tmp_path
):
    paste(commands("shell-3")["Enroll with openssl and curl"])
    before = (tmp_path / "device.pem").read_bytes()
    server.deny("shell-3")

    said = paste(commands("shell-3")["Renew with openssl and curl"], may_fail=True)

    assert said.startswith("device-denied: ")
    assert (tmp_path / "device.pem").read_bytes() == before


def test_strongswan_renews_the_device(server, commands, curl, paste, tmp_path, monkeypatch):
    require_program("pki", package="strongswan-pki")
    monkeypatch.setenv("LEAK_DETECTIVE_DISABLE", "1")
    paste(commands("swan-1")["Enroll with openssl and curl"])
    first = certificate_in(tmp_path)

    assert "notAfter=" in paste(commands("swan-1")["Renew with strongSwan"])

    assert certificate_in(tmp_path).serial_number != first.serial_number


def test_bouncy_castle_enrolls_and_renews_the_device(server, commands, paste, tmp_path):
    require_program("javac", package="default-jdk-headless")
    for name in JARS:
        require_file(ROOT.joinpath(f"/usr/share/java/{name}.jar"), package=f"lib{name}-java")
    shutil.copy(ROOT / "estserver/static/estserver/EstClient.java", tmp_path)

    paste(commands("java-1")["Enroll and renew with Bouncy Castle"])

    rows = server.ask("""
        from pki.models import IssuedCertificate
        rows = IssuedCertificate.objects.filter(common_name="java-1").order_by("id")
        answer = [[row.operation, row.state] for row in rows]
    """)
    assert rows == [["enroll", "superseded"], ["reenroll", "issued"]]
    assert (tmp_path / "device.p12").exists()


def test_clients_that_send_no_label_are_left_out_where_there_is_one(commands):
    titles = [*commands("labelled-1", label="line-2")]

    assert titles == ["Enroll with openssl and curl", "Renew with openssl and curl"]
    assert "/.well-known/est/line-2/simpleenroll" in commands("x", label="line-2")[titles[0]]
