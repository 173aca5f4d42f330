"""Repair of differences, by the services that made the resources in the first place."""

from iotprov.authorities.ca_registration import register_ca
from iotprov.conf import IoTTarget
from iotprov.documents.push import push
from iotprov.drift.differences import Difference, Kind
from iotprov.models import CARegistration, DocumentVersion
from iotprov.provisioning.outbox import enqueue
from iotprov.provisioning.worker import Drained, drain
from pki.models import CertificateAuthority
from pki.operators.errors import OperatorError
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.record.transactions import in_write_transaction

BATCH = 100
"""How many certificates' outbox rows are written in one transaction."""

_DOCUMENTS = {
    Kind.POLICY: DocumentVersion.Kind.POLICY,
    Kind.TEMPLATE: DocumentVersion.Kind.TEMPLATE,
    Kind.ROLE: DocumentVersion.Kind.TEMPLATE,  # a push of the template makes the role too
}


class Repair:
    """Repairs a target, difference by difference. ``finish`` carries out the certificates.

    A difference that is not this server's to repair is left alone, and so is one that the outbox
    has just begun with. Each repair has a row on the audit trail, with the reason, beside the rows
    of the services that carry it out.
    """

    def __init__(self, target: IoTTarget, *, actor: Actor, reason: str) -> None:
        if not reason.strip():
            raise OperatorError(
                "A repair needs a reason (--reason). The reason is kept on the audit trail."
            )
        self._target = target
        self._actor = actor
        self._reason = reason.strip()
        self._waiting: list[Difference] = []

    def mend(self, difference: Difference) -> bool:
        """Repair a difference, or keep it for ``finish``; returns whether it can be repaired.

        Raises ``OperatorError``, of which ``RemoteFailure`` is one. The difference then remains.
        """
        if not difference.is_ours or difference.is_under_way:
            return False
        if difference.kind in (Kind.CERTIFICATE, Kind.THING):
            self._waiting.append(difference)
            if len(self._waiting) >= BATCH:
                self._enqueue()
            return True
        in_write_transaction(lambda: self._record(difference))
        if difference.kind is Kind.CA:
            self._register(difference)
        else:
            push(_DOCUMENTS[difference.kind], self._target, actor=self._actor)
        return True

    def finish(self) -> Drained:
        """Give the kept differences to the outbox, and work on every row due at the target."""
        self.hand_over()
        return drain(target=self._target.name)

    def hand_over(self) -> None:
        """Give the kept differences to the outbox, which the schedule works on."""
        if self._waiting:
            self._enqueue()

    def _register(self, difference: Difference) -> None:
        ca = CertificateAuthority.objects.get(name=difference.name)
        row = register_ca(ca, self._target, actor=self._actor)
        if row.state == CARegistration.State.FAILED:
            raise OperatorError(row.error)

    def _enqueue(self) -> None:
        def write() -> None:
            for one in self._waiting:
                ids = [one.certificate_id] if one.certificate_id else []
                enqueue(ids, is_urgent=one.is_alarming, targets=[self._target.name])
                self._record(one)

        in_write_transaction(write)
        self._waiting = []

    def _record(self, difference: Difference) -> None:
        audit_trail.record(
            "repair-drift",
            actor=self._actor,
            target=f"{difference.kind.name.lower()}:{difference.name}@{self._target.name}",
            reason=self._reason,
            before={"aws": difference.theirs},
            after={"aws": difference.ours},
        )
