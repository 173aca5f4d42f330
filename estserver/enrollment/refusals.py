"""Refusals on the audit trail, where an operator finds them by their request id."""

import logging

from pki.exceptions import PKIError
from pki.models import IssuedCertificate
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.record.transactions import in_write_transaction

logger = logging.getLogger(__name__)


def record_refusal(
    operation: IssuedCertificate.Operation, refused: PKIError, *, actor: Actor, target: str
) -> None:
    """Put a refusal on the audit trail.

    Nothing is raised when the database is out of reach, which may be what was refused for: the log
    line has to do then.
    """

    def record() -> None:
        audit_trail.record(
            f"refuse-{operation}",
            actor=actor,
            target=target,
            reason=str(refused),
        )

    try:
        in_write_transaction(record)
    except PKIError:
        logger.exception("the refusal of %s isn't on the audit trail", target)
