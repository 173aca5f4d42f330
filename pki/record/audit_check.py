"""Check the whole audit trail, for the command `audit_verify` and the trail's page."""

from collections.abc import Sequence

from pki.models import AuditEvent
from pki.operators.errors import OperatorError
from pki.record.audit_heads import WrittenHeads, compare_heads
from pki.record.audit_states import MOST_NAMED, compare_states, is_emptied
from pki.record.audit_trail import verify


def check_trail(written: Sequence[WrittenHeads] = (), *, at_most: int | None = None) -> int:
    """Return how many rows the trail has, after all of them were checked.

    ``written`` are heads that were kept elsewhere. Raises ``OperatorError``, which says what does
    not hold, or that there are more than ``at_most`` rows, which would take too long.
    """
    # Step 1: a trail that was emptied has no chain to verify.
    if is_emptied():
        raise OperatorError(
            "The audit trail is empty, and CAs or certificates are on record. Its rows were "
            "deleted. Find out who can write to the database, and restore the trail from a "
            "backup."
        )
    if at_most is not None and AuditEvent.objects.order_by()[: at_most + 1].count() > at_most:
        raise OperatorError(
            f"The audit trail has more than {at_most:,} rows, which take longer than a page can "
            "wait. Run manage.py audit_verify."
        )
    # Step 2: the hash chains.
    count, broken = verify()
    if broken is not None:
        row = broken.event
        raise OperatorError(
            f"The audit trail does not hold at row {row.pk} ({row.action} {row.target}, "
            f"{row.at:%Y-%m-%d %H:%M:%S} UTC): {broken.what}. Compare it with the last export."
        )
    # Step 3: the ends of chains, which only heads that were written elsewhere can show.
    if problems := compare_heads(written):
        more = len(problems) - MOST_NAMED
        named = "; ".join([*problems[:MOST_NAMED], *([f"and {more} more"] if more > 0 else [])])
        raise OperatorError(
            f"The audit trail does not have what it had: {named}. Rows were taken away or "
            "written anew. Compare it with the last export."
        )
    # Step 4: the certificates, whose states need rows.
    if disagreements := compare_states():
        are = "certificate" if disagreements.count == 1 else "certificates"
        raise OperatorError(
            f"The audit trail and the record disagree about {disagreements.count} {are}: "
            f"{disagreements}. Rows of the trail were deleted, or the record was changed "
            "otherwise than by this server. Compare both with a backup."
        )
    return count
