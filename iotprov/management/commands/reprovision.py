"""Have AWS IoT agree with the record of many certificates once more, as a job."""

from typing import Any

from django.core.management.base import CommandParser

from iotprov.jobs.reprovisioning import provisionable, start_reprovisioning
from pki.jobs.terminal import JobCommand
from pki.models import IssuedCertificate
from pki.operators.command import command_actor
from pki.operators.effects import Effect


class Command(JobCommand):
    """See ``help``."""

    help = (
        "Give certificates to the outbox once more, as a job, so that AWS IoT agrees with the "
        "record. What agrees already stays as it is."
    )
    effect = Effect.MORE

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the filter and the reason."""
        parser.add_argument(
            "--filter",
            required=True,
            metavar="ADDRESS",
            help="everything that a list of certificates in the web admin shows: its address, or "
            "what stands after the ?",
        )
        parser.add_argument("--reason", required=True, help="kept on the audit trail")
        super().add_arguments(parser)

    def handle(
        self,
        *args: Any,
        filter: str,  # noqa: A002  # the option's name
        reason: str,
        no_wait: bool,
        dry_run: bool,
        **options: Any,
    ) -> None:
        """Print the job's id and how it ended."""
        # Imported here, as revoke_list does.
        from pki.admin.filtered import rows_of_address

        rows = rows_of_address(IssuedCertificate, filter)
        if dry_run:
            count = provisionable(rows).count()
            self.say(
                f"{count:,} certificates would be given to the outbox. No job was started.",
                certificates=count,
            )
            return
        self.follow(
            start_reprovisioning(rows, reason=reason, actor=command_actor()), no_wait=no_wait
        )
