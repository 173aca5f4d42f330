"""The certificate that a re-enrollment renews (RFC 7030 4.2.2), read once per request."""

from dataclasses import dataclass
from typing import Self

from cryptography import x509

from pki.encoding.certificates import san_of
from pki.issuance.client_authentication import Client
from pki.models import IssuedCertificate


@dataclass(frozen=True, slots=True)
class CertificateOnFile:
    """The record of the certificate to be renewed, and what the new certificate takes from it."""

    row: IssuedCertificate
    certificate: x509.Certificate
    subject: x509.Name
    san: x509.SubjectAlternativeName | None

    @classmethod
    def read(cls, row: IssuedCertificate, certificate: x509.Certificate | None = None) -> Self:
        """Read the certificate of ``row``, unless ``certificate`` is it, parsed already.

        Raises ``ValueError`` when the row has no certificate.
        """
        certificate = certificate or row.to_x509()
        return cls(row, certificate, certificate.subject, san_of(certificate.extensions))


def certificate_on_file(
    client: Client, current: IssuedCertificate | None
) -> CertificateOnFile | None:
    """Return the certificate that ``client`` may ask to renew, or None if there is none.

    A device renews the certificate that it authenticated with. Another client renews ``current``,
    the current certificate of the thing name.
    """
    if client.is_device:
        return CertificateOnFile.read(client.record, client.certificate) if client.record else None
    return CertificateOnFile.read(current) if current else None
