"""What the newest comparison of a target with the record found, as its job wrote it."""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from iotprov.jobs.comparing import FIRST_OF_PART
from pki.models import Job, JobLine

MOST_JOBS = 500
"""The newest jobs, among which a comparison is looked for."""
MOST_SHOWN = 200
"""Differences of a target. The page of the job has all of them."""


@dataclass(frozen=True, slots=True)
class FoundDifference:
    """A difference that a comparison found, and what it did about it."""

    kind: str
    name: str
    ours: str
    theirs: str
    direction: str
    advice: str
    is_ours: bool
    is_alarming: bool
    is_under_way: bool
    done: str
    """What a repair did, in a sentence; "" for nothing."""


@dataclass(frozen=True, slots=True)
class LastComparison:
    """The newest comparison of a target."""

    job: Job
    parts: tuple[tuple[str, str], ...]
    """Each part of the target, with its result in words; "" while it is not done."""
    differences: tuple[FoundDifference, ...]
    """Alarming ones first, at most ``MOST_SHOWN``."""
    has_more: bool

    @property
    def at(self) -> datetime.datetime:
        """When it began."""
        return self.job.created_at


def last_comparisons(targets: Iterable[str]) -> dict[str, LastComparison]:
    """Return the newest comparison of each target that has one among the newest jobs."""
    newest = list(Job.objects.order_by("-pk").values_list("pk", "kind")[:MOST_JOBS])
    keys = [pk for pk, kind in newest if kind == "drift"]
    jobs = Job.objects.in_bulk(keys)
    parts: dict[tuple[Any, str], list[JobLine]] = {}
    lines = JobLine.objects.filter(job__in=keys, number__lt=FIRST_OF_PART).order_by("number")
    for line in lines:
        parts.setdefault((line.job_id, _target_and_part(line)[0]), []).append(line)
    found = {}
    for target in targets:
        key = next((pk for pk in keys if (pk, target) in parts), None)
        if key is not None:
            found[target] = _comparison(jobs[key], parts[key, target])
    return found


def _target_and_part(line: JobLine) -> tuple[str, str]:
    target, _, part = line.subject.partition(": ")
    return target, part


def _comparison(job: Job, parts: list[JobLine]) -> LastComparison:
    """Return what the parts of a target found. They follow each other, and so do their findings."""
    first, last = parts[0].number, parts[-1].number + 1
    lines = job.lines.filter(number__gte=first * FIRST_OF_PART, number__lt=last * FIRST_OF_PART)
    found = list(lines.order_by("number").values_list("details", flat=True)[: MOST_SHOWN + 1])
    # A job of the version before has no details.
    differences = [_difference(one) for one in found[:MOST_SHOWN] if one]
    differences.sort(key=lambda one: not one.is_alarming or one.is_under_way)
    results = tuple((_target_and_part(line)[1], line.result) for line in parts)
    return LastComparison(job, results, tuple(differences), len(found) > MOST_SHOWN)


def _difference(details: dict[str, Any]) -> FoundDifference:
    names = FoundDifference.__slots__
    return FoundDifference(**{name: details[name] for name in names})
