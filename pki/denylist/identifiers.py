"""What one request shows of itself and of the certificates that it is tied to.

An entry of the denylist names a request by any of these. ``pki.denylist.kinds`` says which of them
each kind of entry is compared with.
"""

from dataclasses import dataclass
from typing import Final

from pki.models import IssuedCertificate


@dataclass(frozen=True, slots=True)
class CertificateIdentifiers:
    """What an entry can match of one certificate. "" stands for what is not known of it."""

    common_name: str = ""
    device_serial: str = ""
    key_sha256: str = ""
    fingerprint: str = ""
    serial_number: str = ""
    signed_sha256: str = ""
    """SHA-256 of its signed part, of a client's certificate."""
    other_fingerprint: str = ""
    """The fingerprint that a rewritten ECDSA signature would give it, of a client's certificate."""

    @classmethod
    def of_row(cls, row: IssuedCertificate | None) -> "CertificateIdentifiers":
        """Return those of a certificate on record, or none of them without a row."""
        if row is None:
            return NO_CERTIFICATE
        return cls(
            common_name=row.common_name,
            device_serial=row.device_serial,
            key_sha256=row.key_sha256,
            fingerprint=row.fingerprint_sha256 or "",
            serial_number=row.serial_number,
        )


NO_CERTIFICATE: Final = CertificateIdentifiers()


@dataclass(frozen=True, slots=True)
class RequestIdentifiers:
    """What an entry can match of one request: its CSR, its client, the certificate to be renewed.

    A rule that names any of them names the request. So a denied key neither is certified nor
    authenticates a client, and a denied device does not renew by way of another certificate.
    """

    common_name: str
    """The CSR's, as are the next two."""
    device_serial: str = ""
    key_sha256: str = ""
    client: CertificateIdentifiers = NO_CERTIFICATE
    """The certificate that authenticates the client."""
    client_record: CertificateIdentifiers = NO_CERTIFICATE
    """What is on record of the client's certificate, which may differ from what it says."""
    on_file: CertificateIdentifiers = NO_CERTIFICATE
    """The certificate to be renewed."""

    @classmethod
    def of_device(cls, certificate: IssuedCertificate) -> "RequestIdentifiers":
        """Return what a request shows that ``certificate`` itself authenticates."""
        return cls(
            common_name=certificate.common_name,
            device_serial=certificate.device_serial,
            key_sha256=certificate.key_sha256,
            client=CertificateIdentifiers.of_row(certificate),
        )

    @classmethod
    def of_renewal(cls, certificate: IssuedCertificate) -> "RequestIdentifiers":
        """Return what a renewal of ``certificate`` shows, sent by the client that enrolled it."""
        return cls(
            common_name=certificate.common_name,
            device_serial=certificate.device_serial,
            key_sha256=certificate.key_sha256,
            client=CertificateIdentifiers(
                fingerprint=certificate.client_fingerprint,
                signed_sha256=certificate.client_signed_sha256,
            ),
            on_file=CertificateIdentifiers.of_row(certificate),
        )
