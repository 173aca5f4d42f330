"""Compare AWS IoT with the record."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from django.core.management.base import CommandError, CommandParser

from iotprov.conf import IoTTarget, targets_named
from iotprov.drift import Difference, Kind, NotCompared, Repair, drift
from iotprov.jobs.comparing import start_comparison
from pki.operators.command import REFUSED, REMOTE_FAILURE, OperatorCommand, command_actor, refuse
from pki.operators.effects import Effect
from pki.operators.errors import OperatorError, remote_failure


class Command(OperatorCommand):
    """See ``help``."""

    help = (
        "Compare AWS IoT with the record. Print each difference on a line: what the record says, "
        "an arrow, and what AWS IoT has. --repair makes AWS IoT agree with the record, and leaves "
        "alone what only AWS IoT has. Exit code 0: no difference is left. 1: there are some. 3: "
        "AWS failed, so not everything was compared or repaired."
    )
    effect = Effect.MORE

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the target, the depth, and whether to repair."""
        parser.add_argument("--target", metavar="NAME", help="this one only; default: all of them")
        parser.add_argument(
            "--deep",
            action="store_true",
            help="compare each certificate's things and policies too: two calls each, about eight "
            "certificates a second",
        )
        parser.add_argument(
            "--repair",
            action="store_true",
            help="make AWS IoT agree with the record; what only AWS has is never touched",
        )
        parser.add_argument(
            "--reason", default="drift --repair", help="with --repair: for the audit trail"
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="with --repair: show what would be mended"
        )
        parser.add_argument("--json", action="store_true", help="a JSON object on each line")
        parser.add_argument(
            "--as-job",
            action="store_true",
            help="start a job that the schedule works on, and print its id; its results are on its "
            "page, and manage.py jobs shows how far it got",
        )

    def handle(
        self,
        *args: Any,
        target: str | None,
        deep: bool,
        repair: bool,
        reason: str,
        dry_run: bool,
        json: bool,
        as_job: bool,
        **options: Any,
    ) -> None:
        """Print a line for each difference as it is found, then one for each target."""
        if as_job:
            if dry_run or json:
                refuse("A job takes neither --dry-run nor --json. Its page has the results.")
            job = start_comparison(
                target or "", deep=deep, repair=repair, reason=reason, actor=command_actor()
            )
            self.stdout.write(f"job {job.pk}: {job.state}, {job.progress}")
            return
        # Step 1: each target by itself. A failure stops no other.
        self._is_json, self._is_deep = json, deep
        self._failures: list[str] = []
        self._is_remote = False
        left = 0
        for each in targets_named(target):
            tally = Tally(each.name)
            repairs = None
            if repair and not dry_run:
                repairs = Repair(each, actor=command_actor(), reason=reason)
            self._compare(each, tally, repairs, is_dry_run=dry_run)
            self._print_tally(tally)
            left += tally.left

        # Step 2: the exit code.
        if self._failures:
            raise CommandError(
                "\n".join(self._failures),
                returncode=REMOTE_FAILURE if self._is_remote else REFUSED,
            )
        if left:
            refuse(f"AWS IoT and the record differ: {_counted(left)} left.")

    def _compare(
        self, target: IoTTarget, tally: "Tally", repairs: Repair | None, *, is_dry_run: bool
    ) -> None:
        try:
            for one in drift(target, deep=self._is_deep):
                is_mended = repairs is not None and self._mend(one, repairs)
                tally.count(one, is_mended=is_mended)
                self._print(one, is_mended=is_mended, is_dry_run=is_dry_run)
        except NotCompared as error:
            tally.is_complete = False
            self._fail(str(error), error)
        if repairs is None:
            return
        drained = repairs.finish()
        if drained.error is not None:
            tally.unmended += drained.postponed + drained.parked
            self._fail(f"{target.name}: The outbox {drained}. {drained.error}", drained.error)

    def _mend(self, difference: Difference, repairs: Repair) -> bool:
        """Return whether it was mended, or will be by the outbox in the end."""
        try:
            return repairs.mend(difference)
        except OperatorError as error:
            # A CA's failure is recorded as text. It counts as AWS's, as in register_ca.
            self._fail(
                f"{difference.target}: {difference.kind} {difference.name} was not mended. {error}",
                error,
                is_remote=difference.kind is Kind.CA,
            )
            return False

    def _fail(self, message: str, error: Exception, *, is_remote: bool = False) -> None:
        self._failures.append(message)
        self._is_remote = self._is_remote or is_remote or remote_failure(error) is not None

    def _print(self, difference: Difference, *, is_mended: bool, is_dry_run: bool) -> None:
        if self._is_json:
            self.stdout.write(_as_json({**difference.as_json(), "is_mended": is_mended}))
            return
        line = str(difference)
        if is_mended:
            line += f" {difference.mended_in_words}"
        elif is_dry_run and difference.is_ours and not difference.is_under_way:
            line += " It would be mended."
        self.stdout.write(line)

    def _print_tally(self, tally: "Tally") -> None:
        if self._is_json:
            self.stdout.write(_as_json({**asdict(tally), "is_deep": self._is_deep}))
            return
        self.stdout.write(str(tally))
        if not self._is_deep:
            self.stdout.write(
                f"{tally.target}: The things and policies of certificates were not compared. "
                "Use --deep for that."
            )


@dataclass
class Tally:
    """The count of differences at a target."""

    target: str
    differences: int = 0
    alarming: int = 0
    ours: int = 0
    mended: int = 0
    unmended: int = 0
    """Those of the mended that the outbox failed at."""
    under_way: int = 0
    is_complete: bool = True

    def count(self, difference: Difference, *, is_mended: bool) -> None:
        """Count a difference."""
        if difference.is_under_way:
            self.under_way += 1
            return
        self.differences += 1
        self.alarming += difference.is_alarming
        self.ours += difference.is_ours
        self.mended += is_mended

    @property
    def left(self) -> int:
        """Return how many differences remain."""
        return self.differences - max(self.mended - self.unmended, 0)

    def __str__(self) -> str:
        if self.differences:
            sentences = [
                f"{_counted(self.differences)}, {self.alarming} alarming.",
                f"--repair can mend {self.ours}, and has mended "
                f"{max(self.mended - self.unmended, 0)}.",
            ]
        elif self.is_complete:
            sentences = ["AWS IoT and the record agree."]
        else:
            sentences = ["No difference was found."]
        if not self.is_complete:
            sentences.append("Not everything could be compared.")
        if self.under_way:
            sentences.append(f"Under way in the outbox: {self.under_way}.")
        return f"{self.target}: {' '.join(sentences)}"


def _counted(number: int) -> str:
    return "1 difference" if number == 1 else f"{number} differences"


def _as_json(data: dict[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False)
