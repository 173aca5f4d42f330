"""Import a CA that was made elsewhere, with or without its key."""

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from django.views.decorators.debug import sensitive_variables

from pki.authorities.authority_rows import Purpose, authority_row, save_authority
from pki.authorities.new_authority import (
    check_certificates,
    check_keeps_keys,
    check_name,
    is_first,
)
from pki.authorities.new_keys import NewKey, take_key, used_or_removed
from pki.authorities.signer_keys import find_key
from pki.csr.public_keys import public_keys_equal
from pki.csr.subjects import name_text
from pki.encoding.certificates import pem_of
from pki.models import CertificateAuthority
from pki.operators.errors import OperatorError
from pki.record.audit_trail import Actor


@sensitive_variables()
def import_authority(
    purpose: Purpose,
    name: str,
    certificates: list[x509.Certificate],
    *,
    key: CertificateIssuerPrivateKeyTypes | None,
    signer: str,
    actor: Actor,
    key_reference: str = "",
    successor_of: CertificateAuthority | None = None,
    reason: str = "",
) -> CertificateAuthority:
    """Put a CA that was made elsewhere on record: its certificate first, then its chain.

    ``key`` is stored with the signer ``signer``. Without a ``key``, the signer has it already (as
    ``key_reference``, or it is asked), or the signer reaches the PKI that has it. ``signer`` is ""
    for a CA that is trusted and never signs here.

    Raises ``OperatorError`` for a certificate that is not a CA's, has expired, is on record already
    or does not match the key, and as the other checks of `pki.authorities.new_authority` do.
    """
    # Step 1: the name, the certificates and the key, before anything is stored.
    check_name(name)
    check_certificates(certificates)
    certificate, *chain = certificates
    if key is not None:
        check_key(key, certificate)
    # Step 2: the key, which the signer finds or stores.
    reference = key_reference
    if key is None and signer and not reference:
        reference = find_key(signer, certificate)
    taken = NewKey(signer, reference, is_of_this_run=False)
    if key is not None:
        its_signer = check_keeps_keys(signer)
        its_first = successor_of is None and is_first(purpose)
        key_name = its_signer.key_name(purpose, name, is_first=its_first)
        taken = take_key(name, key_name, key, signer=signer, actor=actor)
    with used_or_removed(taken):
        if key is not None:
            its_signer.keep_certificate(taken.reference, certificate)
        # Step 3: the record.
        row = authority_row(
            purpose, name, certificate, signer=signer, key_reference=taken.reference
        )
        row.chain_pem = pem_of(*chain)
        row.successor_of = successor_of
        return save_authority(row, action="import-ca", actor=actor, reason=reason)


@sensitive_variables()
def check_key(key: CertificateIssuerPrivateKeyTypes, certificate: x509.Certificate) -> None:
    """Raise ``OperatorError`` unless ``key`` is the private key of the CA's certificate."""
    if not public_keys_equal(key.public_key(), certificate.public_key()):
        raise OperatorError(
            f"The private key is not that of {name_text(certificate.subject)}. Give the key that "
            "belongs to the CA certificate."
        )
