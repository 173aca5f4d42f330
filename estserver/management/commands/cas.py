"""List, show, create, import, succeed, retire and distrust CAs."""

from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from django.core.management.base import CommandParser

from estserver.management.ca_worlds import ShowWorlds
from estserver.management.new_cas import CreateCA, ImportCA
from pki.encoding.certificates import pem_of
from pki.encoding.pem import pem_text
from pki.management.certificate_facts import moment
from pki.management.commands.certificates import write_file
from pki.management.listing import ListCommand
from pki.models import CertificateAuthority
from pki.operators.command import OperatorCommand, refuse
from pki.operators.subcommands import CommandGroup
from pki.record.find import find_authority

_FORMS = ("pem", "chain", "crl")


class ListCAs(ListCommand):
    """See ``help``."""

    help = "List the CAs on record, those that issue no more too."
    model = CertificateAuthority
    columns = ("status", "name", "purpose", "subject", "not_after", "key_algorithm", "signer")
    filters = {
        "purpose": ("purpose__exact", "device or client"),
        "status": ("status__exact", "active, retiring, retired or revoked"),
    }
    empty = "No CA fits. Run manage.py bootstrap_cas if there is none at all."

    def facts(self, row: CertificateAuthority) -> dict[str, Any]:
        """Return a CA as JSON values."""
        return ca_facts(row)


class ShowCA(OperatorCommand):
    """See ``help``."""

    help = "Show what is on record of one CA, and what would stop without it."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the CA."""
        parser.add_argument("ca", metavar="CA", help="the CA's name")

    def handle(self, *args: Any, ca: str, **options: Any) -> None:
        """Print its facts."""
        from pki.authorities.trust_effects import trust_effects

        row = find_authority(ca)
        effects = trust_effects(row)
        profiles = row.profiles.exclude(active_label=None)
        self.print_facts(
            ca_facts(row)
            | {
                "not_before": moment(row.not_before),
                "key_sha256": row.key_sha256,
                "key_reference": row.key_reference,
                "succeeds": row.successor_of.name if row.successor_of else "",
                "succeeded_by": [one.name for one in row.successors.all()],
                "profiles": [str(one) for one in profiles],
                "live_device_certificates": effects.devices,
                "live_client_certificates": effects.clients,
                "crl_number": row.crl_number,
                "crl_made_at": moment(row.crl_made_at),
            }
        )


class DownloadCA(OperatorCommand):
    """See ``help``."""

    help = "Print a CA's certificate, its chain or its CRL on record as PEM, or write it to a file."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the CA, the form and the file."""
        parser.add_argument("ca", metavar="CA", help="the CA's name")
        parser.add_argument("--form", choices=_FORMS, default="pem")
        parser.add_argument("--out", type=Path, metavar="FILE", help="a file that does not exist")

    def handle(self, *args: Any, ca: str, form: str, out: Path | None, **options: Any) -> None:
        """Print or write PEM. No CRL is signed."""
        row = find_authority(ca)
        if form == "crl":
            if row.crl_der is None:
                refuse(f"{row} has signed no CRL yet. manage.py crl {row.name} signs one.")
            text = pem_text(bytes(row.crl_der), "X509 CRL")
        elif form == "chain":
            text = pem_of(row.certificate, *row.chain)
        else:
            text = row.certificate.public_bytes(Encoding.PEM).decode()
        if out is None:
            self.print_text(text, ca=row.name)
        else:
            write_file(out, text.encode())
            self.say(f"{out} is written", file=str(out), ca=row.name)


def ca_facts(row: CertificateAuthority) -> dict[str, Any]:
    """Return what a list shows of a CA."""
    from pki.admin.authorities import status_of  # imported here, as `listing` does

    return {
        "id": str(row.pk),
        "status": status_of(row)[0].lower(),
        "name": row.name,
        "purpose": row.purpose,
        "subject": row.subject,
        "serial_number": row.serial_number,
        "sha256": row.fingerprint_sha256,
        "not_after": moment(row.not_after),
        "key_algorithm": row.key_algorithm,
        "signer": row.signer,
    }


class Command(CommandGroup):
    """See ``help``."""

    help = "List, show, download, create, import, roll, succeed, register, retire and distrust CAs."
    subcommands = {
        "list": ListCAs,
        "show": ShowCA,
        "download": DownloadCA,
        "worlds": ShowWorlds,
        "create": CreateCA,
        "import": ImportCA,
        "bootstrap": "pki.management.commands.bootstrap_cas.Command",
        "roll": "estserver.management.commands.ca_roll.Command",
        "successor": "pki.management.commands.ca_successor.Command",
        "crl": "pki.management.commands.crl.Command",
        "register": "iotprov.management.commands.register_ca.Command",
        "retire": "pki.management.commands.retire_ca.Command",
        "distrust": "pki.management.commands.distrust_ca.Command",
    }
