"""Verify the newest rows of the audit trail, in a time that does not grow with the trail."""

from pki.models import AuditEvent
from pki.record.audit_trail import Break, hash_of


def verify_newest(most: int) -> tuple[int, Break | None]:
    """Check the ``most`` newest rows. Return how many fit, and the first by time that does not.

    Each row's contents are checked, and its link to the row before it in its chain. Rows that were
    taken away from the end of a chain show in the heads alone (``pki.record.audit_heads``).
    """
    newest = list(AuditEvent.objects.order_by("-at")[:most])
    by_place = {(event.chain, event.position): event for event in newest}
    breaks = []
    for event in newest:
        before = by_place.get((event.chain, event.position - 1))
        if what := _what_is_wrong(event, before):
            breaks.append(Break(event, what))
    return len(newest) - len(breaks), min(breaks, key=lambda found: found.event.at, default=None)


def _what_is_wrong(event: AuditEvent, before: AuditEvent | None) -> str:
    if event.hash != hash_of(event):
        return "its contents were changed"
    if event.position == 0:
        return ""
    if before is None:  # older than the newest rows, or missing
        before = AuditEvent.objects.filter(chain=event.chain, position=event.position - 1).first()
    if before is None:
        return f"row {event.position - 1} of its chain is missing before it"
    return "the row before it was changed" if event.previous_hash != before.hash else ""
