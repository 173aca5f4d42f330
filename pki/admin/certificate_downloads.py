"""Files of certificates: one certificate in several forms, and a list as CSV."""

from collections.abc import Iterator

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from django.db.models import QuerySet

from pki.admin.downloads import Download, file_name, pem_text
from pki.jobs.certificate_files import csv_header, csv_rows
from pki.models import IssuedCertificate


def _file(row: IssuedCertificate, suffix: str, media_type: str, contents: bytes) -> Download:
    name = file_name(row.common_name, row.serial_number, suffix=suffix)
    return Download(name, media_type, contents)


def pem(row: IssuedCertificate) -> Download | None:
    """Return the certificate in PEM; ``None`` before it is signed."""
    if row.der is None:
        return None
    return _file(row, "pem", "application/x-pem-file", row.pem.encode())


def der(row: IssuedCertificate) -> Download | None:
    """Return the certificate in DER; ``None`` before it is signed."""
    if row.der is None:
        return None
    return _file(row, "cer", "application/pkix-cert", bytes(row.der))


def chain(row: IssuedCertificate) -> Download | None:
    """Return the certificate and its CAs in PEM; ``None`` before it is signed."""
    if row.der is None:
        return None
    return _file(row, "chain.pem", "application/pem-certificate-chain", pem_text(_with_chain(row)))


def pkcs7_bundle(row: IssuedCertificate) -> Download | None:
    """Return the certificate and its CAs as PKCS #7 (RFC 2315); ``None`` before it is signed."""
    if row.der is None:
        return None
    bundle = pkcs7.serialize_certificates(_with_chain(row), Encoding.DER)
    return _file(row, "p7b", "application/pkcs7-mime", bundle)


def _with_chain(row: IssuedCertificate) -> list[x509.Certificate]:
    return [row.to_x509(), row.ca.certificate, *row.ca.chain]


def csr(row: IssuedCertificate) -> Download:
    """Return the CSR in DER (RFC 2986)."""
    return _file(row, "csr", "application/pkcs10", bytes(row.csr_der))


def csv_lines(rows: QuerySet[IssuedCertificate]) -> Iterator[str]:
    """Yield a header, and a line for each certificate. No cell begins as a formula does."""
    yield csv_header()
    yield from csv_rows(rows)
