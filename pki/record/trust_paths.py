"""Which certificates and CAs lead to a CA: by signature, or because they have its key.

A CA that is distrusted must not come back by another way: as an intermediate below a root that is
trusted, as another certificate over the same key, or above an intermediate that is on record.
"""

from collections.abc import Iterable, Sequence

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from pki.csr.public_keys import public_key_sha256
from pki.encoding.certificates import is_signed_by
from pki.models import CertificateAuthority


def leads_to(path: Iterable[x509.Certificate], ca: CertificateAuthority) -> bool:
    """Return whether ``ca`` signed a certificate of ``path``, or one of them has its key."""
    return any(_has_key(one, ca) or is_signed_by(one, ca.certificate) for one in path)


def _has_key(certificate: x509.Certificate, ca: CertificateAuthority) -> bool:
    try:
        return public_key_sha256(certificate.public_key()) == ca.key_sha256
    except (ValueError, UnsupportedAlgorithm):
        return False


def authorities_leading_to(
    ca: CertificateAuthority, others: Iterable[CertificateAuthority]
) -> list[CertificateAuthority]:
    """Return ``ca``, and those of ``others`` that lead to it, also through each other."""
    found, rest = [ca], [other for other in others if other.pk != ca.pk]
    while newly := [row for row in rest if _leads_to_any(row, found)]:
        found += newly
        rest = [row for row in rest if row not in newly]
    return found


def _leads_to_any(row: CertificateAuthority, to: Sequence[CertificateAuthority]) -> bool:
    path = [row.certificate, *row.chain]
    return any(leads_to(path, ca) for ca in to)


def distrusted_ca_of(row: CertificateAuthority) -> CertificateAuthority | None:
    """Return a distrusted CA on record that ``row``, which need not be saved, leads to, if any."""
    path = [row.certificate, *row.chain]
    distrusted = CertificateAuthority.objects.distrusted()
    return next((ca for ca in distrusted if leads_to(path, ca)), None)
