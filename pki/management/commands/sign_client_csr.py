"""Sign a certificate for a mutual TLS client, for tests."""

import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from pki.conf import pki_settings
from pki.csr.thing_names import shown
from pki.encoding.pem import CERTIFICATE_REQUEST, pem_blocks, unwrapped
from pki.issuance.client_certificates import check_client_csr, sign_client_csr
from pki.operators.command import OperatorCommand, command_actor, refuse
from pki.operators.effects import Effect
from pki.operators.files import write_new


class Command(OperatorCommand):
    """See ``help``."""

    help = "Sign a client's CSR with the client CA, for test clients."
    effect = Effect.MORE

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the CSR, where the certificate is written, and how long it is valid."""
        parser.add_argument(
            "csr",
            metavar="CSR",
            help="a file with a PKCS #10 in PEM or DER, or the PEM text itself, because a function "
            "in AWS Lambda cannot read your files",
        )
        parser.add_argument(
            "--out", type=Path, help="the file to write; without it, PEM is printed"
        )
        parser.add_argument("--validity-days", type=int, metavar="N")

    def handle(
        self,
        *args: Any,
        csr: str,
        out: Path | None,
        validity_days: int | None,
        dry_run: bool,
        **options: Any,
    ) -> None:
        """Print the certificate, or write it to a file."""
        if validity_days is None:
            validity_days = 365 * pki_settings().client_ca.client_validity_years
        if not 1 <= validity_days <= 36500:
            refuse(f"--validity-days is {validity_days}. Use 1 to 36500.")
        if out is not None and out.exists():
            refuse(f"{out} exists. Choose another name, or move the file.")
        der = _read_csr(csr)
        if dry_run:
            found = check_client_csr(der)
            self.say(
                f"{found.subject} would get a certificate for {validity_days} days. Nothing was "
                "signed.",
                subject=str(found.subject),
                validity_days=validity_days,
            )
            return
        certificate = sign_client_csr(
            der, validity=datetime.timedelta(days=validity_days), actor=command_actor()
        )
        if out is None:
            self.print_text(certificate.pem, serial_number=certificate.serial_number)
            return
        write_new(out, certificate.pem.encode())
        self.say(
            f"{out}: {certificate.subject}, until {certificate.not_after:%Y-%m-%d}, "
            f"serial {certificate.serial_number}",
            file=str(out),
            serial_number=certificate.serial_number,
            not_after=certificate.not_after.isoformat(),
        )


def _read_csr(csr: str) -> bytes:
    """Return the DER of a CSR that is a file, or PEM text."""
    is_text = csr.lstrip().startswith("-----BEGIN")
    try:
        content = csr.encode() if is_text else Path(csr).read_bytes()
    except (OSError, ValueError) as error:
        # ValueError: the name contains a NUL. The argument may be a long text by mistake.
        refuse(
            f"{shown(csr)} cannot be read: {getattr(error, 'strerror', None) or error}. Give a "
            "file that exists, or the PEM text itself.",
            error,
        )
    content = unwrapped(content)
    if b"-----BEGIN" not in content:
        return content
    what = "The PEM text" if is_text else csr
    try:
        blocks = pem_blocks(content, CERTIFICATE_REQUEST)
    except ValueError as error:
        refuse(f"{what} contains no certificate request. {error}", error)
    if not blocks:
        refuse(f"{what} contains no certificate request. It must have BEGIN CERTIFICATE REQUEST.")
    return blocks[0]
