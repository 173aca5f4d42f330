"""Let a new CA succeed another one."""

from django.utils import timezone

from pki.authorities.authority_rows import (
    Purpose,
    Status,
    authority_row,
    free_name,
    save_authority,
)
from pki.authorities.ca_certificates import make_ca_certificate, public_key_of
from pki.authorities.signer_keys import key_signer, new_key
from pki.csr.key_algorithms import KEY_ALGORITHMS
from pki.csr.subjects import name_text
from pki.encoding.certificates import pem_of
from pki.encoding.names import names_equal
from pki.models import CertificateAuthority
from pki.operators.errors import OperatorError
from pki.record.audit_trail import Actor
from pki.record.intents import BACKDATING
from pki.signers import authority_key


def make_successor(ca: CertificateAuthority, *, actor: Actor, reason: str) -> CertificateAuthority:
    """Make a CA of the same subject with a new key, which issues in place of ``ca``.

    ``ca`` stays trusted and published until it expires. The cross-certificates OldWithNew and
    NewWithOld are made too (RFC 4210 4.4), so that devices with either root can verify certificates
    of both. Raises ``OperatorError`` when ``ca`` has a successor already, has a CA above it, or its
    key is not here.
    """
    # Step 1: refuse what cannot be succeeded, before anything is made.
    if not reason.strip():
        raise OperatorError(
            "A successor needs a reason (--reason). The reason is kept on the audit trail."
        )
    if ca.status != Status.ACTIVE:
        raise OperatorError(
            f"{ca} is {ca.status}. Only an active CA can have a successor: choose another."
        )
    old_key = authority_key(ca, otherwise="Have its PKI make a new CA, and import that.")
    signer = key_signer(ca.signer)
    old = ca.certificate
    if not names_equal(old.issuer, old.subject):
        raise OperatorError(
            f"{ca} is signed by {name_text(old.issuer)}. Have that CA sign a new one, and import "
            "it."
        )
    if ca.key_algorithm not in KEY_ALGORITHMS:
        raise OperatorError(
            f"The key of {ca} is of a kind that is not made here. Have its PKI make a new CA, and "
            "import that."
        )
    # Step 2: a key of the same algorithm.
    now = timezone.now()
    name = free_name(ca.name)
    key_name = signer.key_name(ca.purpose, name, is_first=False)
    reference = signer.create_key(key_name, ca.key_algorithm)
    key = new_key(ca.signer, reference)
    # Step 3: the new root, valid for as long as the old one was, and the two cross-certificates.
    until = now + (old.not_valid_after_utc - old.not_valid_before_utc - BACKDATING)
    new = make_ca_certificate(old.subject, key.public_key(), key, until, now)
    end = min(until, old.not_valid_after_utc)
    new_with_old = make_ca_certificate(old.subject, key.public_key(), old_key, end, now, issuer=old)
    old_with_new = make_ca_certificate(old.subject, public_key_of(old), key, end, now, issuer=new)
    signer.keep_certificate(reference, new)
    # Step 4: the record. The old CA retires in the same transaction.
    row = authority_row(Purpose(ca.purpose), name, new, signer=ca.signer, key_reference=reference)
    row.successor_of = ca
    row.is_every_certificate_recorded = True
    row.cross_pem = pem_of(new_with_old, old_with_new)
    return save_authority(row, action="succeed-ca", actor=actor, reason=reason)
