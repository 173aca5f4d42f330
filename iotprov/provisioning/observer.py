"""The observer that writes outbox rows, in the transaction that records a change."""

import uuid

from iotprov.provisioning import outbox
from iotprov.provisioning.ca_withdrawal import begin_withdrawal
from iotprov.provisioning.desired_state import Mode, end_of_use, needs_provisioning_at_issue
from iotprov.provisioning.impossible_things import record_obstacle
from iotprov.provisioning.profile_switch import check_switch
from pki.denylist.entries import certificates_named
from pki.models import CertificateAuthority, CertificateProfile, IssuedCertificate
from pki.record.observers import CertificateObserver


class OutboxWriter(CertificateObserver):
    """Records of each change that AWS IoT may no longer agree with the record.

    The first enrollment of a device that AWS IoT provisions by itself (JITP) writes no row.
    """

    def issued(self, certificate: IssuedCertificate, replaced: uuid.UUID | None) -> None:
        """Enqueue the new certificate's registration, and the end of the one it replaces."""
        profile = certificate.profile
        if profile is None or profile.iot_provisioning == Mode.NONE:
            return
        record_obstacle(certificate)
        if needs_provisioning_at_issue(certificate.operation, profile.iot_provisioning):
            outbox.enqueue_new(certificate.pk)
        if replaced is not None:
            stepped_back = IssuedCertificate.objects.defer("csr_der", "der")
            outbox.schedule(
                replaced, end_of_use(stepped_back.select_related("profile").get(pk=replaced))
            )

    def revoked(self, certificate: IssuedCertificate) -> None:
        """Enqueue it even if AWS IoT does not know it, because JITP would activate it."""
        profile = certificate.profile
        if profile is not None and profile.iot_provisioning != Mode.NONE:
            outbox.enqueue([certificate.pk], is_urgent=True)

    def denylist_changed(self, kind: str, *values: str) -> None:
        """Enqueue the live certificates that the changed entries match."""
        named = certificates_named(kind, *values).live().exclude(profile=None)
        named = named.exclude(profile__iot_provisioning=Mode.NONE)
        outbox.enqueue(list(named.values_list("pk", flat=True)), is_urgent=True)

    def profile_changes(self, before: CertificateProfile, after: CertificateProfile) -> None:
        """Refuse a change after which more devices would enroll and never become a thing."""
        check_switch(before, after)

    def trust_ended(self, ca: CertificateAuthority) -> None:
        """Record that AWS IoT has to follow; the certificates are enqueued by the schedule."""
        begin_withdrawal(ca)
