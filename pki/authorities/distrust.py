"""End the trust in a CA: at once for one that is compromised, quietly after a rollover.

Both are one commit. From then on the application refuses whatever leads to a CA that is distrusted
(``pki.record.trust_paths``), because every process reads the CAs again. No certificate's row is
written. What is outside this server follows by ``pki.record.observers``, and by
its followers, which a command waits for.
"""

from collections.abc import Sequence

from django.db.models import QuerySet
from django.utils import timezone

from pki.authorities.authority_rows import Status
from pki.authorities.trust_effects import live_certificates, retire_obstacle
from pki.models import CertificateAuthority, Generation, IssuedCertificate
from pki.models.fields import first_identifier
from pki.operators.errors import OperatorError
from pki.record import audit_trail, observers
from pki.record.audit_trail import Actor
from pki.record.intents import ABANDONED_AFTER, void_in_chunks
from pki.record.transactions import in_write_transaction
from pki.record.trust_paths import authorities_leading_to


def distrust_authority(
    ca: CertificateAuthority, *, reason: str, actor: Actor, are_certificates_stopped: bool = True
) -> list[CertificateAuthority]:
    """Distrust ``ca`` and the CAs on record that lead to it; return those that were trusted so far.

    With ``are_certificates_stopped``, AWS IoT is told that their certificates are INACTIVE. A
    repetition may still ask for that, and changes nothing else. Nothing that leads to ``ca`` is
    issued once this has returned. Raises ``OperatorError`` without a reason.
    """
    _check_reason(reason)

    def distrust() -> list[CertificateAuthority]:
        # The CA itself first. The others are few: intermediates of a root that goes.
        leading = authorities_leading_to(ca, CertificateAuthority.objects.all())
        newly = [row for row in leading if _distrust(row, are_certificates_stopped)]
        for row in newly:
            audit_trail.record(
                "distrust-ca",
                actor=actor,
                target=f"ca:{row.name}",
                reason=reason,
                before={"status": row.status},
                after={
                    "status": Status.REVOKED,
                    "leads_to": ca.name,
                    "are_certificates_stopped": are_certificates_stopped,
                },
            )
        stopped = [] if newly or not are_certificates_stopped else _stop_certificates(leading)
        for row in stopped:
            audit_trail.record(
                "distrust-ca",
                actor=actor,
                target=f"ca:{row.name}",
                reason=reason,
                before={"are_certificates_stopped": False},
                after={"are_certificates_stopped": True},
            )
        _announce([*newly, *stopped])
        return newly

    # Step 1: the distrust becomes visible. Step 2: a certificate that is being signed at this
    # moment, for a request that began before, becomes void. Its device sends the request again.
    newly = in_write_transaction(distrust)
    if newly:
        why = f"signed while the CA {ca.name} was being distrusted"
        void_in_chunks([(_recent_intents(), why)], actor=actor)
    ca.refresh_from_db(fields=["status", "untrusted_since", "are_certificates_stopped"])
    return newly


def retire_authority(
    ca: CertificateAuthority, *, reason: str, actor: Actor, is_forced: bool = False
) -> None:
    """Stop trusting and publishing ``ca``, whose successor issues.

    Its certificates stay as they are in AWS IoT. Raises ``OperatorError`` when it is not retiring,
    or, unless ``is_forced``, while live certificates depend on it.
    """
    _check_reason(reason)

    def retire() -> None:
        row = CertificateAuthority.objects.get(pk=ca.pk)
        if obstacle := retire_obstacle(row):
            raise OperatorError(obstacle)
        live = live_certificates(row)
        if live and not is_forced:
            raise OperatorError(
                f"{live} live certificates depend on {row}. They would not authenticate anybody "
                "any more. Wait until they are renewed, or add --yes."
            )
        retiring = CertificateAuthority.objects.filter(pk=ca.pk, status=Status.RETIRING)
        if not retiring.update(status=Status.RETIRED, untrusted_since=timezone.now()):
            raise OperatorError(f"{row} is not retiring any more. Look at the list of CAs.")
        audit_trail.record(
            "retire-ca",
            actor=actor,
            target=f"ca:{row.name}",
            reason=reason,
            before={"status": row.status},
            after={"status": Status.RETIRED, "live_certificates": live},
        )
        _announce([row])

    in_write_transaction(retire)
    ca.refresh_from_db(fields=["status", "untrusted_since"])


def _check_reason(reason: str) -> None:
    if not reason.strip():
        raise OperatorError(
            "The end of trust in a CA needs a reason (--reason). The reason is kept on the audit "
            "trail."
        )


def _distrust(row: CertificateAuthority, are_certificates_stopped: bool) -> bool:
    """Return whether ``row`` was not distrusted until now.

    Only these columns are written, because a CRL of the CA may be made at the same time.
    """
    trusted = CertificateAuthority.objects.filter(pk=row.pk).exclude(status=Status.REVOKED)
    changed = trusted.update(
        status=Status.REVOKED,
        untrusted_since=timezone.now(),
        are_certificates_stopped=are_certificates_stopped,
    )
    return changed == 1


def _stop_certificates(leading: Sequence[CertificateAuthority]) -> list[CertificateAuthority]:
    """Return those distrusted CAs whose certificates were left as they are until now."""
    kept = CertificateAuthority.objects.distrusted().filter(are_certificates_stopped=False)
    stopped = list(kept.filter(pk__in=[row.pk for row in leading]))
    kept.filter(pk__in=[row.pk for row in stopped]).update(are_certificates_stopped=True)
    return stopped


def _announce(rows: Sequence[CertificateAuthority]) -> None:
    """Let every process read the CAs again, and observers write what has to follow."""
    if not rows:
        return
    Generation.advance()
    for row in rows:
        for observer in observers.registered():
            observer.trust_ended(row)


def _recent_intents() -> QuerySet[IssuedCertificate]:
    """Return the intents that a request may still be working on.

    They are found by their identifiers, which begin with the time, since no index has the state.
    """
    since = timezone.now() - ABANDONED_AFTER
    return IssuedCertificate.objects.filter(
        pk__gte=first_identifier(since), state=IssuedCertificate.State.INTENT
    )
