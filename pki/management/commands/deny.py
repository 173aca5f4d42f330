"""Refuse every further enrollment of a device or client."""

from typing import Any

from django.core.management.base import CommandParser

from pki.denylist.adding import Outcome, entry_on_record, terms_in_words
from pki.denylist.entries import certificates_named, deny
from pki.denylist.kinds import choices, normalize, value_or_certificate
from pki.denylist.values import expiry_after
from pki.operators.command import OperatorCommand, command_actor, refuse
from pki.operators.effects import Effect
from pki.revocation.revoke import revoke_certificates

REVOCATION_REASON = "privilegeWithdrawn"


class Command(OperatorCommand):
    """See ``help``."""

    help = (
        "Refuse every further enrollment of a device or client. Certificates that it has stay "
        "valid, unless --revoke is given."
    )
    effect = Effect.DATABASE

    def add_arguments(self, parser: CommandParser) -> None:
        """Add what is denied, why, and for how long."""
        add_entry_arguments(parser)
        parser.add_argument("--expires", metavar="YYYY-MM-DD", help="the last day (UTC)")
        parser.add_argument(
            "--revoke", action="store_true", help="revoke the live certificates that it names"
        )
        parser.add_argument(
            "--replace",
            action="store_true",
            help="give an entry that is there this reason and end",
        )

    def handle(
        self,
        *args: Any,
        kind: str,
        value: str,
        reason: str,
        expires: str | None,
        revoke: bool,
        replace: bool,
        **options: Any,
    ) -> None:
        """Print what is denied now, and what happens to its certificates."""
        actor = command_actor()
        given = value_or_certificate(kind, value)
        value = normalize(kind, given)
        expires_at = expiry_after(expires) if expires else None
        outcome = deny(
            kind, given, reason=reason, actor=actor, expires_at=expires_at, is_replacing=replace
        )
        if outcome is Outcome.KEPT and (entry := entry_on_record(kind, value)):
            refuse(
                f"{kind} {value} is on the denylist already, {terms_in_words(entry)}. Nothing was "
                "changed. To give the entry this reason and end, add --replace."
            )
        said = f"{kind} {value} {'is now' if outcome else 'was already'} on the denylist"
        said += f", until {expires}" if expires else ", for good"
        facts = {"kind": kind, "value": value, "outcome": outcome, "expires": expires}
        live = certificates_named(kind, value).live()
        if revoke:
            count = revoke_certificates(live, reason=REVOCATION_REASON, actor=actor, comment=reason)
            self.say(f"{said}; live certificates revoked: {count}", **facts, revoked=count)
        else:
            count = live.count()
            self.say(
                f"{said}; live certificates that it names and that stay valid: {count}",
                **facts,
                live=count,
            )


def add_entry_arguments(parser: CommandParser) -> None:
    """Add the arguments that `deny` and `allow` share."""
    parser.add_argument(
        "kind", choices=[value for value, _ in choices()], metavar="KIND", help="%(choices)s"
    )
    parser.add_argument(
        "value",
        metavar="VALUE",
        help="the name or number; for what is read off a certificate, also a PEM file",
    )
    parser.add_argument("--reason", required=True, help="kept on the audit trail")
