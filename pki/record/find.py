"""Find CAs and profiles by the name that an operator types, and CAs by their certificate."""

from cryptography import x509
from django.db.models import Q

from pki.encoding.certificates import fingerprint_of
from pki.models import CertificateAuthority, CertificateProfile
from pki.operators.errors import OperatorError


def find_authority(name: str) -> CertificateAuthority:
    """Return the CA of that name. Raises ``OperatorError``, with the known names, if none."""
    ca = CertificateAuthority.objects.filter(name=name).first()
    if ca is None:
        known = ", ".join(CertificateAuthority.objects.values_list("name", flat=True)) or "none yet"
        raise OperatorError(f"There is no CA {name!r}. Known CAs: {known}.")
    return ca


def authority_with_certificate(certificate: x509.Certificate) -> CertificateAuthority | None:
    """Return the CA on record with this very certificate; ``None`` if there is none."""
    fingerprint = fingerprint_of(certificate)
    return CertificateAuthority.objects.filter(fingerprint_sha256=fingerprint).first()


def find_profile(name: str) -> CertificateProfile:
    """Return the profile in force with that name or label.

    Raises ``OperatorError``, with the known names, if there is none.
    """
    in_force = CertificateProfile.objects.exclude(active_label=None).select_related("ca")
    # A label comes before a name, because devices use labels.
    found = list(in_force.filter(Q(label=name) | Q(name=name)))
    found.sort(key=lambda profile: profile.label != name)
    if not found:
        known = ", ".join(in_force.values_list("name", flat=True)) or "none yet"
        raise OperatorError(f"There is no profile {name!r}. Known profiles: {known}.")
    return found[0]
