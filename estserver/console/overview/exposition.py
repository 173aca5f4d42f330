"""The overview's numbers for Prometheus, by the overview's own statements."""

from collections.abc import Iterator

from estserver.console.overview.report import Overview, read_overview
from estserver.operations.prometheus import Family, family


def families() -> list[Family]:
    """Return every family, from one reading of the overview."""
    overview = read_overview()
    return [
        *_of_authorities(overview),
        *_of_certificates(overview),
        *_of_waiting(overview),
        *_of_work(overview),
        *_of_notices(overview),
    ]


def _of_authorities(overview: Overview) -> Iterator[Family]:
    cards = [
        (card, {"ca": card.ca.name, "purpose": card.ca.purpose, "status": card.ca.status})
        for card in overview.cards
    ]
    yield family(
        "est_ca_not_after_timestamp_seconds",
        "When a CA that is trusted expires.",
        *((card.ca.not_after.timestamp(), labels) for card, labels in cards),
    )
    yield family(
        "est_ca_certificates",
        "Certificates on record of a CA that is trusted.",
        *((card.issued.count, labels) for card, labels in cards),
    )


def _of_certificates(overview: Overview) -> Iterator[Family]:
    fleet = overview.fleet
    yield family(
        "est_certificates", "Certificates on record in any state.", (fleet.total.count, {})
    )
    yield family(
        "est_certificates_expiring",
        "Current certificates that expire within so many days.",
        *((one.count, {"within_days": str(days)}) for days, one in fleet.expiring.items()),
    )
    yield family(
        "est_certificates_not_renewed",
        "Certificates of devices that expired within 30 days, and that nothing replaced.",
        (fleet.not_renewed.count, {}),
    )
    yield family(
        "est_certificates_issued",
        "Certificates issued within the last so many days.",
        (fleet.issued_day.count, {"within_days": "1"}),
        (fleet.issued_month.count, {"within_days": "30"}),
    )
    yield family(
        "est_refusals",
        "Refusals on the audit trail by reason, within the last so many days.",
        *(
            (count, {"reason": one.code, "within_days": days})
            for one in overview.refusals
            for days, count in (("1", one.day.count), ("30", one.month.count))
        ),
    )


def _of_waiting(overview: Overview) -> Iterator[Family]:
    yield family(
        "est_outbox_certificates",
        "Certificates that AWS IoT does not have as it should: pending (failing are those of them "
        "that failed at least once), or parked until a person acts.",
        *(
            (figure.count, {"target": one.target, "state": state})
            for one in overview.waiting
            for state, figure in (
                ("pending", one.pending),
                ("failing", one.failing),
                ("parked", one.parked),
            )
        ),
    )
    yield family(
        "est_outbox_oldest_seconds",
        "How long the oldest pending certificate has waited for AWS IoT.",
        *((round(one.age.total_seconds(), 1), {"target": one.target}) for one in overview.waiting),
    )


def _of_work(overview: Overview) -> Iterator[Family]:
    fleet = overview.fleet
    yield family(
        "est_jobs",
        "Jobs that are under way, and jobs that an error stopped.",
        (fleet.open_jobs.count, {"state": "open"}),
        (fleet.failed_jobs.count, {"state": "failed"}),
    )
    yield family(
        "est_hooks",
        "Hooks that wait (failing are those of them that failed at least once).",
        (fleet.hooks.count, {"state": "waiting"}),
        (fleet.failing_hooks.count, {"state": "failing"}),
    )
    yield family(
        "est_messages",
        "Messages to webhooks, mail servers and topics that wait, or were given up after a day.",
        (fleet.waiting_messages.count, {"state": "waiting"}),
        (fleet.parked_messages.count, {"state": "parked"}),
    )


def _of_notices(overview: Overview) -> Iterator[Family]:
    notices = overview.notices
    kinds = (("open", notices.open), ("acknowledged", notices.acknowledged))
    yield family(
        "est_notices",
        "Notices of the overview: what is wrong. Urgent ones stop devices now.",
        *(
            (sum(one.is_urgent is urgent for one in found), {"state": state, "urgent": word})
            for state, found in kinds
            for urgent, word in ((True, "true"), (False, "false"))
        ),
    )
