"""Make AWS IoT accept the certificates of device CAs."""

from collections.abc import Iterator
from typing import Any

from django.core.management.base import CommandError, CommandParser

from iotprov.authorities.ca_registration import plan_registration, register_everywhere
from iotprov.conf import targets_named
from iotprov.models import CARegistration
from pki.models import CertificateAuthority
from pki.operators.command import REMOTE_FAILURE, OperatorCommand, command_actor
from pki.operators.effects import Effect
from pki.operators.errors import OperatorError
from pki.record.find import find_authority


class Command(OperatorCommand):
    """See ``help``."""

    help = (
        "Register device CAs in AWS IoT, at every target. One that is registered is found by its "
        "certificate and changed as the configuration says. Run sync_policy and "
        "sync_template first."
    )
    effect = Effect.MORE

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the CA, the target, and the dry run."""
        parser.add_argument(
            "ca", metavar="CA", nargs="?", help="the CA's name; default: every active device CA"
        )
        parser.add_argument("--target", default="", help="a target's name; default: all")
        parser.add_argument(
            "--dry-run", action="store_true", help="show what would be done, and change nothing"
        )

    def handle(
        self, *args: Any, ca: str | None, target: str, dry_run: bool, **options: Any
    ) -> None:
        """Print a line for each CA and target. Exit with code 3 if one of them failed."""
        failures = 0
        for each in _authorities(ca):
            outcomes = _plan(each, target) if dry_run else _register(each, target)
            for place, line, is_failure in outcomes:
                self.say(
                    f"{each} at {place}: {line}",
                    ca=each.name,
                    target=place,
                    is_failure=is_failure,
                )
                failures += is_failure
        if failures:
            raise CommandError(
                f"{failures} failed. The others are as their lines say. Correct what the failures "
                "name, and run register_ca again.",
                returncode=REMOTE_FAILURE,
            )


Outcome = tuple[str, str, bool]
"""The target's name, the result there, and whether it is a failure."""


def _plan(ca: CertificateAuthority, target: str) -> Iterator[Outcome]:
    for place in targets_named(target):
        try:
            yield place.name, str(plan_registration(ca, place)), False
        except OperatorError as error:
            yield place.name, f"failed: {error}", True


def _register(ca: CertificateAuthority, target: str) -> Iterator[Outcome]:
    for row in register_everywhere(ca, actor=command_actor(), targets=targets_named(target)):
        is_failure = row.state == CARegistration.State.FAILED
        yield row.target, f"failed: {row.error}" if is_failure else _summary(row), is_failure


def _summary(row: CARegistration) -> str:
    jitp = f"JITP by {row.template_name}" if row.is_auto_registration_on else "no JITP"
    summary = f"registered, {row.status}, {jitp}, id {row.certificate_id}"
    return f"{summary}. {row.note}" if row.note else summary


def _authorities(name: str | None) -> list[CertificateAuthority]:
    if name is not None:
        return [find_authority(name)]
    cas = list(CertificateAuthority.objects.device().issuing())
    if not cas:
        raise OperatorError("There is no active device CA to register. Run bootstrap_cas first.")
    return cas
