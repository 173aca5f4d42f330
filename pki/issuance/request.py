"""One enrollment request, from the EST operation to the signature."""

import hashlib
from dataclasses import dataclass

from pki.csr.check import ParsedCSR
from pki.csr.thing_names import fold_name
from pki.denylist.identifiers import CertificateIdentifiers, RequestIdentifiers
from pki.issuance.client_authentication import Client
from pki.models import IssuedCertificate
from pki.record.audit_trail import Actor
from pki.record.snapshot import ProfileSnapshot

Operation = IssuedCertificate.Operation


@dataclass(frozen=True, slots=True)
class EnrollmentRequest:
    """A checked CSR, the client that sent it, the operation, and the profile. Nothing is HTTP."""

    csr: ParsedCSR
    client: Client
    profile: ProfileSnapshot
    operation: Operation
    """``ENROLL`` (RFC 7030 4.2.1) or ``REENROLL`` (RFC 7030 4.2.2).

    A device certificate that asks for its own name by simpleenroll asks for a renewal. So the
    request is a ``REENROLL``, and all that holds for renewals holds for it.
    """
    source_ip: str | None = None
    request_id: str = ""
    tenant_id: str = ""
    """The query's ``tenant-id``, which signers and hooks get; "" if there is none."""

    def __post_init__(self) -> None:
        if self.client.is_device and fold_name(self.client.common_name) == self.name_folded:
            object.__setattr__(self, "operation", Operation.REENROLL)

    @property
    def actor(self) -> Actor:
        """The client, for the audit trail."""
        return Actor.client(self.client.fingerprint, self.request_id, self.source_ip)

    @property
    def idempotency_key(self) -> str:
        """Idempotency key: equal for a repeated request (same CSR, client, profile, operation)."""
        parts = (self.client.fingerprint, self.profile.row.name, self.operation)
        return hashlib.sha256(self.csr.der + "\0".join(parts).encode()).hexdigest()

    @property
    def name_folded(self) -> str:
        """The thing name in the form in which names are compared."""
        return fold_name(self.csr.common_name)

    @property
    def current_name(self) -> str:
        """Profile and thing name, for which one certificate at most is current."""
        return f"{self.profile.row.name}:{self.name_folded}"

    def identifiers(
        self, on_file: IssuedCertificate | None, device_serial: str
    ) -> RequestIdentifiers:
        """Return what the denylist may name: of the CSR, the client and the certificate on file.

        ``device_serial`` is the one that the new certificate is recorded with.
        """
        return RequestIdentifiers(
            common_name=self.csr.common_name,
            device_serial=device_serial,
            key_sha256=self.csr.key_sha256,
            client=CertificateIdentifiers(
                common_name=self.client.common_name,
                device_serial=self.client.device_serial,
                key_sha256=self.client.key_sha256,
                fingerprint=self.client.fingerprint,
                serial_number=self.client.serial_number,
                signed_sha256=self.client.signed_sha256,
                other_fingerprint=self.client.other_fingerprint,
            ),
            client_record=CertificateIdentifiers.of_row(self.client.record),
            on_file=CertificateIdentifiers.of_row(on_file),
        )
