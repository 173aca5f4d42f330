"""Sign a CA's certificate revocation list."""

from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.core.management.base import CommandParser

from pki.operators.command import OperatorCommand, refuse
from pki.operators.files import replace_file
from pki.record.find import find_authority
from pki.revocation.crl import make_crl


class Command(OperatorCommand):
    """See ``help``."""

    help = "Sign a new certificate revocation list of a CA (RFC 5280 5), which is then served."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the CA, and where the list is written."""
        parser.add_argument("ca", metavar="CA", help="the CA's name")
        parser.add_argument(
            "--out", type=Path, help="the file to write; without it, PEM is printed"
        )
        parser.add_argument("--pem", action="store_true", help="write PEM, not DER")

    def handle(self, *args: Any, ca: str, out: Path | None, pem: bool, **options: Any) -> None:
        """Print the list, or write it to a file and print what it contains."""
        der = make_crl(find_authority(ca))
        crl = x509.load_der_x509_crl(der)
        as_pem = crl.public_bytes(Encoding.PEM)
        if out is None:
            self.stdout.write(as_pem.decode(), ending="")
            return
        try:
            replace_file(out, as_pem if pem else der)
        except OSError as error:
            refuse(f"{out} cannot be written: {error.strerror}.", error)
        number = crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        self.stdout.write(
            f"{out}: CRL number {number} of {ca}, certificates on it: {len(crl)}, "
            f"good until {crl.next_update_utc:%Y-%m-%d %H:%M} UTC"
        )
