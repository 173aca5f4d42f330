"""Writes the outbox's rows, in the transaction that records the change."""

import uuid

from iotprov.provisioning import outbox
from iotprov.provisioning.desired_state import Mode, end_of_use, needs_provisioning_at_issue
from pki.denylist.entries import certificates_named
from pki.models import IssuedCertificate
from pki.record.observers import CertificateObserver


class OutboxWriter(CertificateObserver):
    """Says of each change that AWS IoT may not agree any more.

    The first enrollment of a device that AWS IoT will make a thing of by itself (JITP) writes
    nothing, and costs nothing.
    """

    def issued(self, certificate: IssuedCertificate, replaced: uuid.UUID | None) -> None:
        """The new certificate has to be registered, the replaced one to be stopped in time."""
        profile = certificate.profile
        if profile is None or profile.iot_provisioning == Mode.NONE:
            return
        if needs_provisioning_at_issue(certificate.operation, profile.iot_provisioning):
            outbox.enqueue_new(certificate.pk)
        if replaced is not None:
            stepped_back = IssuedCertificate.objects.defer("csr_der", "der")
            outbox.schedule(
                replaced, end_of_use(stepped_back.select_related("profile").get(pk=replaced))
            )

    def revoked(self, certificate: IssuedCertificate) -> None:
        """Whether AWS IoT knows it or not: unknown, it would come to life by JITP."""
        profile = certificate.profile
        if profile is not None and profile.iot_provisioning != Mode.NONE:
            outbox.enqueue([certificate.pk], is_urgent=True)

    def denylist_changed(self, kind: str, value: str) -> None:
        """What an entry names has to stop, or may go on."""
        named = certificates_named(kind, value).live().exclude(profile=None)
        named = named.exclude(profile__iot_provisioning=Mode.NONE)
        outbox.enqueue(list(named.values_list("pk", flat=True)), is_urgent=True)
