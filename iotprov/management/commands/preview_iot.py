"""Preview a certificate in AWS IoT."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from iotprov.client import account_of, partition_of, region_of
from iotprov.conf import targets_named
from iotprov.documents.preview import Source, as_text, parse_source, preview
from iotprov.documents.versions import Kind, body_in_force
from pki.operators.command import OperatorCommand, refuse
from pki.revocation.revoke import find_certificate


class Command(OperatorCommand):
    """See ``help``."""

    help = (
        "Show the thing that AWS IoT would make of a certificate by the template in force, and "
        "the policy as it would apply to it. Nothing is changed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the certificate and the target."""
        parser.add_argument(
            "source",
            metavar="FILE",
            help="certificate or CSR, PEM or DER; or the serial number of one on record",
        )
        parser.add_argument(
            "--target", metavar="NAME", help="fill in this target's account and region (asks AWS)"
        )
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(
        self, *args: Any, source: str, target: str | None, json: bool, **options: Any
    ) -> None:
        """Print the thing, then the policy."""
        found = preview(
            _read(source),
            template_body=body_in_force(Kind.TEMPLATE),
            policy_body=body_in_force(Kind.POLICY),
            **(_place(target) if target else {}),
        )
        self.stdout.write(_as_json(found.as_json()) if json else as_text(found))


def _as_json(data: dict[str, Any]) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False)


def _place(name: str) -> dict[str, str]:
    (target,) = targets_named(name)
    return {
        "account": account_of(target),
        "region": region_of(target),
        "partition": partition_of(target),
    }


def _read(source: str) -> Source:
    path = Path(source)
    if not path.exists():
        row = find_certificate(source)
        if row.der is None:
            refuse(f"{row} was never signed. Choose a request with a certificate.")
        return row.to_x509()
    try:
        content = path.read_bytes()
    except OSError as error:
        refuse(f"{path} cannot be read: {error.strerror}.", error)
    return parse_source(content, str(path))
