"""Say what the server would answer to a CSR, and why, without signing or writing anything."""

import json
from collections.abc import Iterator
from typing import Any

from django.core.management.base import CommandError, CommandParser

from estserver.est.chunked import MAX_BODY_BYTES
from estserver.tools.asking_client import AskingClient
from estserver.tools.decoded import contents_groups
from estserver.tools.dry_run import DryRun, Question, dry_run
from estserver.tools.given import read_given
from pki.admin.display import visible
from pki.issuance.request import Operation
from pki.operators.command import REFUSED, OperatorCommand, misuse

OPERATIONS = {"simpleenroll": Operation.ENROLL, "simplereenroll": Operation.REENROLL}


class Command(OperatorCommand):
    """See ``help``."""

    help = (
        "Say step by step what the server would answer to a CSR now, and show the certificate that "
        "would result. It asks the rules that an enrollment asks, signs nothing and writes "
        "nothing. The exit code is 1 if the request would be refused."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the request."""
        parser.add_argument(
            "csr", metavar="CSR", help="a file, - for standard input, or the PEM text itself"
        )
        client = parser.add_mutually_exclusive_group(required=True)
        client.add_argument(
            "--client", metavar="FILE", help="the client's certificate, with its chain, or PEM text"
        )
        client.add_argument(
            "--client-name",
            metavar="NAME",
            help="the thing name, serial number or fingerprint of a certificate on record; with "
            "--client-ca, the common name of a client",
        )
        parser.add_argument("--client-ca", metavar="CA", default="", help="the client's CA")
        parser.add_argument("--operation", choices=OPERATIONS, default="simpleenroll")
        parser.add_argument("--label", default="", help="the EST label; default: none")
        parser.add_argument("--json", action="store_true", help="one object")

    def handle(
        self,
        *args: Any,
        csr: str,
        client: str | None,
        client_name: str | None,
        client_ca: str,
        operation: str,
        label: str,
        **options: Any,
    ) -> None:
        """Print the verdicts. Raises ``CommandError`` if the request would be refused."""
        if client_ca and not client_name:
            misuse("--client-ca needs --client-name, the client's common name.")
        answer = dry_run(
            Question(
                read_given(csr, most=MAX_BODY_BYTES),
                AskingClient(
                    read_given(client, most=MAX_BODY_BYTES) if client else b"",
                    client_name or "",
                    client_ca,
                ),
                OPERATIONS[operation],
                label,
            )
        )
        if options["json"]:
            self.stdout.write(json.dumps(answer.as_json(), indent=2))
        else:
            for line in _lines(answer):
                self.stdout.write(visible(line))
        if not answer.is_granted:
            raise CommandError("The request would be refused.", returncode=REFUSED)


def _lines(answer: DryRun) -> Iterator[str]:
    width = max(len(one.step) for one in answer.verdicts)
    for one in answer.verdicts:
        code = f" ({one.code})" if one.code else ""
        text = f"{one.finding}{code} {one.advice}".rstrip()
        yield f"{one.outcome.value:<11}  {one.step:<{width}}  {text}".rstrip()
    if answer.certificate is not None:
        yield ""
        yield "What would be signed:"
        for group in contents_groups(answer.certificate):
            yield f"{group.title}:"
            yield from (f"  {name}: {value}" for name, value in group.facts)
