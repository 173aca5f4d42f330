"""The keys of new CAs. Each is on the audit trail before there is one, so no crash hides a key.

A run that is cut off between the key and the CA's row leaves a key without a CA. The next run for a
CA of the same name finds it by the audit trail, and goes on with it. A run that is refused after it
made a key removes the key, where the signer can.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from django.views.decorators.debug import sensitive_variables

from pki.authorities.signer_keys import key_signer
from pki.csr.public_keys import key_algorithm_name, public_keys_equal
from pki.exceptions import SignerUnavailable
from pki.models import AuditEvent, CertificateAuthority
from pki.operators.errors import OperatorError, RemoteFailure
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.record.transactions import in_write_transaction
from pki.signers import KeySigner

BEGIN_KEY: Final = "begin-ca-key"
"""The action on the audit trail. ``after`` has the signer's alias and the key's name."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that a signer has for a CA that is not on record yet."""

    signer: str
    reference: str
    is_of_this_run: bool
    """Whether this run had it made or stored, and may remove it again."""


def make_key(ca: str, key_name: str, key_algorithm: str, *, signer: str, actor: Actor) -> NewKey:
    """Return a key for the CA of the name ``ca``: one that was left behind, or a new one.

    Raises ``OperatorError`` as ``KeySigner.create_key`` does, and ``RemoteFailure``.
    """
    its_signer = key_signer(signer)
    for reference, key in _left_behind(ca, its_signer, signer):
        if key_algorithm_name(key.public_key()) == key_algorithm:
            return NewKey(signer, reference, is_of_this_run=False)
    _begin(ca, key_name, signer, actor)
    return NewKey(signer, its_signer.create_key(key_name, key_algorithm), is_of_this_run=True)


@sensitive_variables()
def take_key(
    ca: str,
    key_name: str,
    key: CertificateIssuerPrivateKeyTypes,
    *,
    signer: str,
    actor: Actor,
) -> NewKey:
    """Store a key that was made elsewhere for the CA of the name ``ca``, unless it is there.

    Raises ``OperatorError`` as ``KeySigner.store`` does, and ``RemoteFailure``.
    """
    its_signer = key_signer(signer)
    for reference, stored in _left_behind(ca, its_signer, signer):
        if public_keys_equal(stored.public_key(), key.public_key()):
            return NewKey(signer, reference, is_of_this_run=False)
    _begin(ca, key_name, signer, actor)
    return NewKey(signer, its_signer.store(key_name, key), is_of_this_run=True)


@contextmanager
def used_or_removed(key: NewKey) -> Iterator[None]:
    """Remove ``key`` if the block is refused before there is a CA with it.

    Where another service failed, the outcome may be unknown. Then the key stays for the next run.
    """
    try:
        yield
    except RemoteFailure:
        raise
    except OperatorError:
        if key.is_of_this_run and not _has_ca(key.signer, key.reference):
            key_signer(key.signer).remove_key(key.reference)
        raise


def _has_ca(signer: str, reference: str) -> bool:
    rows = CertificateAuthority.objects.filter(signer=signer, key_reference=reference)
    return rows.exists()


def _begin(ca: str, key_name: str, signer: str, actor: Actor) -> None:
    facts = {"signer": signer, "key": key_name}
    in_write_transaction(
        lambda: audit_trail.record(BEGIN_KEY, actor=actor, target=f"ca:{ca}", after=facts)
    )


def _left_behind(
    ca: str, its_signer: KeySigner, alias: str
) -> Iterator[tuple[str, CertificateIssuerPrivateKeyTypes]]:
    """Yield the key that the newest run for that CA began with this signer, if it is there."""
    begun = AuditEvent.objects.filter(action=BEGIN_KEY, target=f"ca:{ca}").order_by("-at").first()
    facts = begun.after if begun else None
    if not facts or facts["signer"] != alias:
        return
    reference = its_signer.key_named(facts["key"])
    if not reference or _has_ca(alias, reference):
        return
    try:
        yield reference, its_signer.private_key(reference)
    except SignerUnavailable:  # its passphrase is another one by now, so it is of no use
        return
