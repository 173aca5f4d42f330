"""Enroll a test device at this installation over real mutual TLS, and take it back."""

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser

from estserver.operations.est_address import est_address
from estserver.tools.enrollment_test import EnrollmentTest, TimedRow, clean_up
from pki.admin.display import visible
from pki.models import IssuedCertificate
from pki.operators.command import REFUSED, REMOTE_FAILURE, OperatorCommand, command_actor
from pki.operators.effects import Effect


class Command(OperatorCommand):
    """See ``help``."""

    help = (
        "Make a client certificate and a key, and run the EST round trip of a device against this "
        "installation's address: TLS, cacerts, csrattrs, simpleenroll, simplereenroll, with the "
        "time of each. The certificates are labelled as a test on the audit trail; --revoke takes "
        "them back afterwards. The exit code is 0 if all steps pass, 1 if one fails, and 3 if the "
        "server cannot be reached."
    )
    effect = Effect.RUNS

    def add_arguments(self, parser: CommandParser) -> None:
        """Add what is enrolled, and what becomes of it."""
        parser.add_argument("--name", default="", help="a thing name that is not on record")
        parser.add_argument("--label", default="", help="the EST label; default: none")
        parser.add_argument(
            "--with-serial-number",
            action="store_true",
            help="ask for a serialNumber and a country too, which some provisioning templates take",
        )
        parser.add_argument(
            "--port", type=int, help="the port of a runest on this machine, if it is not 8443"
        )
        after = parser.add_mutually_exclusive_group()
        after.add_argument(
            "--revoke", action="store_true", help="revoke what the test made, at its end"
        )
        after.add_argument(
            "--clean-up", metavar="NAME", help="only revoke what an earlier test of NAME made"
        )
        parser.add_argument("--json", action="store_true", help="one object, at the end")

    def handle(
        self,
        *args: Any,
        name: str,
        label: str,
        with_serial_number: bool,
        port: int | None,
        revoke: bool,
        clean_up: str | None,
        **options: Any,
    ) -> None:
        """Print a line a step. Raises ``CommandError`` if one fails."""
        if clean_up:
            self._report_revoked(_revoked(clean_up), options)
            return
        test = EnrollmentTest(
            est_address(port=port),
            command_actor(),
            name,
            label,
            is_cn_only=not with_serial_number,
        )
        steps = []
        for timed in test.steps():
            steps.append(timed)
            if not options["json"]:
                self._show(timed)
        revoked = _revoked(test.name) if revoke else []
        if options["json"]:
            self._write_json(test, steps, revoked)
        elif revoke:
            self._report_revoked(revoked, options)
        else:
            self.stdout.write(
                f"{test.name} is on record now, labelled as a test. Take it back with:\n"
                f"  manage.py test_enroll --clean-up {test.name}"
            )
        if not test.is_passed:
            failed = sum(row.level == "FAIL" for row in test.rows)
            raise CommandError(
                f"{failed} of {len(test.rows)} steps failed.",
                returncode=REMOTE_FAILURE if test.is_unreachable else REFUSED,
            )

    def _show(self, timed: TimedRow) -> None:
        row = timed.row
        text = f"{row.finding} {row.advice}".rstrip()
        self.stdout.write(
            visible(f"{row.level:<4}  {timed.milliseconds:>7.1f} ms  {row.name:<18}  {text}")
        )
        self.stdout.flush()

    def _write_json(
        self, test: EnrollmentTest, steps: list[TimedRow], revoked: list[IssuedCertificate]
    ) -> None:
        printed = {
            "url": test.address.url(test.label),
            "thing": test.name,
            "passed": test.is_passed,
            "steps": [
                {
                    "name": timed.row.name,
                    "level": timed.row.level,
                    "milliseconds": timed.milliseconds,
                    "finding": timed.row.finding,
                    "advice": timed.row.advice,
                }
                for timed in steps
            ],
            "revoked": [row.fingerprint_sha256 for row in revoked],
        }
        self.stdout.write(json.dumps(printed, indent=2))

    def _report_revoked(self, revoked: list[IssuedCertificate], options: dict[str, Any]) -> None:
        if options["json"]:
            fingerprints = [row.fingerprint_sha256 for row in revoked]
            self.stdout.write(json.dumps({"revoked": fingerprints}, indent=2))
            return
        self.stdout.write(f"{len(revoked)} certificates of the test were revoked.")


def _revoked(name: str) -> list[IssuedCertificate]:
    return clean_up(name, actor=command_actor())
