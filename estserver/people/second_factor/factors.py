"""What is on record of second factors: set up, used, replaced and reset.

No attempt is counted here: see `estserver.people.sign_in.limits`. A code is taken by one UPDATE
that compares and sets, so that it is taken once, also when two requests bring it at a time.
"""

import logging
import uuid
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from django.utils import timezone

from estserver.models import RecoveryCode, SecondFactor
from estserver.people.sealed import CannotUnseal, seal, unseal
from estserver.people.second_factor import one_time_codes, recovery_codes
from pki.operators.errors import OperatorError
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.record.transactions import in_write_transaction

logger = logging.getLogger(__name__)

_PURPOSE: Final = "totp"


class Kind(StrEnum):
    """What was given in place of the second factor, as the audit trail says it."""

    ONE_TIME = "one-time code"
    RECOVERY = "recovery code"


@dataclass(frozen=True, slots=True)
class Used:
    """A code that was right, and is used up now."""

    factor: uuid.UUID
    kind: Kind
    codes_left: int
    """Recovery codes that are left, if it was one."""


def factor_of(person: Any) -> uuid.UUID | None:
    """Return the id of a person's second factor; None for a person who has none."""
    return SecondFactor.objects.filter(account=person.pk).values_list("pk", flat=True).first()


def codes_left(person: Any) -> int:
    """Return how many recovery codes a person has left."""
    return RecoveryCode.objects.filter(account=person.pk, used_at=None).count()


def set_up(person: Any, secret: bytes, code: str, *, actor: Actor) -> tuple[uuid.UUID, list[str]]:
    """Record a second factor that has shown its first code. Return its id and recovery codes.

    Raises ``OperatorError`` when the code is wrong, or the person has a second factor already.
    """
    step = one_time_codes.matching_step(secret, code, after=-1)
    if step is None:
        raise OperatorError(
            "The code is not the one that belongs to this secret now. Scan the picture again, see "
            "that the clock of your device is right, and give the newest code."
        )
    sealed = seal(secret, purpose=_PURPOSE)
    codes = recovery_codes.new_codes()

    def record() -> uuid.UUID:
        if factor_of(person) is not None:
            raise OperatorError(
                "Your account has a second factor already. Sign in with it, and remove it there "
                "before you set up another one."
            )
        row = SecondFactor.objects.create(account=person.pk, secret=sealed, last_step=step)
        _replace_codes(person, codes)
        _record("second-factor-add", person, actor, after={"recovery_codes": len(codes)})
        return row.pk

    return in_write_transaction(record), codes


def use_code(person: Any, code: str, *, actor: Actor) -> Used | None:
    """Take a one-time code or a recovery code of ``person``; None if it is wrong or was used.

    The caller counts attempts (`estserver.people.sign_in.limits`).
    """
    row = SecondFactor.objects.filter(account=person.pk).first()
    if row is None or not code:
        return None
    if recovery_codes.looks_like_one(code):
        return in_write_transaction(lambda: _use_recovery_code(row, person, code, actor))
    try:
        secret = unseal(row.secret, purpose=_PURPOSE)
    except CannotUnseal as error:
        logger.error("the second factor of %s: %s", person, error)  # noqa: TRY400  # no traceback
        return None
    step = one_time_codes.matching_step(secret, code, after=row.last_step)
    if step is None:
        return None

    def take() -> bool:
        unused = SecondFactor.objects.filter(pk=row.pk, secret=row.secret, last_step__lt=step)
        return unused.update(last_step=step) == 1

    return Used(row.pk, Kind.ONE_TIME, 0) if in_write_transaction(take) else None


def _use_recovery_code(row: SecondFactor, person: Any, code: str, actor: Actor) -> Used | None:
    unused = RecoveryCode.objects.filter(
        account=person.pk, digest=recovery_codes.digest(person.pk, code), used_at=None
    )
    if unused.update(used_at=timezone.now()) != 1:
        return None
    left = codes_left(person)
    facts = {"before": {"recovery_codes": left + 1}, "after": {"recovery_codes": left}}
    _record("recovery-code-used", person, actor, **facts)
    return Used(row.pk, Kind.RECOVERY, left)


def renew_codes(person: Any, *, actor: Actor) -> list[str]:
    """Replace a person's recovery codes, and return the new ones.

    Raises ``OperatorError`` for a person without a second factor.
    """
    codes = recovery_codes.new_codes()

    def renew() -> None:
        if factor_of(person) is None:
            raise _no_factor(person)
        before = {"recovery_codes": codes_left(person)}
        _replace_codes(person, codes)
        after = {"recovery_codes": len(codes)}
        _record("recovery-codes-new", person, actor, before=before, after=after)

    in_write_transaction(renew)
    return codes


def remove(person: Any, *, actor: Actor) -> None:
    """Remove a person's own second factor. Raises ``OperatorError`` if there is none."""
    in_write_transaction(lambda: _remove(person, "second-factor-remove", actor, ""))


def reset(person: Any, *, actor: Actor, reason: str) -> None:
    """Remove another person's second factor, for a reason. Sessions that gave it end.

    Raises ``OperatorError`` without a reason, and for a person without a second factor. Whether the
    actor may is for the caller to ask (`estserver.people.accounts.rules`).
    """
    if not reason.strip():
        raise OperatorError(
            "The reset of a second factor needs a reason. The reason is kept on the audit trail."
        )
    in_write_transaction(lambda: _remove(person, "second-factor-reset", actor, reason.strip()))


def forget(account: int) -> None:
    """Remove the rows of an account that is deleted, in the caller's transaction."""
    SecondFactor.objects.filter(account=account).delete()
    RecoveryCode.objects.filter(account=account).delete()


def _remove(person: Any, action: str, actor: Actor, reason: str) -> None:
    row = SecondFactor.objects.filter(account=person.pk).first()
    if row is None:
        raise _no_factor(person)
    before = {"since": row.created_at.isoformat(), "recovery_codes": codes_left(person)}
    forget(person.pk)
    _record(action, person, actor, reason=reason, before=before)


def _no_factor(person: Any) -> OperatorError:
    return OperatorError(f"{person.get_username()} has no second factor, so nothing was changed.")


def _replace_codes(person: Any, codes: list[str]) -> None:
    RecoveryCode.objects.filter(account=person.pk).delete()
    RecoveryCode.objects.bulk_create(
        RecoveryCode(account=person.pk, digest=recovery_codes.digest(person.pk, code))
        for code in codes
    )


def _record(action: str, person: Any, actor: Actor, **facts: Any) -> None:
    target = f"account:{person.get_username()}"
    audit_trail.record(action, actor=actor, target=target, **facts)
