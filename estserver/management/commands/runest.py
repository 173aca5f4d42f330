"""``manage.py runest``: the EST server and the admin on one machine."""

import sys
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from estserver.local_server import PLAIN_HTTP
from estserver.local_server.housekeeping import housekeeping
from estserver.local_server.processes import engine_in, process_count
from estserver.local_server.server_certificate import (
    NAMES,
    ServerCertificateUnusable,
    ensure_server_certificate,
)
from estserver.local_server.supervisor import Door, PortUnavailable, supervise
from estserver.operations.est_address import DEVICE_PORT
from pki.operators.command import OperatorCommand, misuse
from pki.operators.effects import Effect

LOOPBACK = "127.0.0.1"


class Command(OperatorCommand):
    """Start the EST server with mutual TLS, and the admin beside it."""

    help = (
        "Serve EST over mutual TLS and the admin over plain HTTP, until Ctrl-C. "
        "The server's own certificate is made on the first run."
    )
    effect = Effect.RUNS

    def add_arguments(self, parser: CommandParser) -> None:
        """Define the options."""
        parser.add_argument("--port", type=int, default=8443, help="for EST")
        parser.add_argument("--admin-port", type=int, default=8000, help="for the admin")
        parser.add_argument(
            "--host",
            default=LOOPBACK,
            help="IP address on which EST listens; the admin, which has no TLS, stays on loopback",
        )
        parser.add_argument(
            "--server-name",
            action="append",
            default=[],
            help="another DNS name or IP address for the server's certificate; may be repeated",
        )
        parser.add_argument(
            "--workers",
            type=int,
            default=process_count(engine_in(settings.DATABASES)),
            help="EST processes (default: 1 on SQLite, which has one writer, else cores)",
        )
        parser.add_argument(
            "--threads",
            type=int,
            default=8,
            help="requests in each EST process that may wait at a time for a signer or a database",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Make what is missing, then serve. The exit code is 1 if a server ends by itself."""
        if options["workers"] < 1 or options["threads"] < 1:
            misuse("--workers and --threads must be at least 1.")
        est = Door(
            name="EST server",
            application="estserver.wsgi_est:application",
            django_settings="estserver.settings.est",
            gunicorn_settings="estserver.serving.gunicorn_est",
            host=options["host"],
            port=options["port"],
            options=(f"--workers={options['workers']}", f"--threads={options['threads']}"),
        )
        admin = Door(
            name="admin",
            application="estserver.wsgi_admin:application",
            django_settings="estserver.settings.admin",
            gunicorn_settings="estserver.serving.gunicorn_admin",
            host=LOOPBACK,
            port=options["admin_port"],
            environ={PLAIN_HTTP: "1", DEVICE_PORT: str(options["port"])},
        )
        names = tuple(dict.fromkeys((*NAMES, *options["server_name"])))
        try:
            files = ensure_server_certificate(settings.EST_DATA_DIR, names=names)
            if notice := files.notice():
                self.stdout.write(notice)
            with housekeeping():
                code = supervise(
                    (est, admin),
                    when_open=lambda: self.stdout.write(
                        f"EST:   https://{est.address}/.well-known/est/ "
                        f"(verify it with {files.ca})\n"
                        f"Admin: http://{admin.address}/\n"
                        "Ctrl-C stops both."
                    ),
                    drain_seconds=settings.CONFIG.properties.drain_seconds,
                )
        except (PortUnavailable, ServerCertificateUnusable, OSError) as error:
            raise CommandError(str(error)) from error
        sys.exit(code)
