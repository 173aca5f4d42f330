"""Import a CA that was made elsewhere, with or without its key."""

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

from pki.authorities.authority_rows import Purpose, authority_row, save_authority
from pki.authorities.ca_certificates import check_ca_certificate, check_chain
from pki.authorities.signer_keys import find_key, key_signer
from pki.csr.public_keys import public_keys_equal
from pki.csr.subjects import name_text
from pki.encoding.certificates import pem_of
from pki.models import CertificateAuthority
from pki.operators.errors import OperatorError
from pki.record.audit_trail import Actor
from pki.record.find import authority_with_certificate


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
) -> CertificateAuthority:
    """Put a CA that was made elsewhere on record: its certificate first, then its chain.

    ``key`` is stored with the signer ``signer``. Without a ``key``, the signer has it already (as
    ``key_reference``, or it is asked), or the signer reaches the PKI that has it. ``signer`` is ""
    for a CA that is trusted and never signs here.

    Raises ``OperatorError`` for a certificate that is not a CA's, has expired, is on record already
    or does not match the key.
    """
    # Step 1: the certificates.
    certificate, *chain = certificates
    check_ca_certificate(certificate)
    check_chain(certificate, chain)
    _check_is_new(certificate)
    # Step 2: the key, which the signer finds or stores.
    reference = key_reference
    if key is None and signer and not reference:
        reference = find_key(signer, certificate)
    if key is not None:
        if not public_keys_equal(key.public_key(), certificate.public_key()):
            raise OperatorError(
                f"The private key is not that of {name_text(certificate.subject)}. Give the key "
                "that belongs to the CA certificate."
            )
        its_signer = key_signer(signer)
        key_name = its_signer.key_name(purpose, name, is_first=successor_of is None)
        reference = its_signer.store(key_name, key)
        its_signer.keep_certificate(reference, certificate)
    # Step 3: the record.
    row = authority_row(purpose, name, certificate, signer=signer, key_reference=reference)
    row.chain_pem = pem_of(*chain)
    row.successor_of = successor_of
    return save_authority(row, action="import-ca", actor=actor)


def _check_is_new(certificate: x509.Certificate) -> None:
    known = authority_with_certificate(certificate)
    if known is not None:
        raise OperatorError(
            f"This very certificate is on record already, as {known}. Give another, or leave it."
        )
