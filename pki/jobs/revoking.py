"""Revoke many certificates, named by serial number or fingerprint."""

from django.db.models import QuerySet

from pki.jobs.kinds import JobKind, Parameters
from pki.jobs.lifecycle import start_job
from pki.models import IssuedCertificate, Job
from pki.record.audit_trail import Actor
from pki.revocation.revoke import (
    check_revocation_reason,
    find_certificate,
    revoke_certificate,
)

State = IssuedCertificate.State


def revocable(certificates: QuerySet[IssuedCertificate]) -> QuerySet[IssuedCertificate]:
    """Return those of the certificates that were issued and are not revoked."""
    return certificates.filter(state__in=[State.ISSUED, State.SUPERSEDED])


def start_revocation(
    certificates: QuerySet[IssuedCertificate], *, reason: str, comment: str, actor: Actor
) -> Job:
    """Start the job that revokes those of the certificates that can be revoked now.

    Certificates that come to match later are not revoked. Raises what ``start_job`` raises.
    """
    rows = revocable(certificates).order_by("created_at", "pk")
    fingerprints = rows.values_list("fingerprint_sha256", flat=True)
    return start_job(
        "revoke",
        (one for one in fingerprints.iterator() if one),
        parameters={"reason": reason, "comment": comment},
        actor=actor,
    )


def _check(parameters: Parameters) -> None:
    check_revocation_reason(parameters["reason"])


def _revoke(subject: str, parameters: Parameters, actor: Actor) -> str:
    row = find_certificate(subject)
    revoked = revoke_certificate(
        row, reason=parameters["reason"], comment=parameters["comment"], actor=actor
    )
    # After a crash a line may be worked on again, and its own revocation is then one from before.
    return f"{row.common_name}: {'revoked' if revoked else 'was revoked before'}"


REVOKE = JobKind(name="revoke", check=_check, work=_revoke)
