"""Fetch the files of the test client that a deployment made."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.views.decorators.debug import sensitive_variables

from estserver.deploy.command import DeployCommand
from estserver.deploy.deployment import current_deployment
from estserver.deploy.engine.calls import ask_if_any
from pki.authorities.test_client import TEST_CLIENT, secret_of
from pki.operators.effects import Effect
from pki.operators.errors import OperatorError
from pki.operators.files import replace_file


class Command(DeployCommand):
    """See ``help``."""

    help = (
        "Write certificate, private key and PKCS #12 file of the test client into a directory: "
        "test-client.pem, .key and .pfx (without password, as the CDK sample's). They are in two "
        "secrets, which these credentials must be allowed to read."
    )
    effect = Effect.MORE
    is_dangerous = True

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the directory, and which of several test clients."""
        parser.add_argument("directory", type=Path, metavar="DIRECTORY")
        parser.add_argument(
            "--client", default=TEST_CLIENT, metavar="NAME", help=f"default: {TEST_CLIENT}"
        )

    @sensitive_variables()
    def handle(
        self, *args: Any, directory: Path, client: str, dry_run: bool, yes: bool, **options: Any
    ) -> None:
        """Write three files, the secret ones for their owner only."""
        deployment = current_deployment()
        values = deployment.config.properties
        names = (
            secret_of(client, values.est_mtls_client_secrets_name),
            secret_of(client, values.est_mtls_client_pfx_secret_name),
        )
        stem = directory / client
        if dry_run:
            self.say(
                f"{stem}.pem, {stem}.key and {stem}.pfx would be written. No secret was read "
                "(--dry-run)"
            )
            return
        self.confirm(client, is_confirmed=yes)
        # Step 1: read both before anything is written.
        held, pfx = (_read(name) for name in names)
        try:
            pair = json.loads(held["SecretString"])
            certificate, key = str(pair["certificate"]), str(pair["key"])
            pkcs12 = bytes(pfx["SecretBinary"])
        except (KeyError, TypeError, ValueError) as error:
            raise OperatorError(
                f"The secrets {' and '.join(names)} do not hold a certificate with its key, and a "
                "PKCS #12 file. Have another client made: manage.py aws_run bootstrap_cas."
            ) from error
        # Step 2: the files.
        contents = {"pem": certificate.encode(), "key": key.encode(), "pfx": pkcs12}
        try:
            for suffix, content in contents.items():
                replace_file(Path(f"{stem}.{suffix}"), content, secret=suffix != "pem")
        except OSError as error:
            raise OperatorError(
                f"The files of {client} cannot be written into {directory}: {error.strerror}. Name "
                "a directory in which you may write."
            ) from error
        self.say(f"{stem}.pem, {stem}.key and {stem}.pfx (without password) were written")


def _read(name: str) -> Any:
    found = ask_if_any("secretsmanager", "GetSecretValue", SecretId=name)
    if found is None:
        raise OperatorError(
            f"There is no secret {name}. Run manage.py aws_deploy, which makes it with the client "
            "CA. If that CA is yours, sign a client with its key."
        )
    return found
