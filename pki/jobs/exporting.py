"""Export certificates as a job, whose file is kept in parts for some days.

A fleet's file is more than a Lambda function may answer with at once, and takes longer to write
than API Gateway waits. So each line of the job writes one part, as a row.
"""

import datetime
import uuid
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from django.db.models import QuerySet
from django.utils import timezone

from pki.jobs.certificate_files import ROWS, csv_header
from pki.jobs.kinds import JobKind, LineResult, Parameters
from pki.jobs.lifecycle import start_job
from pki.jobs.pace import Pace
from pki.models import IssuedCertificate, Job, JobLine, JobPart
from pki.operators.errors import OperatorError
from pki.record.audit_trail import Actor
from pki.record.transactions import in_write_transaction

TOGETHER: Final = 250
"""Certificates of a part. In PEM, with RSA keys of 4096 bits, it has 700 KB. A column takes 1 MiB
on Aurora DSQL (https://docs.aws.amazon.com/aurora-dsql/latest/userguide/CHAP_quotas.html)."""
PARTS_OF_PIECE: Final = 8
"""Parts that are downloaded at once where a whole file is too much: Lambda answers with 6 MB
(https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html)."""
DELETED_TOGETHER: Final = 20
"""Parts that are deleted in one transaction: some 5 MB."""
KEPT: Final = datetime.timedelta(days=7)
"""How long a file is kept after its job ended."""


def start_export(certificates: QuerySet[IssuedCertificate], *, form: str, actor: Actor) -> Job:
    """Start the job that writes the certificates as ``csv`` or ``pem``.

    Raises ``OperatorError`` for another form, and what ``start_job`` raises.
    """
    while in_write_transaction(_remove_old_parts):
        pass
    keys = certificates.order_by("created_at", "pk").values_list("pk", flat=True).iterator()
    chunks: list[list[str]] = []
    while chunk := [str(key) for key in islice(keys, TOGETHER)]:
        chunks.append(chunk)
    numbers = range(1, len(chunks) * TOGETHER, TOGETHER)
    return start_job(
        "export",
        [
            f"certificates {first} to {first + len(chunk) - 1}"
            for first, chunk in zip(numbers, chunks, strict=True)
        ],
        details=chunks,
        parameters={"form": form},
        actor=actor,
    )


def has_file(job: Job) -> bool:
    """Return whether the job is an export whose file is complete and still kept."""
    return (
        job.kind == EXPORT.name
        and job.state == Job.State.FINISHED
        and not job.failed
        and JobPart.objects.filter(job=job).exists()
    )


def file_of(job: Job, *, piece: int | None = None) -> Iterator[str]:
    """Yield the file of a finished export part by part, or a piece of it, counted from 0.

    A piece of a CSV file has the header, too. Raises ``OperatorError`` if there is no file.
    """
    if not has_file(job):
        raise OperatorError(
            f"The job {job.pk} has no file. A file is there when an export is finished, and for "
            f"{KEPT.days} days."
        )
    parts = JobPart.objects.filter(job=job).order_by("number")
    if piece is not None:
        first = piece * PARTS_OF_PIECE
        parts = parts.filter(number__gt=first, number__lte=first + PARTS_OF_PIECE)
    return _text_of(job, list(parts.values_list("pk", flat=True)))


def pieces_of(job: Job) -> int:
    """Return in how many pieces the file can be downloaded."""
    return -(-job.total // PARTS_OF_PIECE)


def _text_of(job: Job, keys: Sequence[uuid.UUID]) -> Iterator[str]:
    if job.parameters["form"] == "csv":
        yield csv_header()
    for key in keys:  # one at a time: a file may not fit into memory
        yield from JobPart.objects.filter(pk=key).values_list("content", flat=True)


def _check(parameters: Parameters) -> None:
    if parameters["form"] not in ROWS:
        raise OperatorError(
            f"{parameters['form']!r} is not a form of a file. Use one of: {', '.join(ROWS)}."
        )


def _write(job: Job, lines: Sequence[JobLine], actor: Actor) -> list[LineResult]:
    results = []
    for line in lines:
        keys = [uuid.UUID(key) for key in line.details or ()]
        rows = IssuedCertificate.objects.filter(pk__in=keys).order_by("created_at", "pk")
        written = list(ROWS[job.parameters["form"]](rows))
        JobPart.objects.filter(job=job, number=line.number).delete()
        JobPart.objects.create(job=job, number=line.number, content="".join(written))
        results.append((JobLine.State.DONE, f"{len(written)} written"))
    return results


def _remove_old_parts() -> int:
    """Delete some parts of jobs that ended long ago, and return how many. An export begins so."""
    return _delete(JobPart.objects.filter(job__ended_at__lt=timezone.now() - KEPT))


def _clear_up(job: Job, pace: Pace) -> bool:
    """Delete the next parts of a cancelled export."""
    parts = JobPart.objects.filter(job=job)
    return not pace.in_transaction(DELETED_TOGETHER, lambda: _delete(parts))


def _delete(parts: QuerySet[JobPart]) -> int:
    keys = list(parts.values_list("pk", flat=True)[:DELETED_TOGETHER])
    JobPart.objects.filter(pk__in=keys).delete()
    return len(keys)


EXPORT = JobKind(name="export", check=_check, work_together=_write, chunk=1, clear_up=_clear_up)
