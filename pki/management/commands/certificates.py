"""Search, show, download and revoke certificates."""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.views.decorators.debug import sensitive_variables

from pki.management.certificate_facts import certificate_details, certificate_facts
from pki.management.listing import ListCommand
from pki.models import IssuedCertificate
from pki.operators.command import OperatorCommand, command_actor, refuse
from pki.operators.effects import Effect
from pki.operators.files import write_new
from pki.operators.subcommands import CommandGroup
from pki.record.find import find_authority
from pki.revocation.revoke import find_certificate

_FORMS = ("pem", "der", "chain", "pkcs7", "csr")
_SHORTEST_PASSWORD = 8  # characters, as on the page


class ListCertificates(ListCommand):
    """See ``help``."""

    help = "List certificates, the newest first. The term is what the search box takes."
    model = IssuedCertificate
    columns = ("status", "name", "serial_number", "ca", "profile", "not_after")
    filters = {
        "status": ("status", "active, expiring, expired, superseded, revoked, intent or void"),
        "made": ("made", "today, 7-days, 30-days or 365-days"),
        "operation": ("operation__exact", "enroll, reenroll or client"),
        "ca": ("ca__id__exact", "the name of the CA"),
        "profile": ("profile__name", "the name of the profile"),
        "label": ("profile__label", "the label of the profile"),
        "ends-from": ("ends_from", "the first day of its end, YYYY-MM-DD (UTC)"),
        "ends-to": ("ends_to", "the last day of its end, YYYY-MM-DD (UTC)"),
        "client": ("client", "the SHA-256 of the client certificate"),
        "address": ("address", "the source IP, among the newest"),
    }
    empty = "No certificate fits."

    def parameter(self, name: str, value: str) -> str:
        """Return a CA's key for its name, as the console's filter wants it."""
        return str(find_authority(value).pk) if name == "ca" else value

    def facts(self, row: IssuedCertificate) -> dict[str, Any]:
        """Return a certificate as JSON values."""
        return certificate_facts(row)


class ShowCertificate(OperatorCommand):
    """See ``help``."""

    help = "Show what is on record of one certificate. `inspect` decodes the certificate itself."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the certificate."""
        add_certificate(parser)

    def handle(self, *args: Any, certificate: str, **options: Any) -> None:
        """Print its facts."""
        self.print_facts(certificate_details(find_certificate(certificate)))


class DownloadCertificate(OperatorCommand):
    """See ``help``."""

    help = "Print a certificate, or write it to a file: PEM, DER, its chain, PKCS #7, or the CSR."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the certificate, the form and the file."""
        add_certificate(parser)
        parser.add_argument("--form", choices=_FORMS, default="pem")
        parser.add_argument(
            "--out", type=Path, metavar="FILE", help="a file that does not exist; - for the output"
        )

    def handle(
        self, *args: Any, certificate: str, form: str, out: Path | None, **options: Any
    ) -> None:
        """Print PEM, or write the file."""
        # Imported here, as `listing` does.
        from pki.admin import certificate_downloads as downloads

        row = find_certificate(certificate)
        make = downloads.pkcs7_bundle if form == "pkcs7" else getattr(downloads, form)
        download = make(row)
        if download is None:
            refuse(f"{row} was never signed. Its CSR is there: --form csr.")
        if out is not None and str(out) != "-":
            write_file(out, download.contents)
            self.say(f"{out} is written", file=str(out), media_type=download.media_type)
        elif form in ("pem", "chain"):
            self.print_text(download.contents.decode(), serial_number=row.serial_number)
        elif out is None:
            refuse(f"The form {form} is binary. Name a file with --out, or --out - for the output.")
        else:
            sys.stdout.buffer.write(download.contents)


class WriteKeyFile(OperatorCommand):
    """See ``help``."""

    help = (
        "Write key and certificate of a test client whose key is on this machine as PKCS #12. The "
        "password of the file is read from standard input."
    )
    effect = Effect.DATABASE
    is_dangerous = True

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the certificate and the file."""
        add_certificate(parser)
        parser.add_argument("--out", type=Path, metavar="FILE", required=True)

    @sensitive_variables()
    def handle(
        self, *args: Any, certificate: str, out: Path, yes: bool, dry_run: bool, **options: Any
    ) -> None:
        """Write the file for its owner only. The audit trail says who took it."""
        from pki.authorities.test_client import key_file
        from pki.operators.secret_input import read_secret

        row = find_certificate(certificate)
        self.confirm(row.common_name, is_confirmed=yes)
        password = read_secret("Password of the file", shortest=_SHORTEST_PASSWORD)
        content = key_file(row, password=password, actor=command_actor())
        if not dry_run:
            write_file(out, content, secret=True)
        self.say(f"{out} holds key and certificate of {row.common_name}", file=str(out))


def add_certificate(parser: CommandParser) -> None:
    """Add the argument that names one certificate."""
    parser.add_argument(
        "certificate",
        metavar="SERIAL",
        help="serial number in hex (colons are fine) or dec:decimal, or SHA-256 fingerprint",
    )


def write_file(path: Path, content: bytes, *, secret: bool = False) -> None:
    """Write a file that does not exist. Raises ``CommandError`` if it does, or cannot be made."""
    try:
        write_new(path, content, secret=secret)
    except FileExistsError as error:
        refuse(f"{path} exists. Name a file that does not.", error)
    except OSError as error:
        refuse(f"{path} cannot be written: {error.strerror}.", error)


class Command(CommandGroup):
    """See ``help``."""

    help = "Search, show, download, revoke and count certificates."
    subcommands = {
        "list": ListCertificates,
        "show": ShowCertificate,
        "download": DownloadCertificate,
        "export": "pki.management.commands.export_certificates.Command",
        "revoke": "pki.management.commands.revoke.Command",
        "revoke-many": "pki.management.commands.revoke_list.Command",
        "count": "pki.management.commands.count_certificates.Command",
        "key-file": WriteKeyFile,
        "sign-client": "pki.management.commands.sign_client_csr.Command",
        "settle": "pki.management.commands.settle_intents.Command",
    }
