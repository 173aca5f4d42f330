"""What a certificate is attached to in AWS IoT: its thing, its policies."""

from collections.abc import Callable, Iterator

from iotprov.drift.differences import MENDED_BY_REPAIR, Difference, Direction, Kind
from iotprov.drift.expected import Expected
from iotprov.drift.listing import Listed
from iotprov.drift.paced import PacedRegistry
from iotprov.exceptions import TemplateError
from iotprov.provisioning.desired_state import Goal
from iotprov.provisioning.iot_certificates import ACTIVE, RemoteCertificate
from iotprov.template.planned_thing import PlannedThing
from pki.models import IssuedCertificate

_STOPPED = frozenset({Goal.REVOKED, Goal.DETACHED})
_WORKING = frozenset({Goal.PROVISIONED, Goal.RENEWED, Goal.LEFT_TO_JITP})

Plan = Callable[[IssuedCertificate], PlannedThing]


def attachment_differences(
    target_name: str, expected: Expected, listed: Listed, paced: PacedRegistry, plan: Plan
) -> Iterator[Difference]:
    """Compare what one certificate is attached to; two calls. Raises ``RemoteFailure``.

    One that was stopped is attached to nothing. One that works has the thing on record, or the
    template's, and the template's policies; a renewed one has what its predecessor had, so of its
    policies it is only seen that there are any. What somebody attached besides isn't ours to
    detach.
    """
    goal = expected.wanted.goal
    is_working = goal in _WORKING and listed.status == ACTIVE
    if not is_working and goal not in _STOPPED:
        return
    held = RemoteCertificate(listed.certificate_id, listed.arn, listed.status, "")
    things = {thing.name for thing in paced.ask(lambda registry: registry.things_of(held))}
    policies = set(paced.ask(lambda registry: registry.policies_of(held)))
    comparison = _Attachments(target_name, expected)
    if not is_working:
        yield from comparison.attached_to_nothing(things, policies)
        return
    try:
        planned = plan(expected.certificate)
    except TemplateError as error:
        yield comparison.difference(
            "what the template makes of it", _said(things, policies), False, str(error)
        )
        return
    yield from comparison.thing(things, planned)
    yield from comparison.policies(policies, planned)


class _Attachments:
    """One certificate's."""

    def __init__(self, target_name: str, expected: Expected) -> None:
        self._target_name = target_name
        self._expected = expected
        self._goal = expected.wanted.goal

    def attached_to_nothing(self, things: set[str], policies: set[str]) -> Iterator[Difference]:
        if things or policies:
            yield self.difference("", _said(things, policies), True, MENDED_BY_REPAIR)

    def thing(self, things: set[str], planned: PlannedThing) -> Iterator[Difference]:
        row = self._expected.row
        name = (row.thing_name if row else "") or planned.thing_name
        if name not in things:
            is_ours, advice = self._is_mended(is_planned=name == planned.thing_name)
            yield self.difference(f"thing {name}", _said(things, set()), is_ours, advice)
        if self._goal is not Goal.RENEWED and (others := things - {name}):
            yield self.difference(
                "", _said(others, set()), False, "detach it in AWS IoT, if nobody means it"
            )

    def policies(self, policies: set[str], planned: PlannedThing) -> Iterator[Difference]:
        wanted = set(planned.policy_names)
        if self._goal is Goal.RENEWED and policies:
            return
        if missing := wanted - policies:
            is_ours, advice = self._is_mended(is_planned=True)
            yield self.difference(_said(set(), missing), "", is_ours, advice)
        if others := policies - wanted:
            yield self.difference(
                "", _said(set(), others), False, "detach it in AWS IoT, if nobody means it"
            )

    def _is_mended(self, *, is_planned: bool) -> tuple[bool, str]:
        """Whether a repair attaches what is missing, and what to do."""
        if self._goal is Goal.LEFT_TO_JITP:
            return False, (
                "AWS IoT made its thing, not we: delete the certificate there, and JITP does so "
                "again when the device connects"
            )
        if not is_planned and self._goal is Goal.PROVISIONED:
            return False, "the template would give it another one now: attach it in AWS IoT"
        return True, MENDED_BY_REPAIR

    def difference(self, ours: str, theirs: str, is_ours: bool, advice: str) -> Difference:
        """``ours`` and ``theirs`` are what it is attached to; "" for nothing."""
        direction = Direction.DIFFERS
        if not theirs:
            direction = Direction.HERE_ONLY
        elif not ours:
            direction = Direction.AWS_ONLY
        return Difference(
            self._target_name,
            Kind.THING,
            str(self._expected.certificate),
            ours,
            theirs,
            direction,
            is_ours,
            advice,
            certificate_id=self._expected.certificate.pk,
        )


def _said(things: set[str], policies: set[str]) -> str:
    said = [f"thing {name}" for name in sorted(things)]
    return ", ".join([*said, *(f"policy {name}" for name in sorted(policies))])
