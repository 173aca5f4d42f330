"""Move all thing names that a client holds to another client, for a certificate that is replaced.

A factory certificate that runs out, or is stolen, has a successor. The names that the old one holds
stay with it (``pki.issuance.name_rules``), until an operator says that the new one holds them.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.serialization import Encoding
from django.db.models import Q

from pki.denylist.kinds import normalize
from pki.denylist.values import PEM_CERTIFICATE, read_certificate
from pki.encoding.certificates import fingerprint_of, signed_part_sha256
from pki.exceptions import ClientRefused
from pki.issuance.client_authentication import authenticate_certificate
from pki.models import DenylistEntry, IssuedCertificate
from pki.models.certificate import IssuedCertificateQuerySet
from pki.operators.errors import OperatorError
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.record.transactions import in_write_transaction, in_write_transactions


@dataclass(frozen=True, slots=True)
class Holder:
    """A client certificate, as the rows of names say who holds them."""

    fingerprint: str
    signed_sha256: str = ""
    name_sha256: str = ""


def rebind_names(old: str, new: str, *, reason: str, actor: Actor, is_dry_run: bool = False) -> int:
    """Give all names that the client ``old`` holds to ``new``, and return how many there are.

    A client is a fingerprint, or a PEM certificate. With ``is_dry_run`` nothing is changed. Raises
    ``OperatorError`` for a client that cannot be found, or that this server does not let in.
    """
    from_, to = _old_holder(old), new_holder(new)
    if from_.fingerprint == to.fingerprint:
        raise OperatorError("The two clients are the same certificate. Give two certificates.")
    if not reason.strip():
        raise OperatorError(
            "A move of names needs a reason. The reason is kept on the audit trail."
        )
    if is_dry_run:
        return _held_by(from_).count()

    def find() -> list[uuid.UUID]:
        return list(_held_by(from_).values_list("pk", flat=True))

    def move(found: Sequence[uuid.UUID]) -> int:
        count = (
            _held_by(from_)
            .filter(pk__in=found)
            .update(
                holder_fingerprint=to.fingerprint,
                holder_signed_sha256=to.signed_sha256,
                holder_name_sha256=to.name_sha256,
            )
        )
        if count:
            audit_trail.record(
                "rebind-all",
                actor=actor,
                target=f"client:{from_.fingerprint}",
                reason=reason,
                after={"client": to.fingerprint, "names": count},
            )
        return count

    # In chunks, each with a row on the audit trail: a client that registers devices holds a fleet.
    return sum(in_write_transactions(in_write_transaction(find), move))


def _held_by(client: Holder) -> IssuedCertificateQuerySet:
    """Return the rows of the names that the client holds, as ``name_rules.is_holder`` decides."""
    holds = Q(holder_fingerprint=client.fingerprint)
    enrolled = Q(client_fingerprint=client.fingerprint)
    if client.signed_sha256:
        holds |= Q(holder_signed_sha256=client.signed_sha256)
        enrolled |= Q(client_signed_sha256=client.signed_sha256)
    return IssuedCertificate.objects.exclude(name_owner=None).filter(
        holds | Q(holder_fingerprint="") & enrolled
    )


def _old_holder(text: str) -> Holder:
    """Return the client, which may have run out and need not be one that this server lets in."""
    if text.strip().startswith(PEM_CERTIFICATE):
        certificate = read_certificate(text.strip())
        return Holder(fingerprint_of(certificate), signed_part_sha256(certificate))
    fingerprint = normalize(DenylistEntry.Kind.CLIENT, text)
    return _on_record(fingerprint) or Holder(fingerprint)


def new_holder(text: str) -> Holder:
    """Return the client, of which the names need to know all that a request will show."""
    if text.strip().startswith(PEM_CERTIFICATE):
        try:
            client = authenticate_certificate(
                read_certificate(text.strip()).public_bytes(Encoding.DER)
            )
        except ClientRefused as error:
            raise OperatorError(
                f"The new client certificate is not good for enrollment here. {error.message}"
            ) from error
        if client.is_device:
            raise OperatorError(
                "The new client certificate is a device's, which can hold no other name. Give the "
                "certificate of a client."
            )
        return Holder(client.fingerprint, client.signed_sha256, client.name_sha256)
    fingerprint = normalize(DenylistEntry.Kind.CLIENT, text)
    known = _on_record(fingerprint)
    if known is None:
        raise OperatorError(
            f"The client {fingerprint} holds no name here yet. Give its certificate as a PEM file."
        )
    return known


def _on_record(fingerprint: str) -> Holder | None:
    """Return the client with that fingerprint, as far as a name that it holds says who it is."""
    row = IssuedCertificate.objects.filter(holder_fingerprint=fingerprint).first()
    if row is None:
        return None
    return Holder(fingerprint, row.holder_signed_sha256, row.holder_name_sha256)
