"""Making AWS IoT agree: for each goal, the calls that lead there from wherever it is.

The order within each is chosen so that a crash between any two calls leaves a device no worse
off, and the same calls again lead to the same end.
"""

import datetime
from collections.abc import Callable
from dataclasses import dataclass, replace

from cryptography import x509
from django.utils import timezone

from iotprov.provisioning.desired_state import DesiredState, Facts, Goal, Mode
from iotprov.provisioning.iot_certificates import (
    ACTIVE,
    INACTIVE,
    PENDING_ACTIVATION,
    REVOKED,
    Registry,
    RemoteCertificate,
    RemoteThing,
)
from iotprov.provisioning.outbox import Outcome
from iotprov.provisioning.things import find_thing, make_thing
from iotprov.template.planned_thing import PlannedThing

WAIT_FOR_SUCCESSOR = datetime.timedelta(hours=1)
"""How often it is asked whether the successor is ready, before the predecessor is stopped."""

WAIT_FOR_JITP = datetime.timedelta(minutes=1)
"""JITP, once it has begun, may still write ACTIVE over what we wrote."""


@dataclass(frozen=True, slots=True)
class Registration:
    """One certificate at one target, with what it takes to register it."""

    facts: Facts
    wanted: DesiredState
    registry: Registry
    plan: Callable[[x509.Certificate], PlannedThing]
    """What the template makes of a certificate. Raises ``DocumentError``."""
    remember_thing: Callable[[str], None]
    """Puts on record, for good, that the thing about to be made is ours."""
    is_thing_ours: bool = False

    def carry_out(self) -> Outcome:
        """Make AWS IoT hold what is wanted; returns what it holds.

        Raises ``RemoteFailure`` or ``DocumentError``, with the work done as far as it got.
        """
        steps = {
            Goal.NOTHING: self._nothing,
            Goal.LEFT_TO_JITP: self._leave_to_jitp,
            Goal.PROVISIONED: self._provision,
            Goal.RENEWED: self._renew,
            Goal.SUSPENDED: self._suspend,
            Goal.DETACHED: self._detach,
            Goal.REVOKED: self._revoke,
            Goal.REMOVED: self._remove,
        }
        return steps[self.wanted.goal]()

    # Goals

    def _nothing(self) -> Outcome:
        return Outcome(note="its profile says that AWS IoT isn't told")

    def _provision(self) -> Outcome:
        """Register, policies, thing: a device has no rights before the last of them."""
        plan = self.plan(self._certificate)
        held = self._registered(plan.certificate_status)
        if held.status == REVOKED:
            return self._told(held)
        for name in plan.policy_names:
            self.registry.attach_policy(name, held)
        make_thing(
            self.registry,
            plan,
            is_ours=self.is_thing_ours,
            before_making=self.remember_thing,
        )
        self.registry.attach_thing(RemoteThing(plan.thing_name, plan.principal_type), held)
        held = self.registry.set_status(held, plan.certificate_status)
        return self._told(held, thing_name=plan.thing_name)

    def _renew(self) -> Outcome:
        """As its predecessor is: found first, so that nothing is registered to no purpose."""
        source = self._find_source()
        if source is None:
            return self._without_predecessor()
        things, policies = source
        held = self._registered(ACTIVE)
        if held.status == REVOKED:
            return self._told(held)
        for name in policies or self.plan(self._certificate).policy_names:
            self.registry.attach_policy(name, held)
        for thing in things:
            self.registry.attach_thing(thing, held)
        held = self.registry.set_status(held, ACTIVE)
        return self._told(held, thing_name=things[0].name)

    def _find_source(self) -> tuple[tuple[RemoteThing, ...], tuple[str, ...]] | None:
        """Things and policies of the newest earlier certificate that is attached to any thing."""
        for certificate_id in self.facts.predecessors:
            earlier = self.registry.find(certificate_id)
            if earlier is None:
                continue
            things = self.registry.things_of(earlier)
            if things:
                return things, self.registry.policies_of(earlier)
        return None

    def _without_predecessor(self) -> Outcome:
        """No earlier certificate has a thing here: never connected, or from another system.

        A thing of the name that the template gives is the device's, whoever made it.
        """
        plan = self.plan(self._certificate)
        if self._mode == Mode.REGISTER or find_thing(self.registry, plan.thing_name) is not None:
            return self._provision()
        # Registered without a thing, it would be refused, and JITP wouldn't touch it.
        outcome = self._leave_to_jitp()
        return replace(
            outcome,
            note=f"AWS IoT has no thing {plan.thing_name} here, nor its earlier certificate: "
            "JITP makes the thing when the device connects",
        )

    def _leave_to_jitp(self) -> Outcome:
        """Undo what stopped it, if it was stopped: a denylist entry that is gone, say."""
        held = self._find()
        if held is None:
            return self._told(None)
        if held.status == INACTIVE:
            if not self.registry.things_of(held):
                # Registered by us before it ever connected: JITP takes only what isn't known.
                self.registry.detach(held)
                self.registry.delete(held)
                return self._told(None)
            held = self.registry.set_status(held, ACTIVE)
        return self._told(held)

    def _suspend(self) -> Outcome:
        held = self._found_or_registered(INACTIVE)
        if held is None:
            return self._told(None)
        if held.status == ACTIVE and self.wanted.successor and not self._is_successor_ready():
            return replace(
                self._told(held, note="still ACTIVE: its successor isn't ACTIVE with a thing yet"),
                next_attempt_at=self._sooner(self._patience_with_successor()),
            )
        return self._told(self.registry.set_status(held, INACTIVE), before=held)

    def _patience_with_successor(self) -> datetime.timedelta:
        """Longer the longer it has taken: a device that is gone mustn't cost calls each hour."""
        superseded_at = self.facts.certificate.superseded_at or timezone.now()
        return max(WAIT_FOR_SUCCESSOR, (timezone.now() - superseded_at) / 8)

    def _is_successor_ready(self) -> bool:
        """Make before break: whether the device can already connect with its new certificate."""
        successor = self.registry.find(self.wanted.successor)
        return (
            successor is not None
            and successor.status == ACTIVE
            and bool(self.registry.things_of(successor))
        )

    def _detach(self) -> Outcome:
        return self._stop_and_detach(INACTIVE)

    def _revoke(self) -> Outcome:
        return self._stop_and_detach(REVOKED)

    def _stop_and_detach(self, status: str) -> Outcome:
        """Status first: that is what disconnects the device."""
        held = self._found_or_registered(status)
        if held is None:
            return self._told(None, thing_name="")
        stopped = self.registry.set_status(held, status)
        self.registry.detach(stopped)
        return self._told(stopped, before=held, thing_name="")

    def _remove(self) -> Outcome:
        held = self._find()
        if held is not None:
            stopped = self.registry.set_status(held, INACTIVE)
            self.registry.detach(stopped)
            self.registry.delete(stopped)
        return self._told(None, thing_name="")

    # Steps

    @property
    def _certificate(self) -> x509.Certificate:
        return self.facts.certificate.to_x509()

    @property
    def _mode(self) -> str:
        profile = self.facts.certificate.profile
        return profile.iot_provisioning if profile else Mode.NONE

    def _find(self) -> RemoteCertificate | None:
        """The certificate as AWS IoT has it; its ID there is the SHA-256 of its DER."""
        return self.registry.find(self.facts.certificate.fingerprint_sha256 or "")

    def _registered(self, status: str) -> RemoteCertificate:
        return self.registry.register(
            self._certificate, self.facts.certificate.ca.certificate, status=status
        )

    def _found_or_registered(self, status: str) -> RemoteCertificate | None:
        """The certificate, made known as stopped where JITP would bring an unknown one to life."""
        held = self._find()
        if held is None and self.wanted.is_registered_if_unknown:
            return self._registered(status)
        return held

    def _told(
        self,
        held: RemoteCertificate | None,
        *,
        thing_name: str | None = None,
        note: str = "",
        before: RemoteCertificate | None = None,
    ) -> Outcome:
        """What AWS IoT holds now. ``before`` is what it held, where JITP may be at work."""
        until = self.wanted.until
        if before is not None and before.status == PENDING_ACTIVATION:
            until = self._sooner(WAIT_FOR_JITP)
        if held is None:
            return Outcome(thing_name=thing_name, note=note, next_attempt_at=until)
        is_revoked_elsewhere = held.status == REVOKED and self.wanted.goal is not Goal.REVOKED
        if is_revoked_elsewhere and not note:
            note = "AWS IoT has it REVOKED, which we never undo: enroll the device anew"
        return Outcome(
            aws_certificate_id=held.certificate_id,
            aws_status=held.status,
            thing_name=thing_name,
            note=note,
            next_attempt_at=until,
        )

    def _sooner(self, pause: datetime.timedelta) -> datetime.datetime:
        soon = timezone.now() + pause
        return min(soon, self.wanted.until) if self.wanted.until else soon
