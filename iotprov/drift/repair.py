"""Mending what drift found and is ours, by the services that made it in the first place."""

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
"""Certificates whose rows of the outbox are written in a transaction."""

_DOCUMENTS = {
    Kind.POLICY: DocumentVersion.Kind.POLICY,
    Kind.TEMPLATE: DocumentVersion.Kind.TEMPLATE,
    Kind.ROLE: DocumentVersion.Kind.TEMPLATE,  # takes its role along
}


class Repair:
    """Mends a target, difference by difference; ``finish`` carries out the certificates.

    What isn't ours is left alone, and so is what the outbox has just begun with. Each difference
    has a row on the audit trail, with the reason, beside those of the services that mend it.
    """

    def __init__(self, target: IoTTarget, *, actor: Actor, reason: str) -> None:
        if not reason.strip():
            raise OperatorError("say why AWS IoT is mended: a reason is kept on the audit trail")
        self._target = target
        self._actor = actor
        self._reason = reason.strip()
        self._waiting: list[Difference] = []

    def mend(self, difference: Difference) -> bool:
        """Mend a difference, or put it down for ``finish``; returns whether it is ours to mend.

        Raises ``OperatorError``, ``RemoteFailure`` among them, with the difference as it was.
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
        """Let the outbox carry out what was put down, and whatever else is due at the target."""
        self._enqueue()
        return drain(target=self._target.name)

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
