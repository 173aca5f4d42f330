"""The roll of a CA, from its successor's key to its retirement, step by step.

Nothing of it is kept. Each step follows from the record, so a roll survives whatever stops it, and
goes on wherever it is looked at: on its page, or by ``manage.py ca_roll``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from django.conf import settings
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext_noop

from estserver.console.overview.work import read_truststore
from estserver.models import TruststorePush
from iotprov.conf import iot_settings
from iotprov.models import CARegistration
from pki.admin.certificate_states import live_among, newest_of
from pki.admin.display import list_of
from pki.admin.filters import OF_THE_NEWEST
from pki.admin.operations import BACK
from pki.authorities.succeed import step_before_successor
from pki.models import CertificateAuthority, CertificateProfile, IssuedCertificate
from pki.operators.errors import OperatorError
from pki.record.bounded_counts import count_in_words, count_up_to

Status = CertificateAuthority.Status
_REGISTRATION: Final = gettext_noop("Register in AWS IoT")


class StepState(StrEnum):
    """Where a roll is with a step."""

    DONE = "Done"
    NEXT = "Next"
    WAITING = "Waiting"
    LATER = "Later"
    NOT_NEEDED = "Not needed"


@dataclass(frozen=True, slots=True)
class RollStep:
    """One step of a roll."""

    title: str
    state: StepState
    said: str
    """What was done, what has to be done, or what is waited for."""
    url: str = ""
    """The operation that does the step, or the list of what is waited for."""
    command: str = ""
    """What does the same in a terminal."""

    @property
    def command_now(self) -> str:
        """The command if the step can be done now, here or where the deployment is made."""
        return self.command if self.state in (StepState.NEXT, StepState.WAITING) else ""


_NOT_REGISTERED: Final = RollStep(
    _REGISTRATION, StepState.NOT_NEEDED, "No profile in force that it signs for uses AWS IoT."
)


@dataclass(frozen=True, slots=True)
class Roll:
    """The roll of ``ca``, and its steps in their order."""

    ca: CertificateAuthority
    successor: CertificateAuthority | None
    steps: tuple[RollStep, ...]

    @property
    def next(self) -> RollStep | None:
        """The step that has to be done or waited for now; ``None`` at the end of the roll."""
        open_states = (StepState.NEXT, StepState.WAITING)
        return next((step for step in self.steps if step.state in open_states), None)

    @property
    def place(self) -> str:
        """Where the roll is, in words."""
        step = self.next
        if step is None:
            return "The roll is complete."
        return f"Step {self.steps.index(step) + 1} of {len(self.steps)}: {step.title}"


def roll_of(ca: CertificateAuthority) -> Roll:
    """Return the roll that ``ca`` is part of: of the CA before it while that is still trusted."""
    before = ca.successor_of
    if before is not None and before.status == Status.RETIRING:
        ca = before
    successor = ca.successors.order_by("created_at").first()
    steps: list[RollStep] = []
    for step in _steps(ca, successor):
        is_open = step.state in (StepState.NEXT, StepState.WAITING)
        if is_open and any(one.state in (StepState.NEXT, StepState.WAITING) for one in steps):
            # Only one step is open. What is said of the later ones holds when their turn comes.
            step = RollStep(step.title, StepState.LATER, "", "", step.command)
        steps.append(step)
    return Roll(ca, successor, tuple(steps))


def _steps(ca: CertificateAuthority, successor: CertificateAuthority | None) -> Iterator[RollStep]:
    yield _key(ca, successor)
    yield _successor(ca, successor)
    yield _overlap(ca, successor)
    yield _registration(ca, successor)
    yield truststore_step(successor)
    yield _fleet(ca, successor)
    yield _retirement(ca)


def _key(ca: CertificateAuthority, successor: CertificateAuthority | None) -> RollStep:
    title = gettext_noop("A key for the successor")
    if successor is not None:
        return RollStep(title, StepState.DONE, f"{successor.name} has a key of its own.")
    try:
        said = step_before_successor(ca)
    except OperatorError as error:
        return RollStep(title, StepState.WAITING, str(error))
    if said:
        command = f"manage.py aws_deploy --successor-key {ca.name}"
        return RollStep(title, StepState.WAITING, said, command=command)
    return RollStep(title, StepState.DONE, "The signer makes it together with the successor.")


def _successor(ca: CertificateAuthority, successor: CertificateAuthority | None) -> RollStep:
    title, command = "Make the successor", f"manage.py ca_successor {ca.name} --reason ..."
    if successor is not None:
        said = f"{successor.name} issues since {successor.created_at:%Y-%m-%d %H:%M} UTC."
        return RollStep(title, StepState.DONE, said)
    said = f"A CA of the same subject issues in place of {ca.name}, which stays trusted."
    return RollStep(title, StepState.NEXT, said, _operation(ca, "successor", back_to=ca), command)


def _overlap(ca: CertificateAuthority, successor: CertificateAuthority | None) -> RollStep:
    title = gettext_noop("Publish both")
    if successor is None:
        return RollStep(title, StepState.NEXT, "")
    if ca.purpose != CertificateAuthority.Purpose.DEVICE:
        said = "Client CAs are not published. Both are trusted."
        return RollStep(title, StepState.NOT_NEEDED, said)
    count = len(successor.cross_certificates)
    said = f"Devices get both from cacerts, with {count} cross-certificates (RFC 4210 4.4)."
    return RollStep(title, StepState.DONE, said)


def _registration(ca: CertificateAuthority, successor: CertificateAuthority | None) -> RollStep:
    if successor is not None:
        return registration_step(successor, back_to=ca)
    return RollStep(_REGISTRATION, StepState.NEXT, "") if _uses_aws(ca) else _NOT_REGISTERED


def _uses_aws(ca: CertificateAuthority) -> bool:
    in_force = CertificateProfile.objects.exclude(active_label=None)
    return in_force.filter(ca=ca).exclude(iot_provisioning="none").exists()


def registration_step(
    ca: CertificateAuthority, *, back_to: CertificateAuthority | None
) -> RollStep:
    """Return where ``ca`` is with its registration at every target.

    The operation leads back to the roll of ``back_to``, or by itself to the CA's page.
    """
    if not _uses_aws(ca):
        return _NOT_REGISTERED
    command = f"manage.py register_ca {ca.name}"
    registered = set(
        CARegistration.objects.filter(ca=ca, state=CARegistration.State.REGISTERED).values_list(
            "target", flat=True
        )
    )
    missing = [one.name for one in iot_settings().targets if one.name not in registered]
    if not missing:
        said = f"Registered at {', '.join(sorted(registered))}."
        return RollStep(_REGISTRATION, StepState.DONE, said)
    said = (
        f"Not registered at {', '.join(missing)}. Until then nothing that {ca.name} signs can be "
        "provisioned there."
    )
    url = _operation(ca, "register", back_to=back_to)
    return RollStep(_REGISTRATION, StepState.NEXT, said, url, command)


def truststore_step(successor: CertificateAuthority | None) -> RollStep:
    """Return whether the active truststore was pushed after ``successor`` was put on record."""
    title, command = "Push the truststore", "manage.py aws_truststore --push --reason ..."
    if not settings.CONFIG.properties.api_custom_domain_name:
        said = "There is no API Gateway. The local server trusts a new CA within five seconds."
        return RollStep(title, StepState.NOT_NEEDED, said)
    if successor is None:
        return RollStep(title, StepState.NEXT, "")
    known = read_truststore()
    active = known.active if known else None
    if active is not None and active.pushed_at > successor.created_at:
        return RollStep(title, StepState.DONE, f"Pushed at {active.pushed_at:%Y-%m-%d %H:%M} UTC.")
    said = (
        f"API Gateway does not know {successor.name}, so it refuses whoever comes with a "
        "certificate that it signed."
    )
    return RollStep(title, StepState.NEXT, said, list_of(TruststorePush), command)


def _fleet(ca: CertificateAuthority, successor: CertificateAuthority | None) -> RollStep:
    title = gettext_noop("The fleet moves")
    if successor is None:
        return RollStep(title, StepState.NEXT, "")
    old, new = (_live(one) for one in (ca, successor))
    if not old or ca.status == Status.RETIRED:
        return RollStep(title, StepState.DONE, f"{count_in_words(new)} live certificates moved.")
    share = 100 * new // (old + new)
    said = (
        f"{count_in_words(old)} live certificates are still of {ca.name}, and "
        f"{count_in_words(new)} of {successor.name}{OF_THE_NEWEST}: {share} % moved. They move "
        "when they renew."
    )
    url = list_of(IssuedCertificate, ca__id__exact=str(ca.pk))
    return RollStep(title, StepState.WAITING, said, url)


def _live(ca: CertificateAuthority) -> int:
    """Return how many of the newest certificates of ``ca`` are live: no index has the CA."""
    return count_up_to(live_among(newest_of(ca, IssuedCertificate.objects.all())))


def _retirement(ca: CertificateAuthority) -> RollStep:
    title, command = "Retire the old CA", f"manage.py retire_ca {ca.name} --reason ..."
    if ca.status == Status.RETIRED:
        return RollStep(title, StepState.DONE, f"{ca.name} is neither trusted nor published.")
    said = f"{ca.name} has done its part. The operation counts once more who depends on it."
    return RollStep(title, StepState.NEXT, said, _operation(ca, "retire", back_to=ca), command)


def _operation(ca: CertificateAuthority, slug: str, *, back_to: CertificateAuthority | None) -> str:
    """Return the address of an operation on ``ca`` that leads back to the roll of ``back_to``."""
    url = reverse(f"admin:pki_certificateauthority_{slug}", args=[ca.pk])
    if back_to is None:
        return url
    back = reverse("admin:console_ca_roll", args=[back_to.pk])
    return f"{url}?{urlencode({BACK: back})}"
