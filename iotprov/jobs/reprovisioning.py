"""Have AWS IoT agree with the record of many certificates once more, as a job.

Each line gives a certificate to the outbox, whose workers keep to the pace that AWS allows.
"""

from collections.abc import Sequence

from django.db.models import QuerySet

from iotprov.provisioning.desired_state import Mode
from iotprov.provisioning.outbox import enqueue
from pki.jobs.kinds import JobKind, LineResult, Parameters
from pki.jobs.lifecycle import start_job
from pki.models import IssuedCertificate, Job, JobLine
from pki.operators.errors import OperatorError
from pki.record import audit_trail
from pki.record.audit_trail import Actor

TOGETHER = 50
"""Certificates of a transaction."""

State = JobLine.State


def provisionable(certificates: QuerySet[IssuedCertificate]) -> QuerySet[IssuedCertificate]:
    """Return those of the certificates that AWS IoT is to follow."""
    signed = certificates.exclude(fingerprint_sha256=None).exclude(profile=None)
    return signed.exclude(profile__iot_provisioning=Mode.NONE)


def start_reprovisioning(
    certificates: QuerySet[IssuedCertificate], *, reason: str, actor: Actor
) -> Job:
    """Start the job for those of the certificates that AWS IoT is to follow.

    Raises ``OperatorError`` without a reason, and what ``start_job`` raises.
    """
    rows = provisionable(certificates).order_by("created_at", "pk")
    fingerprints = rows.values_list("fingerprint_sha256", flat=True)
    return start_job(
        "reprovision",
        (one for one in fingerprints.iterator() if one),
        parameters={"reason": reason},
        actor=actor,
    )


def _check(parameters: Parameters) -> None:
    if not parameters["reason"].strip():
        raise OperatorError("This needs a reason (--reason). It is kept on the audit trail.")


def _enqueue(job: Job, lines: Sequence[JobLine], actor: Actor) -> list[LineResult]:
    named = [line.subject for line in lines]
    rows = provisionable(IssuedCertificate.objects.filter(fingerprint_sha256__in=named))
    found = {row.fingerprint_sha256: row for row in rows.defer("csr_der", "der")}
    enqueue([row.pk for row in found.values()], is_urgent=False)
    results = []
    for line in lines:
        row = found.get(line.subject)
        if row is None:
            said = "No certificate with this fingerprint is on record that AWS IoT is to follow."
            results.append((State.FAILED, said))
            continue
        audit_trail.record(
            "reprovision",
            actor=actor,
            target=f"certificate:{row.serial_number}",
            reason=job.parameters["reason"],
        )
        results.append((State.DONE, f"{row.common_name}: given to the outbox"))
    return results


REPROVISION = JobKind(name="reprovision", check=_check, work_together=_enqueue, chunk=TOGETHER)
