"""Release a thing name from the client that holds it, so that another client may enroll it.

A name stays bound to its holder (``pki.issuance.name_rules``), even when its last certificate is
over. An operator releases it: for every client that the identity rule lets have it, or for one
client alone.
"""

from dataclasses import dataclass

from django.utils import timezone

from pki.csr.thing_names import fold_name, shown
from pki.issuance.rebind import Holder, new_holder
from pki.models import IssuedCertificate
from pki.models.certificate import IssuedCertificateQuerySet
from pki.operators.errors import OperatorError
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.record.intents import void_intents
from pki.record.transactions import in_write_transaction
from pki.revocation.revoke import revoke_certificates

State = IssuedCertificate.State

REVOCATION_REASON = "cessationOfOperation"
"""The reason (RFC 5280 5.3.1) for which a release revokes live certificates."""


@dataclass(frozen=True, slots=True)
class NameRelease:
    """A release that is asked for: what is on record of the name, and who gets it."""

    common_name: str
    owner: IssuedCertificate | None
    """The row that says who holds the name; None if the name is free."""
    live: tuple[IssuedCertificate, ...]
    to: Holder | None
    is_revoking: bool

    @property
    def holder(self) -> str:
        """The fingerprint of the client that holds the name, or "" if it is free."""
        if self.owner is None:
            return ""
        return self.owner.holder_fingerprint or self.owner.client_fingerprint

    def effects(self) -> list[str]:
        """Return sentences that say what the release does."""
        name = self.common_name
        held = f"is held by the client {self.holder}" if self.owner else "has no holder"
        effects = [f"The thing name {name} {held}. Live certificates of it: {len(self.live)}."]
        if self.live:
            serials = ", ".join(row.serial_number for row in self.live)
            effects.append(
                f"They are revoked first ({REVOCATION_REASON}), and AWS IoT detaches them from "
                f"their thing: {serials}."
                if self.is_revoking
                else f"Nothing is released while they are live: {serials}."
            )
        effects.append(
            f"Afterwards only the client {self.to.fingerprint} may enroll {name}."
            if self.to
            else f"Afterwards the first client that enrolls {name} holds it, if the profile's "
            "identity rule lets that client have the name."
        )
        return effects


def planned_release(common_name: str, *, to: str = "", is_revoking: bool = False) -> NameRelease:
    """Return what a release of the name would do now. Nothing is changed.

    ``to`` is the client that the name is reserved for, as a fingerprint or a PEM certificate; ""
    reserves it for no client. Raises ``OperatorError`` for a name that is not on record, a client
    that cannot be found, or one that this server does not let in.
    """
    rows = _rows_of(common_name)
    newest = rows.first()
    if newest is None:
        raise OperatorError(
            f"No client has enrolled the thing name {shown(common_name)}. It is free."
        )
    owner = rows.exclude(name_owner=None).first()
    if owner is None and not to:
        raise OperatorError(
            f"The thing name {newest.common_name} has no holder. It is free already."
        )
    return NameRelease(
        common_name=(owner or newest).common_name,
        owner=owner,
        live=tuple(rows.live()),
        to=new_holder(to) if to else None,
        is_revoking=is_revoking,
    )


def release_name(
    common_name: str, *, reason: str, actor: Actor, to: str = "", is_revoking: bool = False
) -> NameRelease:
    """Release the name, and return what was on record of it before.

    ``is_revoking`` revokes the live certificates of the name first, which detaches them from their
    thing in AWS IoT. When this returns, nothing is issued any more to the client that held the
    name. Raises ``OperatorError`` if a certificate of the name is live otherwise, the reason is
    empty, and what ``planned_release`` raises.
    """
    if not reason.strip():
        raise OperatorError(
            "A release of a name needs a reason. The reason is kept on the audit trail."
        )
    plan = planned_release(common_name, to=to, is_revoking=is_revoking)
    # Step 1: the certificates.
    if is_revoking:
        _revoke(plan.live, plan, reason=reason, actor=actor)
    # Step 2: the release becomes visible. Intents of the holder become void, or are waited for.
    in_write_transaction(lambda: _release(plan, reason=reason, actor=actor))
    # Step 3: what the holder began before that, and wrote after the intents were looked for.
    begun = _begun_before(plan)
    in_write_transaction(lambda: _void(begun, actor=actor))
    _revoke(tuple(begun.live()), plan, reason=reason, actor=actor)
    return plan


def _begun_before(plan: NameRelease) -> IssuedCertificateQuerySet:
    """Return the rows of the name that were begun before now, by a client that has it no more.

    A client that enrolled the name since its release owns it, or the name is reserved for it.
    """
    rows = _rows_of(plan.common_name).filter(name_owner=None, created_at__lt=timezone.now())
    return rows.exclude(client_signed_sha256=plan.to.signed_sha256) if plan.to else rows


def _void(rows: IssuedCertificateQuerySet, *, actor: Actor) -> None:
    """Make intents void in the caller's transaction, and note that the name is theirs no more."""
    void_intents(rows, actor=actor, why="the name was released")
    rows.filter(name_released_at=None).update(name_released_at=timezone.now())


def _rows_of(common_name: str) -> IssuedCertificateQuerySet:
    """Return the rows of a name, newest first. A client's certificate holds no thing name."""
    rows = IssuedCertificate.objects.for_name(common_name).defer("csr_der", "der")
    return rows.exclude(operation=IssuedCertificate.Operation.CLIENT)


def _revoke(
    rows: tuple[IssuedCertificate, ...], plan: NameRelease, *, reason: str, actor: Actor
) -> None:
    comment = f"release of {plan.common_name}: {reason}"
    revoke_certificates(rows, reason=REVOCATION_REASON, actor=actor, comment=comment)


def _release(plan: NameRelease, *, reason: str, actor: Actor) -> None:
    """Release the name in the caller's transaction. Raises ``OperatorError`` if it is in use."""
    rows, to = _rows_of(plan.common_name), plan.to
    void_intents(rows, actor=actor, why="the name was released")
    if live := rows.live().count():
        raise OperatorError(
            f"The thing name {plan.common_name} is in use. Live certificates of it: {live}. "
            "Nothing was released. Revoke them first, or have the release revoke them (--revoke)."
        )
    owner = rows.exclude(name_owner=None).first()
    # A void row is no certificate, but it says as well as another who may have the name.
    reserved = (owner or rows.exclude(state=State.VOID).first() or rows.first()) if to else None
    rows.update(
        name_owner=None,
        holder_fingerprint="",
        holder_signed_sha256="",
        holder_name_sha256="",
        name_released_at=timezone.now(),
    )
    if to is not None and reserved is not None:
        IssuedCertificate.objects.filter(pk=reserved.pk).update(
            name_owner=fold_name(plan.common_name),
            holder_fingerprint=to.fingerprint,
            holder_signed_sha256=to.signed_sha256,
            holder_name_sha256=to.name_sha256,
        )
    audit_trail.record(
        "release",
        actor=actor,
        target=f"thing:{plan.common_name}",
        reason=reason,
        before={"client": plan.holder},
        after={"client": to.fingerprint if to else "", "revoked": len(plan.live)},
    )
