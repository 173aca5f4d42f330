"""Create a CA: a new key, and a self-signed certificate for it."""

import datetime

from cryptography import x509
from cryptography.x509.oid import NameOID
from django.utils import timezone

from pki.authorities.authority_rows import Purpose, authority_row, save_authority
from pki.authorities.ca_certificates import make_ca_certificate
from pki.authorities.signer_keys import key_signer, new_key
from pki.models import CertificateAuthority
from pki.record.audit_trail import Actor


def create_authority(
    purpose: Purpose,
    name: str,
    *,
    common_name: str,
    key_algorithm: str,
    validity: datetime.timedelta,
    signer: str,
    actor: Actor,
    key_reference: str = "",
) -> CertificateAuthority:
    """Generate a key with the signer ``signer`` and a self-signed CA certificate for it.

    With ``key_reference``, the certificate is for that key. The signer made it in a run that was
    cut off. Raises ``OperatorError`` when the signer stores no keys.
    """
    # Step 1: a key, which no CA on record has.
    its_signer = key_signer(signer)
    is_first = not CertificateAuthority.objects.filter(purpose=purpose).exists()
    reference = key_reference or its_signer.create_key(
        its_signer.key_name(purpose, name, is_first=is_first), key_algorithm
    )
    key = new_key(signer, reference)
    # Step 2: the certificate, which goes beside the key where the signer has a place for it.
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    now = timezone.now()
    certificate = make_ca_certificate(subject, key.public_key(), key, now + validity, now)
    its_signer.keep_certificate(reference, certificate)
    # Step 3: the record. After a crash before it, the next run finds the key and goes on from
    # there.
    row = authority_row(purpose, name, certificate, signer=signer, key_reference=reference)
    row.is_every_certificate_recorded = True
    return save_authority(row, action="create-ca", actor=actor)
