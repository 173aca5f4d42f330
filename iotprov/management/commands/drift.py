"""Compare AWS IoT with the record."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from django.core.management.base import CommandError, CommandParser

from iotprov.conf import IoTTarget, find_target, iot_settings, setting_name
from iotprov.drift import Difference, Kind, NotCompared, Repair, drift
from pki.operators.command import REFUSED, REMOTE_FAILURE, OperatorCommand, command_actor, refuse
from pki.operators.errors import OperatorError, remote_failure


class Command(OperatorCommand):
    """See ``help``."""

    help = (
        "Say where AWS IoT and the record disagree, as 'here -> AWS', and mend what is ours with "
        "--repair. Exit code 0: no difference is left; 1: there are some; 3: AWS failed, so not "
        "all was compared or mended."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Where, how deep, and whether to mend."""
        parser.add_argument("--target", metavar="NAME", help="this one only; default: all of them")
        parser.add_argument(
            "--deep",
            action="store_true",
            help="look at each certificate's things and policies too: two calls each, about eight "
            "certificates a second",
        )
        parser.add_argument(
            "--repair",
            action="store_true",
            help="make AWS IoT agree where it is ours; what only AWS has is never touched",
        )
        parser.add_argument(
            "--reason", default="drift --repair", help="with --repair: for the audit trail"
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="with --repair: say what would be mended"
        )
        parser.add_argument("--json", action="store_true", help="a JSON object on each line")

    def handle(
        self,
        *args: Any,
        target: str | None,
        deep: bool,
        repair: bool,
        reason: str,
        dry_run: bool,
        json: bool,
        **options: Any,
    ) -> None:
        """A line for each difference as it is found, then one for each target."""
        self._is_json, self._is_deep = json, deep
        self._failures: list[str] = []
        self._is_remote = False
        left = 0
        for each in _targets(target):
            tally = Tally(each.name)
            mender = None
            if repair and not dry_run:
                mender = Repair(each, actor=command_actor(), reason=reason)
            self._compare(each, tally, mender, is_dry_run=dry_run)
            self._tell_tally(tally)
            left += tally.left
        if self._failures:
            raise CommandError(
                "\n".join(self._failures),
                returncode=REMOTE_FAILURE if self._is_remote else REFUSED,
            )
        if left:
            refuse(f"AWS IoT and the record differ: {_counted(left)} left")

    def _compare(
        self, target: IoTTarget, tally: "Tally", mender: Repair | None, *, is_dry_run: bool
    ) -> None:
        try:
            for one in drift(target, deep=self._is_deep):
                is_mended = mender is not None and self._is_mended(one, mender)
                tally.count(one, is_mended=is_mended)
                self._tell(one, is_mended=is_mended, is_dry_run=is_dry_run)
        except NotCompared as error:
            tally.is_complete = False
            self._fail(str(error), error)
        if mender is None:
            return
        drained = mender.finish()
        if drained.error is not None:
            tally.unmended += drained.postponed + drained.parked
            self._fail(f"{target.name}: the outbox {drained}: {drained.error}", drained.error)

    def _is_mended(self, difference: Difference, mender: Repair) -> bool:
        """Whether it was mended; the outbox carries out a certificate's in the end."""
        try:
            return mender.mend(difference)
        except OperatorError as error:
            # Of a CA's failure only the sentence is kept; AWS it is, as for register_ca.
            self._fail(
                f"{difference.target}: {difference.kind} {difference.name} wasn't mended: {error}",
                error,
                is_remote=difference.kind is Kind.CA,
            )
            return False

    def _fail(self, sentence: str, error: Exception, *, is_remote: bool = False) -> None:
        self._failures.append(sentence)
        self._is_remote = self._is_remote or is_remote or remote_failure(error) is not None

    def _tell(self, difference: Difference, *, is_mended: bool, is_dry_run: bool) -> None:
        if self._is_json:
            self.stdout.write(_as_json({**difference.as_json(), "is_mended": is_mended}))
            return
        line = str(difference)
        if is_mended:
            line += ": done" if difference.kind in _MENDED_AT_ONCE else ": given to the outbox"
        elif is_dry_run and difference.is_ours and not difference.is_under_way:
            line += ": would be mended"
        self.stdout.write(line)

    def _tell_tally(self, tally: "Tally") -> None:
        if self._is_json:
            self.stdout.write(_as_json({**asdict(tally), "is_deep": self._is_deep}))
            return
        self.stdout.write(str(tally))
        if not self._is_deep:
            self.stdout.write(
                f"{tally.target}: the things and policies of certificates weren't looked at: --deep"
            )


_MENDED_AT_ONCE = frozenset({Kind.POLICY, Kind.TEMPLATE, Kind.ROLE, Kind.CA})


@dataclass
class Tally:
    """What was found at a target."""

    target: str
    differences: int = 0
    alarming: int = 0
    ours: int = 0
    mended: int = 0
    unmended: int = 0
    """Of the mended: those that the outbox has failed at."""
    under_way: int = 0
    is_complete: bool = True

    def count(self, difference: Difference, *, is_mended: bool) -> None:
        """Count one in."""
        if difference.is_under_way:
            self.under_way += 1
            return
        self.differences += 1
        self.alarming += difference.is_alarming
        self.ours += difference.is_ours
        self.mended += is_mended

    @property
    def left(self) -> int:
        """Differences that are there still."""
        return self.differences - max(self.mended - self.unmended, 0)

    def __str__(self) -> str:
        if self.differences:
            said = f"{_counted(self.differences)}, {self.alarming} alarming; ours to mend: "
            said += f"{self.ours}, mended: {max(self.mended - self.unmended, 0)}"
        elif self.is_complete:
            said = "AWS IoT and the record agree"
        else:
            said = "no difference"
        if not self.is_complete:
            said += " in what could be compared, which isn't all"
        if self.under_way:
            said += f"; under way in the outbox: {self.under_way}"
        return f"{self.target}: {said}"


def _counted(number: int) -> str:
    return "1 difference" if number == 1 else f"{number} differences"


def _as_json(data: dict[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False)


def _targets(name: str | None) -> tuple[IoTTarget, ...]:
    if name is None:
        return iot_settings().targets
    target = find_target(name)
    if target is None:
        known = ", ".join(target.name for target in iot_settings().targets)
        refuse(f"there is no target {name!r} in {setting_name('targets')}: choose one of {known}")
    return (target,)
