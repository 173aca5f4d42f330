"""The rules of the notices: what of the overview's numbers is wrong, and what is to be done."""

from collections.abc import Iterator, Sequence

from django.urls import reverse

from estserver.console.overview.authorities import Card
from estserver.console.overview.figures import Figure
from estserver.console.overview.fleet import Fleet
from estserver.console.overview.notices import Notice
from estserver.console.overview.work import Truststore, Waiting
from estserver.models import TruststorePush
from iotprov.admin.provisioning import LATE
from iotprov.models import CARegistration
from pki.admin.display import list_of, page_of
from pki.choices import IoTProvisioning
from pki.models import CertificateAuthority, CertificateProfile

_EXPIRY_STEPS = ((0, 3), (7, 2), (30, 1))
"""Days that a CA has left, and how severe that is."""

_REGISTERED = CARegistration.State.REGISTERED
_ACTIVE = CertificateAuthority.Status.ACTIVE


def find_notices(
    cards: Sequence[Card],
    fleet: Fleet,
    waiting: Sequence[Waiting],
    truststore: Truststore | None,
) -> list[Notice]:
    """Return what is wrong, the urgent ones first."""
    found = [
        *_of_authorities(cards),
        *_of_registrations(cards),
        *_of_waiting(waiting),
        *_of_work(fleet),
        *_of_truststore(truststore),
    ]
    return sorted(found, key=lambda notice: (not notice.is_urgent, notice.key))


def _of_authorities(cards: Sequence[Card]) -> Iterator[Notice]:
    if not any(card.ca.purpose == card.ca.Purpose.DEVICE for card in cards):
        yield Notice(
            "no-device-ca",
            1,
            True,
            "There is no device CA, so nothing can be issued.",
            "Run manage.py bootstrap_cas. It makes or imports what the configuration asks for.",
        )
    for card in cards:
        days = card.days_left
        severity = next((step for most, step in _EXPIRY_STEPS if days < most), 0)
        if not severity or card.ca.status != _ACTIVE:
            continue
        left = f"expires in {days} days" if days >= 0 else "has expired"
        yield Notice(
            f"ca-expires:{card.ca.name}",
            severity,
            days < _EXPIRY_STEPS[1][0],
            f"The CA {card.ca.name} {left}.",
            "Make its successor on the CA's page, or with manage.py ca_successor, and register it.",
            page_of(card.ca),
        )


def _of_registrations(cards: Sequence[Card]) -> Iterator[Notice]:
    profiles = CertificateProfile.objects.exclude(active_label=None)
    if not profiles.exclude(iot_provisioning=IoTProvisioning.NONE).exists():
        return
    for card in cards:
        if card.ca.status != _ACTIVE:
            continue
        for target, row in card.registrations:
            if row is not None and row.state == _REGISTERED:
                continue
            why = f" AWS IoT says: {row.error}" if row is not None and row.error else ""
            yield Notice(
                f"not-registered:{card.ca.name}:{target}",
                1,
                True,
                f"The CA {card.ca.name} is not registered in AWS IoT at {target}, which refuses "
                f"its devices.{why}",
                "Register it on the CA's page, or with manage.py register_ca.",
                page_of(card.ca),
            )


def _of_waiting(waiting: Sequence[Waiting]) -> Iterator[Notice]:
    for one in waiting:
        if one.parked.count:
            yield Notice(
                f"parked:{one.target}",
                one.parked.count,
                True,
                f"{_certificates(one.parked)} cannot be brought into AWS IoT at {one.target} "
                "without a person.",
                "Open the list, mend what the errors name, and choose Retry.",
                one.parked.url,
            )
        if one.age >= LATE:
            error = f" The last error: {one.error}" if one.error else ""
            yield Notice(
                f"late:{one.target}",
                1,
                False,
                f"{_certificates(one.pending)} at {one.target} wait for AWS IoT, the oldest for "
                f"{one.age // LATE} hours.{error}",
                "See that the schedule runs, or run manage.py provision_pending.",
                one.pending.url,
            )


def _of_work(fleet: Fleet) -> Iterator[Notice]:
    if fleet.not_renewed.count:
        yield Notice(
            "not-renewed",
            fleet.not_renewed.count,
            True,
            f"{_certificates(fleet.not_renewed)} of devices expired within 30 days, and nothing "
            "replaced them.",
            "Find out from the refusals why the devices did not renew, and enroll them again.",
            fleet.not_renewed.url,
        )
    if fleet.failed_jobs.count:
        yield Notice(
            "jobs-failed",
            fleet.failed_jobs.count,
            False,
            f"An error stopped {fleet.failed_jobs} {_plural(fleet.failed_jobs, 'job')}.",
            "Open the job, read its error, and choose Continue, or run manage.py jobs.",
            fleet.failed_jobs.url,
        )
    if fleet.failing_hooks.count:
        yield Notice(
            "hooks-failed",
            fleet.failing_hooks.count,
            False,
            f"{fleet.failing_hooks} {_plural(fleet.failing_hooks, 'hook')} of the installation "
            "failed and will be repeated.",
            "Open the list and read the errors. manage.py run_pending_hooks repeats them now.",
            fleet.failing_hooks.url,
        )
    if fleet.parked_messages.count:
        is_one = fleet.parked_messages.count == 1
        yield Notice(
            "messages-given-up",
            fleet.parked_messages.count,
            False,
            f"{fleet.parked_messages} {_plural(fleet.parked_messages, 'message')} to webhooks, "
            f"mail servers or topics {'was' if is_one else 'were'} not taken for a day, and "
            f"{'is' if is_one else 'are'} tried no more.",
            "Open the list, mend what the errors name, and choose Send again.",
            fleet.parked_messages.url,
        )

    if fleet.open_requests.count:
        is_one = fleet.open_requests.count == 1
        yield Notice(
            "requests-to-confirm",
            fleet.open_requests.count,
            False,
            f"{fleet.open_requests} {_plural(fleet.open_requests, 'request')} about CAs "
            f"{'waits' if is_one else 'wait'} for a second person, for a day at most.",
            "Open Requests to confirm, and have somebody who did not ask confirm or refuse it.",
            reverse("admin:console_requests"),
        )


def _of_truststore(truststore: Truststore | None) -> Iterator[Notice]:
    if truststore is None:
        return
    todo = (
        "Open the truststore, compare it with API Gateway and push it, or run manage.py "
        "aws_truststore, and then with --push."
    )
    url = list_of(TruststorePush)
    if truststore.active is None:
        what = "No truststore of API Gateway is on record, so it completes no handshake."
        yield Notice("truststore-missing", 1, True, what, todo, url)
    elif truststore.changed:
        names = ", ".join(truststore.changed)
        what = f"API Gateway does not know of a change of these CAs yet: {names}."
        yield Notice("truststore-stale", len(truststore.changed), False, what, todo, url)


def _certificates(figure: Figure) -> str:
    return f"{figure} {_plural(figure, 'certificate')}"


def _plural(figure: Figure, noun: str) -> str:
    return noun if figure.count == 1 else f"{noun}s"
