"""From a clone to an EST server that can enroll: the first step of `make run`."""

import secrets
import textwrap
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
from estserver.operations.device_commands import ClientFiles, enrollment
from estserver.operations.est_address import est_address
from estserver.people.passwords import first_password
from pki.authorities.bootstrap import bootstrap_cas
from pki.authorities.test_client import TEST_CLIENT
from pki.operators.command import OperatorCommand, command_actor
from pki.operators.effects import Effect
from pki.operators.files import replace_file
from pki.record.intents import settle_intents
from pki.record.transactions import in_write_transaction

ADMIN_NAME = "admin"


class Command(OperatorCommand):
    """See ``help``."""

    help = "Migrate the database, make the CAs, the server certificate and an admin account."
    effect = Effect.RUNS

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
        path = first_password.file_path()
        if users.exists():
            self.stdout.write(f"web admin: {url}, account made before")
            return
        password = secrets.token_urlsafe(15)
        replace_file(path, password.encode() + b"\n", secret=True)

        def make() -> None:
            first_password.require_change(users.create_superuser(ADMIN_NAME, password=password))

        in_write_transaction(make)
        self.stdout.write(
            f"web admin: {url}, account {ADMIN_NAME!r}, password {password} "
            f"(shown once; also in {path}, until you choose another at your first sign-in)"
        )


def _first_enrollment(port: int) -> str:
    lines = enrollment(
        "my-device-1",
        est_address(port=port),
        ClientFiles.of_test_client(settings.EST_DATA_DIR, TEST_CLIENT),
    )
    return f"\nEnroll a first device, in another terminal:\n\n{textwrap.indent(lines, '  ')}\n"
