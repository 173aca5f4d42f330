"""The commands on a device's page, run by bash exactly as they are printed."""

import importlib.util
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading

import pytest
from cryptography import x509

from tests.interop.server import ROOT
from tests.support.programs import require_file, require_program, unavailable

pytestmark = pytest.mark.interop

SECONDS = 120
MQTT_PORT = 8883
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
                    thing_name={name!r},
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


def test_the_commands_of_a_label_fetch_the_cas_enroll_and_renew(server, paste, tmp_path):
    printed = server.ask(f"""
        from django.conf import settings
        from estserver.operations.device_commands import ClientFiles, label_commands
        from estserver.operations.est_address import est_address
        from pki.authorities.test_client import TEST_CLIENT
        from pki.models import CertificateProfile
        from pki.record.audit_trail import Actor
        from pki.record.profile_versions import add_profile
        from pki.record.transactions import in_write_transaction
        default = CertificateProfile.objects.get(active_label="")
        row = CertificateProfile(
            name="commands", label="commands", ca=default.ca, client_cas=default.client_cas
        )
        in_write_transaction(lambda: add_profile(row, actor=Actor("test")))
        files = ClientFiles.of_test_client(settings.EST_DATA_DIR, TEST_CLIENT)
        found = label_commands(est_address(port={server.port}), files, row.label, "label-1")
        answer = [each.lines for each in found]
    """)
    assert all("/.well-known/est/commands/" in lines for lines in printed)
    ca, enroll, renew = printed

    paste(ca)
    assert certificate_in(tmp_path, "cacerts.pem").subject
    assert paste(enroll).strip().endswith("device.pem: OK")
    first = certificate_in(tmp_path)
    assert "notAfter=" in paste(renew)
    assert certificate_in(tmp_path).serial_number != first.serial_number


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

    assert titles == [
        "Enroll with openssl and curl",
        "Renew with openssl and curl",
        "Connect to AWS IoT with its SDK",
    ]
    assert "/.well-known/est/line-2/simpleenroll" in commands("x", label="line-2")[titles[0]]


class Broker(threading.Thread):
    """The part of AWS IoT's broker that a connection needs: mutual TLS, CONNECT, CONNACK.

    https://docs.oasis-open.org/mqtt/mqtt/v3.1.1/os/mqtt-v3.1.1-os.html#_Toc398718028
    """

    def __init__(self, certificate, key, device_ca):
        super().__init__(daemon=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.context.load_verify_locations(device_ca)
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.listener = socket.create_server(("127.0.0.1", MQTT_PORT))
        self.connected = []

    def run(self):
        connection, _ = self.listener.accept()
        with self.context.wrap_socket(connection, server_side=True) as tls:
            subject = dict(part[0] for part in tls.getpeercert()["subject"])
            packet = tls.recv(4096)
            assert packet[0] >> 4 == 1  # CONNECT; the client's name is the first of its payload
            self.connected.append((subject["commonName"], packet))
            tls.sendall(b"\x20\x02\x00\x00")  # CONNACK: accepted
            tls.recv(4096)  # DISCONNECT
        self.listener.close()


def test_the_sdk_of_aws_connects_with_what_was_enrolled(
    server, commands, curl, openssl, paste, device_ca, tmp_path, monkeypatch
):
    if importlib.util.find_spec("awsiot") is None:
        unavailable("awsiotsdk is not installed. requirements/dev.txt has it.")
    paste(commands("mqtt-1")["Enroll with openssl and curl"])
    # Only AWS is replaced: its endpoint, its broker's certificate, and who signed that.
    openssl(
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
        *("-keyout", tmp_path / "broker.key", "-out", tmp_path / "broker.pem"),
        *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
    )
    fakes = tmp_path / "fakes"
    fakes.mkdir()
    for name, lines in {
        "aws": "echo localhost",
        "curl": f"cp {tmp_path}/broker.pem AmazonRootCA1.pem",
        "python3": f'exec {sys.executable} "$@"',
    }.items():
        (fakes / name).write_text(f"#!/bin/sh\n{lines}\n")
        (fakes / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{fakes}:{os.environ['PATH']}")
    broker = Broker(tmp_path / "broker.pem", tmp_path / "broker.key", device_ca)
    broker.start()

    said = paste(commands("mqtt-1")["Connect to AWS IoT with its SDK"])

    broker.join(SECONDS)
    ((name, packet),) = broker.connected
    assert said.strip() == "connected"
    assert name == "mqtt-1"
    assert b"\x00\x06mqtt-1" in packet
