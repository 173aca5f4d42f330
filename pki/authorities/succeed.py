"""Let a new CA succeed another one."""

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from django.utils import timezone

from pki.authorities.authority_rows import (
    Purpose,
    Status,
    authority_row,
    free_name,
    save_authority,
)
from pki.authorities.ca_certificates import make_ca_certificate, public_key_of
from pki.authorities.new_keys import make_key, used_or_removed
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


@dataclass(frozen=True, slots=True)
class SuccessorKey:
    """The key that the successor of a CA will have."""

    successor: str
    """The successor's name."""
    name: str
    """The key's name for the signer."""
    key_algorithm: str
    signer: str
    """The signer's alias."""
    is_missing: bool
    """Whether a deployment has to make it before there can be a successor (threat T55)."""


def successor_key(ca: CertificateAuthority) -> SuccessorKey:
    """Return which key the successor of ``ca`` will have. Nothing is made.

    Raises ``OperatorError`` when ``ca`` cannot have a successor, and ``RemoteFailure``.
    """
    _key_to_succeed(ca)
    return _successor_key(ca)


def step_before_successor(ca: CertificateAuthority) -> str:
    """Return what has to be done before ``ca`` can have a successor, in sentences; "" for nothing.

    Raises as ``successor_key`` does.
    """
    return _step_before(ca, successor_key(ca))


def make_successor(ca: CertificateAuthority, *, actor: Actor, reason: str) -> CertificateAuthority:
    """Make a CA of the same subject with a new key, which issues in place of ``ca``.

    ``ca`` stays trusted and published until it expires. The cross-certificates OldWithNew and
    NewWithOld are made too (RFC 4210 4.4), so that devices with either root can verify certificates
    of both. Raises ``OperatorError`` when ``ca`` has a successor already, has a CA above it, its
    key is not here, or a deployment has to make the new key first.
    """
    # Step 1: refuse what cannot be succeeded, before anything is made.
    if not reason.strip():
        raise OperatorError(
            "A successor needs a reason (--reason). The reason is kept on the audit trail."
        )
    old_key = _key_to_succeed(ca)
    old = ca.certificate
    # Step 2: a key of the same algorithm.
    coming = _successor_key(ca)
    if step := _step_before(ca, coming):
        raise OperatorError(f"{step} Then run this again.")
    now = timezone.now()
    made = make_key(
        coming.successor, coming.name, coming.key_algorithm, signer=ca.signer, actor=actor
    )
    with used_or_removed(made):
        key = new_key(ca.signer, made.reference)
        # Step 3: the new root, valid for as long as the old one was, and the cross-certificates.
        until = now + (old.not_valid_after_utc - old.not_valid_before_utc - BACKDATING)
        new = make_ca_certificate(old.subject, key.public_key(), key, until, now)
        end = min(until, old.not_valid_after_utc)
        new_with_old = make_ca_certificate(
            old.subject, key.public_key(), old_key, end, now, issuer=old
        )
        old_with_new = make_ca_certificate(
            old.subject, public_key_of(old), key, end, now, issuer=new
        )
        key_signer(ca.signer).keep_certificate(made.reference, new)
        # Step 4: the record. The old CA retires in the same transaction.
        row = authority_row(
            Purpose(ca.purpose),
            coming.successor,
            new,
            signer=ca.signer,
            key_reference=made.reference,
        )
        row.successor_of = ca
        row.is_every_certificate_recorded = True
        row.cross_pem = pem_of(new_with_old, old_with_new)
        return save_authority(row, action="succeed-ca", actor=actor, reason=reason)


def _key_to_succeed(ca: CertificateAuthority) -> CertificateIssuerPrivateKeyTypes:
    """Return the key of ``ca``. Raises ``OperatorError`` when ``ca`` cannot have a successor."""
    if ca.status != Status.ACTIVE:
        raise OperatorError(
            f"{ca} is {ca.status}. Only an active CA can have a successor: choose another."
        )
    key = authority_key(ca, otherwise="Have its PKI make a new CA, and import that.")
    certificate = ca.certificate
    if not names_equal(certificate.issuer, certificate.subject):
        raise OperatorError(
            f"{ca} is signed by {name_text(certificate.issuer)}. Have that CA sign a new one, and "
            "import it."
        )
    if ca.key_algorithm not in KEY_ALGORITHMS:
        raise OperatorError(
            f"The key of {ca} is of a kind that is not made here. Have its PKI make a new CA, and "
            "import that."
        )
    return key


def _successor_key(ca: CertificateAuthority) -> SuccessorKey:
    signer = key_signer(ca.signer)
    successor = free_name(ca.name)
    name = signer.key_name(ca.purpose, successor, is_first=False)
    return SuccessorKey(successor, name, ca.key_algorithm, ca.signer, signer.lacks_key(name))


def _step_before(ca: CertificateAuthority, coming: SuccessorKey) -> str:
    if not coming.is_missing:
        return ""
    return (
        f"There is no key yet for the successor of {ca.name}, and this process makes none. Run "
        f"manage.py aws_deploy --successor-key {ca.name} where you deploy. It makes the key, and "
        "gives the functions the right to sign with it."
    )
