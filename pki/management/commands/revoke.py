"""Revoke a certificate."""

from typing import Any

from django.core.management.base import CommandParser

from pki.operators.command import OperatorCommand, command_actor
from pki.operators.effects import Effect
from pki.revocation.revoke import (
    HOW_TO_HOLD,
    KEY_COMPROMISE,
    REASONS,
    check_revocation_reason,
    find_certificate,
    revoke_certificate,
)


class Command(OperatorCommand):
    """See ``help``."""

    help = (
        "Revoke a certificate for good. It does not authenticate a client any more, and the CA's "
        "CRL lists it. The device may enroll again, unless `deny` stops that. The reason "
        f"{KEY_COMPROMISE} also puts the certificate's key on the denylist, for good. {HOW_TO_HOLD}"
    )
    effect = Effect.DATABASE

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the certificate, and the reason."""
        parser.add_argument(
            "certificate",
            metavar="SERIAL",
            help="serial number in hex (colons are fine) or dec:decimal, or SHA-256 fingerprint",
        )
        parser.add_argument(
            "--reason", required=True, metavar="REASON", help=f"one of {', '.join(REASONS)}"
        )
        parser.add_argument("--comment", default="", help="kept on the audit trail")

    def handle(
        self, *args: Any, certificate: str, reason: str, comment: str, **options: Any
    ) -> None:
        """Print which certificate is revoked, and whether its key is denied."""
        check_revocation_reason(reason)
        row = find_certificate(certificate)
        revoked = revoke_certificate(row, reason=reason, actor=command_actor(), comment=comment)
        facts = {
            "serial_number": row.serial_number,
            "sha256": row.fingerprint_sha256,
            "name": row.common_name,
            "is_new": revoked,
        }
        if revoked:
            self.say(f"revoked: certificate {row.serial_number} of {row.common_name}", **facts)
        else:
            self.say(
                f"certificate {row.serial_number} of {row.common_name} was revoked before, on "
                f"{row.revoked_at:%Y-%m-%d} ({row.revocation_reason}): left as it is",
                **facts,
            )
        if reason == KEY_COMPROMISE:
            self.say(f"key {row.key_sha256} is on the denylist, for good")
