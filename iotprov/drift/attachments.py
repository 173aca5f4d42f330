"""Comparison of a certificate's thing and policies in AWS IoT with the record."""

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

_UNATTACHED_GOALS = frozenset({Goal.REVOKED, Goal.DETACHED})
_ATTACHED_GOALS = frozenset({Goal.PROVISIONED, Goal.RENEWED, Goal.LEFT_TO_JITP})

_DETACH = "Detach it in AWS IoT, unless it is there on purpose."

Plan = Callable[[IssuedCertificate], PlannedThing]


def attachment_differences(
    target_name: str, expected: Expected, listed: Listed, paced: PacedRegistry, plan: Plan
) -> Iterator[Difference]:
    """Compare the things and policies of one certificate, by two calls. Raises ``RemoteFailure``.

    A revoked or detached certificate has no attachments. An ACTIVE one has the thing on record, or
    else the template's, and the template's policies. A renewed one has its predecessor's policies,
    so it is only checked that it has any. A repair never detaches what another party attached.
    """
    # Step 1: whether the goal says anything about attachments.
    goal = expected.desired.goal
    is_attached = goal in _ATTACHED_GOALS and listed.status == ACTIVE
    if not is_attached and goal not in _UNATTACHED_GOALS:
        return

    # Step 2: AWS's side.
    remote = RemoteCertificate(listed.certificate_id, listed.arn, listed.status, "")
    things = {thing.name for thing in paced.ask(lambda registry: registry.things_of(remote))}
    policies = set(paced.ask(lambda registry: registry.policies_of(remote)))
    comparison = _Attachments(target_name, expected)
    if not is_attached:
        yield from comparison.attached_to_nothing(things, policies)
        return

    # Step 3: the template's side, and the comparison.
    try:
        planned = plan(expected.certificate)
    except TemplateError as error:
        yield comparison.difference(
            "what the template makes of it", _in_words(things, policies), False, str(error)
        )
        return
    yield from comparison.thing(things, planned)
    yield from comparison.policies(policies, planned)


class _Attachments:
    """The comparison for one certificate."""

    def __init__(self, target_name: str, expected: Expected) -> None:
        self._target_name = target_name
        self._expected = expected
        self._goal = expected.desired.goal

    def attached_to_nothing(self, things: set[str], policies: set[str]) -> Iterator[Difference]:
        if things or policies:
            yield self.difference("", _in_words(things, policies), True, MENDED_BY_REPAIR)

    def thing(self, things: set[str], planned: PlannedThing) -> Iterator[Difference]:
        row = self._expected.row
        name = (row.thing_name if row else "") or planned.thing_name
        if name not in things:
            is_ours, advice = self._is_mended(is_planned=name == planned.thing_name)
            yield self.difference(f"thing {name}", _in_words(things, set()), is_ours, advice)
        if self._goal is not Goal.RENEWED and (others := things - {name}):
            yield self.difference("", _in_words(others, set()), False, _DETACH)

    def policies(self, policies: set[str], planned: PlannedThing) -> Iterator[Difference]:
        expected = set(planned.policy_names)
        if self._goal is Goal.RENEWED and policies:
            return
        if missing := expected - policies:
            is_ours, advice = self._is_mended(is_planned=True)
            yield self.difference(_in_words(set(), missing), "", is_ours, advice)
        if others := policies - expected:
            yield self.difference("", _in_words(set(), others), False, _DETACH)

    def _is_mended(self, *, is_planned: bool) -> tuple[bool, str]:
        """Return whether a repair attaches what is missing, and the advice."""
        if self._goal is Goal.LEFT_TO_JITP:
            return False, (
                "JITP attached it, and not this server. Delete the certificate in AWS IoT. JITP "
                "registers it again when the device connects."
            )
        if not is_planned and self._goal is Goal.PROVISIONED:
            return False, "The template would give it another thing now. Attach it in AWS IoT."
        return True, MENDED_BY_REPAIR

    def difference(self, ours: str, theirs: str, is_ours: bool, advice: str) -> Difference:
        """Return a difference. ``ours`` and ``theirs`` are attachments in words, "" for none."""
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


def _in_words(things: set[str], policies: set[str]) -> str:
    words = [f"thing {name}" for name in sorted(things)]
    return ", ".join([*words, *(f"policy {name}" for name in sorted(policies))])
