"""Revoke many certificates, named by serial number or fingerprint."""

from pki.jobs.kinds import JobKind, Parameters
from pki.record.audit_trail import Actor
from pki.revocation.revoke import (
    check_revocation_reason,
    find_certificate,
    revoke_certificate,
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
