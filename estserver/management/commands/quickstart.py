"""From a clone to an EST server that can enroll: the first step of `make run`."""

import secrets
import shlex
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import CommandError, CommandParser

from estserver.local_server.server_certificate import (
    NAMES,
    ServerCertificateUnusable,
    ensure_server_certificate,
)
from pki.authorities.bootstrap import bootstrap_cas
from pki.authorities.test_client import TEST_CLIENT
from pki.operators.command import OperatorCommand, command_actor
from pki.operators.files import replace_file
from pki.record.intents import settle_intents

ADMIN_NAME = "admin"


class Command(OperatorCommand):
    """See ``help``."""

    help = "Migrate the database, make the CAs, the server certificate and an admin account."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the ports, for the lines that are printed."""
        parser.add_argument("--port", type=int, default=8443)
        parser.add_argument("--admin-port", type=int, default=8000)
        parser.add_argument(
            "--server-name",
            action="append",
            default=[],
            help="another DNS name or IP address for the server's certificate; may be repeated",
        )

    def handle(
        self, *args: Any, port: int, admin_port: int, server_name: list[str], **options: Any
    ) -> None:
        """Do what is not done yet, and print what was done and what to do next."""
        for warning in settings.CONFIG.warnings:
            self.stdout.write(f"configuration: {warning}")
        call_command("migrate", interactive=False, verbosity=0)
        for line in bootstrap_cas(actor=command_actor()):
            self.stdout.write(line)
        settled = settle_intents(actor=command_actor())
        if settled:
            self.stdout.write(f"abandoned intents made void: {settled}")
        try:
            names = tuple(dict.fromkeys((*NAMES, *server_name)))
            files = ensure_server_certificate(settings.EST_DATA_DIR, names=names)
        except ServerCertificateUnusable as error:
            raise CommandError(str(error)) from error
        if notice := files.notice():
            self.stdout.write(notice)
        self._make_admin(admin_port)
        self.stdout.write(_first_enrollment(port))

    def _make_admin(self, admin_port: int) -> None:
        users = get_user_model().objects
        url = f"http://127.0.0.1:{admin_port}/admin/"
        path = settings.EST_DATA_DIR / "admin-password"
        if users.exists():
            self.stdout.write(f"web admin: {url}, account made before")
            return
        password = secrets.token_urlsafe(15)
        replace_file(path, password.encode() + b"\n", secret=True)
        users.create_superuser(ADMIN_NAME, password=password)
        self.stdout.write(
            f"web admin: {url}, account {ADMIN_NAME!r}, password {password} "
            f"(shown once; also in {path})"
        )


def _first_enrollment(port: int) -> str:
    directory = settings.EST_DATA_DIR
    anchor, certificate, key = (
        shlex.quote(str(directory / name))
        for name in ("server-ca.pem", f"{TEST_CLIENT}.pem", f"{TEST_CLIENT}.key")
    )
    url = f"https://localhost:{port}/.well-known/est"
    # Replies go to a file first. In a pipe, a refusal's sentence would be lost in base64's error.
    return f"""
Enroll a first device, in another terminal:

  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout device.key \\
    -subj /CN=my-device-1 -outform DER -out device.csr
  curl -sS --fail-with-body --cacert {anchor} \\
    --cert {certificate} --key {key} \\
    -H 'Content-Type: application/pkcs10' --data-binary "$(base64 -w0 device.csr)" \\
    -o device.b64 {url}/simpleenroll || cat device.b64
  base64 -d device.b64 | openssl pkcs7 -inform DER -print_certs -out device.pem
  curl -sS --fail-with-body --cacert {anchor} -o cacerts.b64 {url}/cacerts
  base64 -d cacerts.b64 | openssl pkcs7 -inform DER -print_certs -out cacerts.pem
  openssl verify -CAfile cacerts.pem device.pem
"""
