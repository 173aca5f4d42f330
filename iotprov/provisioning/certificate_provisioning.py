"""Making AWS IoT agree with the record: for each goal, the calls that lead there.

The order of calls is chosen so that a crash between any two leaves a device no worse off, and so
that the same calls, made again, lead to the same end.
"""

import datetime
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from cryptography import x509
from django.utils import timezone

from iotprov.exceptions import ThingInUse
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
from iotprov.provisioning.leases import Outcome
from iotprov.provisioning.thing_holders import check_thing
from iotprov.provisioning.things import find_thing, make_thing
from iotprov.template.planned_thing import PlannedThing
from pki.operators.errors import RemoteFailure

logger = logging.getLogger(__name__)

WAIT_FOR_SUCCESSOR = datetime.timedelta(hours=1)
"""How long to wait for a successor to be ready before the predecessor is deactivated."""

WAIT_FOR_JITP = datetime.timedelta(minutes=1)
"""How long to wait for JITP, which may still overwrite a status with ACTIVE once it has begun."""


@dataclass(frozen=True, slots=True)
class CertificateProvisioning:
    """One certificate at one target, with everything that provisioning it takes."""

    facts: Facts
    desired: DesiredState
    registry: Registry
    plan: Callable[[x509.Certificate], PlannedThing]
    """Returns the thing that the template makes of a certificate. Raises ``DocumentError``."""
    remember_thing: Callable[[str], None]
    """Commits to the record that this server is about to make the thing of that name."""
    is_thing_ours: bool = False

    def carry_out(self) -> Outcome:
        """Make AWS IoT hold the desired state; returns what it holds.

        Raises ``RemoteFailure``, ``DocumentError`` or ``ThingInUse``. Calls made before that keep
        their effect.
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
        return steps[self.desired.goal]()

    # Goals

    def _nothing(self) -> Outcome:
        return Outcome(note="The profile says that AWS IoT is not told of it.")

    def _provision(self) -> Outcome:
        """Register it, attach policies, then the thing. A device has no rights before the end."""
        # Step 1: the thing, which may exist. Nothing is registered for a thing of another device.
        plan = self.plan(self._certificate)
        note = ""
        existing = find_thing(self.registry, plan.thing_name)
        if existing is not None:
            found = self._check_thing(plan.thing_name)
            note = "" if self.is_thing_ours else found

        # Step 2: the certificate and its policies.
        remote = self._registered(plan.certificate_status)
        if remote.status == REVOKED:
            return self._outcome(remote)
        for name in plan.policy_names:
            self.registry.attach_policy(name, remote)

        # Step 3: the thing, and the certificate attached to it.
        make_thing(
            self.registry,
            plan,
            existing,
            is_ours=self.is_thing_ours,
            before_making=self.remember_thing,
        )
        self.registry.attach_thing(RemoteThing(plan.thing_name, plan.principal_type), remote)
        if not plan.has_own_name:
            # Another device may have been attached at the same time. Of two, the later sees both.
            self._check_thing(plan.thing_name)
        remote = self.registry.set_status(remote, plan.certificate_status)
        return self._outcome(remote, thing_name=plan.thing_name, note=note)

    def _check_thing(self, thing_name: str) -> str:
        """Return what is known of the thing, and withdraw from one that is another device's.

        Raises ``ThingInUse``.
        """
        try:
            return check_thing(self.registry, thing_name, self.facts.certificate)
        except ThingInUse as refusal:
            remote = self._find() if refusal.is_attached else None
            try:
                if remote is not None:
                    self.registry.detach(self.registry.set_status(remote, INACTIVE))
            except RemoteFailure as failure:
                # Within a request this server has no right to detach. The schedule has it.
                logger.warning(
                    "%s stays attached to %s: %s", self.facts.certificate, thing_name, failure
                )
            raise

    def _renew(self) -> Outcome:
        """Attach it as its predecessor is, which is found before anything is registered."""
        source = self._find_source()
        if source is None:
            return self._without_predecessor()
        things, policies = source
        remote = self._registered(ACTIVE)
        if remote.status == REVOKED:
            return self._outcome(remote)
        for name in policies or self.plan(self._certificate).policy_names:
            self.registry.attach_policy(name, remote)
        for thing in things:
            self.registry.attach_thing(thing, remote)
        remote = self.registry.set_status(remote, ACTIVE)
        return self._outcome(remote, thing_name=things[0].name)

    def _find_source(self) -> tuple[tuple[RemoteThing, ...], tuple[str, ...]] | None:
        """Return things and policies of the newest earlier certificate that has a thing."""
        for certificate_id in self.facts.predecessors:
            earlier = self.registry.find(certificate_id)
            if earlier is None:
                continue
            things = self.registry.things_of(earlier)
            if things:
                return things, self.registry.policies_of(earlier)
        return None

    def _without_predecessor(self) -> Outcome:
        """Provision a renewal none of whose earlier certificates has a thing at this target.

        The device never connected, or was enrolled by another system. An existing thing of the
        name that the template gives is taken for the device's.
        """
        plan = self.plan(self._certificate)
        if self._mode == Mode.REGISTER or find_thing(self.registry, plan.thing_name) is not None:
            return self._provision()
        # Registered without a thing it would be refused, and JITP would not take it.
        outcome = self._leave_to_jitp()
        return replace(
            outcome,
            note=f"AWS IoT has no thing {plan.thing_name} here, nor its earlier certificate. "
            "JITP makes the thing when the device connects.",
        )

    def _leave_to_jitp(self) -> Outcome:
        """Leave it to JITP, and reactivate it if it was stopped by an entry since lifted."""
        remote = self._find()
        if remote is None:
            return self._outcome(None)
        if remote.status == INACTIVE:
            if not self.registry.things_of(remote):
                # Registered here before it ever connected: JITP takes only unknown certificates.
                self.registry.detach(remote)
                self.registry.delete(remote)
                return self._outcome(None)
            remote = self.registry.set_status(remote, ACTIVE)
        return self._outcome(remote)

    def _suspend(self) -> Outcome:
        remote = self._found_or_registered(INACTIVE)
        if remote is None:
            return self._outcome(None)
        if remote.status == ACTIVE and self.desired.successor and not self._is_successor_ready():
            return replace(
                self._outcome(
                    remote,
                    note="Still ACTIVE: its successor is not ACTIVE with a thing yet.",
                ),
                next_attempt_at=self._sooner(self._pause_for_successor()),
            )
        return self._outcome(self.registry.set_status(remote, INACTIVE), before=remote)

    def _pause_for_successor(self) -> datetime.timedelta:
        """Return a pause that grows with the wait, so that a lost device costs few calls."""
        superseded_at = self.facts.certificate.superseded_at or timezone.now()
        return max(WAIT_FOR_SUCCESSOR, (timezone.now() - superseded_at) / 8)

    def _is_successor_ready(self) -> bool:
        """Return whether the device can connect with its new certificate (make before break)."""
        successor = self.registry.find(self.desired.successor)
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
        """Set the status first, because the status is what disconnects the device."""
        remote = self._found_or_registered(status)
        if remote is None:
            return self._outcome(None, thing_name="")
        stopped = self.registry.set_status(remote, status)
        self.registry.detach(stopped)
        return self._outcome(stopped, before=remote, thing_name="")

    def _remove(self) -> Outcome:
        remote = self._find()
        if remote is not None:
            stopped = self.registry.set_status(remote, INACTIVE)
            self.registry.detach(stopped)
            self.registry.delete(stopped)
        return self._outcome(None, thing_name="")

    # Steps

    @property
    def _certificate(self) -> x509.Certificate:
        return self.facts.certificate.to_x509()

    @property
    def _mode(self) -> str:
        profile = self.facts.certificate.profile
        return profile.iot_provisioning if profile else Mode.NONE

    def _find(self) -> RemoteCertificate | None:
        """Return the certificate as AWS IoT has it. Its ID there is the SHA-256 of its DER."""
        return self.registry.find(self.facts.certificate.fingerprint_sha256 or "")

    def _registered(self, status: str) -> RemoteCertificate:
        return self.registry.register(
            self._certificate, self.facts.certificate.ca.certificate, status=status
        )

    def _found_or_registered(self, status: str) -> RemoteCertificate | None:
        """Return the certificate; register it as stopped where JITP would activate it."""
        remote = self._find()
        if remote is None and self.desired.is_registered_if_unknown:
            return self._registered(status)
        return remote

    def _outcome(
        self,
        remote: RemoteCertificate | None,
        *,
        thing_name: str | None = None,
        note: str = "",
        before: RemoteCertificate | None = None,
    ) -> Outcome:
        """Return what AWS IoT holds now; ``before`` is what it held, where JITP may be at work."""
        until = self.desired.until
        if before is not None and before.status == PENDING_ACTIVATION:
            until = self._sooner(WAIT_FOR_JITP)
        if remote is None:
            return Outcome(thing_name=thing_name, note=note, next_attempt_at=until)
        is_revoked_elsewhere = remote.status == REVOKED and self.desired.goal is not Goal.REVOKED
        if is_revoked_elsewhere and not note:
            note = "AWS IoT has it REVOKED, which this server never undoes. Enroll the device anew."
        return Outcome(
            aws_certificate_id=remote.certificate_id,
            aws_status=remote.status,
            thing_name=thing_name,
            note=note,
            next_attempt_at=until,
        )

    def _sooner(self, pause: datetime.timedelta) -> datetime.datetime:
        soon = timezone.now() + pause
        return min(soon, self.desired.until) if self.desired.until else soon
