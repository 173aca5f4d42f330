"""Sign a CA's certificate revocation list."""

from pathlib import Path
from typing import Any

from cryptography import x509
from django.core.management.base import CommandParser

from pki.encoding.pem import pem_text
from pki.operators.command import OperatorCommand, refuse
from pki.operators.effects import Effect
from pki.operators.files import replace_file
from pki.record.find import find_authority
from pki.revocation.crl import make_crl, revoked_certificates


class Command(OperatorCommand):
    """See ``help``."""

    help = "Sign a new certificate revocation list of a CA (RFC 5280 5), which is then served."
    effect = Effect.MORE

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the CA, and where the list is written."""
        parser.add_argument("ca", metavar="CA", help="the CA's name")
        parser.add_argument(
            "--out", type=Path, help="the file to write; without it, PEM is printed"
        )
        parser.add_argument("--pem", action="store_true", help="write PEM, not DER")

    def handle(
        self, *args: Any, ca: str, out: Path | None, pem: bool, dry_run: bool, **options: Any
    ) -> None:
        """Print the list, or write it to a file and print what it contains."""
        authority = find_authority(ca)
        if dry_run:
            count = revoked_certificates(authority).count()
            self.say(
                f"{authority} would sign a CRL with the serial numbers of {count} certificates. "
                "Nothing was signed.",
                ca=ca,
                certificates=count,
            )
            return
        der = make_crl(authority)
        as_pem = pem_text(der, "X509 CRL").encode()
        if out is None:
            self.print_text(as_pem.decode(), ca=ca)
            return
        try:
            replace_file(out, as_pem if pem else der)
        except OSError as error:
            refuse(f"{out} cannot be written: {error.strerror}.", error)
        self.say(f"{out}: {_described(der, ca)}", file=str(out), ca=ca)


def _described(der: bytes, ca: str) -> str:
    """Return a CRL in words."""
    try:
        crl = x509.load_der_x509_crl(der)
    except ValueError:  # the CA's name has a deviation from the standard, which the CRL repeats
        return f"CRL of {ca}"
    number = crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    return (
        f"CRL number {number} of {ca}, certificates on it: {len(crl)}, "
        f"good until {crl.next_update_utc:%Y-%m-%d %H:%M} UTC"
    )
