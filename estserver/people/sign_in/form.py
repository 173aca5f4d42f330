"""The form with which a person signs in: it bounds guesses and leaves a row on the audit trail."""

import datetime
import logging
from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError

from estserver.people.passwords.guesses import too_many
from estserver.people.second_factor import factors, policy
from estserver.people.second_factor.code_field import code_field
from estserver.people.second_factor.factors import Used
from estserver.people.sessions import marks as session_marks
from estserver.people.sign_in import limits as sign_in_limits
from estserver.people.sign_in.limits import Attempt, Count
from pki.exceptions import Busy
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.record.transactions import in_write_transaction

logger = logging.getLogger(__name__)

UNKNOWN = "account:unknown"
"""The target of an attempt with a name that no account has. It may be a password, mistyped."""


class SignInForm(AdminAuthenticationForm):
    """Django's form with a code, and with limits.

    Name, password and code are sent together. What the form answers does not tell which of them was
    wrong, nor whether an account has a second factor.
    """

    code = code_field(
        "Code of your second factor",
        help_text="Of your authenticator app, or a recovery code. Leave it empty if you have none.",
        is_required=False,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not policy.is_used():
            del self.fields["code"]
            return
        self.error_messages = {
            **self.error_messages,
            "invalid_login": (
                "Please enter the correct %(username)s and password for a staff account, and the "
                "present code if the account has a second factor. A code is taken once. Note that "
                "name and password may be case-sensitive."
            ),
        }

    def clean(self) -> dict[str, Any]:
        """Check name and password, unless too many attempts failed."""
        name, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if not name or not password or self.request is None:
            return super().clean()
        attempt = Attempt(name, self.request.META.get("REMOTE_ADDR") or "")
        try:
            return self._try(attempt)
        except Busy:
            raise ValidationError(
                "The database cannot be reached now, so nobody can sign in. Try again in a minute.",
                code="busy",
            ) from None

    def _try(self, attempt: Attempt) -> dict[str, Any]:
        # Step 1: count the attempt before the password is looked at.
        count = sign_in_limits.begin(attempt)
        if isinstance(count, datetime.timedelta):
            logger.info("a sign-in was not looked at: too many failed before")
            raise ValidationError(too_many(count), code="too_many")
        # Step 2: the password.
        try:
            cleaned = super().clean()
        except ValidationError:
            _record_failure(attempt, count, "password")
            raise
        # Step 3: the code, of an account that has a second factor.
        person: Any = self.get_user()
        used = None
        if policy.is_used() and factors.factor_of(person) is not None:
            used = factors.use_code(
                person, self.cleaned_data.get("code", ""), actor=_actor(attempt, f"admin:{person}")
            )
            if used is None:
                self.user_cache = None
                _record_failure(attempt, count, "second factor")
                raise self.get_invalid_login_error()
            session_marks.carry(person, used)
        # Step 4: all was right.
        sign_in_limits.succeed(attempt)
        _record_success(attempt, person, used)
        return cleaned


def _record_success(attempt: Attempt, person: Any, used: Used | None) -> None:
    facts = {"after": {"second_factor": used.kind.value}} if used else {}
    _record("sign-in", attempt, actor=f"admin:{person}", target=f"account:{person}", **facts)


def _record_failure(attempt: Attempt, count: Count, part: str) -> None:
    accounts = get_user_model()._default_manager
    account = accounts.filter(username=attempt.name).first()
    _record(
        "sign-in-failed",
        attempt,
        actor="stranger",
        target=f"account:{account}" if account else UNKNOWN,
        after={
            "wrong": part,
            "failures": count.failures,
            "blocked_until": count.blocked_until and count.blocked_until.isoformat(),
        },
    )


def _record(action: str, attempt: Attempt, *, actor: str, target: str, **facts: Any) -> None:
    person = _actor(attempt, actor)
    in_write_transaction(lambda: audit_trail.record(action, actor=person, target=target, **facts))


def _actor(attempt: Attempt, name: str) -> Actor:
    return Actor(name, source_ip=attempt.address or None)
