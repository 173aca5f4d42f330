"""The form with which a person signs in: it bounds guesses and leaves a row on the audit trail."""

import datetime
import logging
import math
from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError

from estserver.people import sign_in_limits
from estserver.people.sign_in_limits import Attempt, Count
from pki.exceptions import Busy
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.record.transactions import in_write_transaction

logger = logging.getLogger(__name__)

UNKNOWN = "account:unknown"
"""The target of an attempt with a name that no account has. It may be a password, mistyped."""


class SignInForm(AdminAuthenticationForm):
    """Django's form, with limits. What it answers does not tell which part was wrong."""

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
            raise ValidationError(
                "Too many attempts to sign in have failed. Wait %(minutes)d min, then try again.",
                code="too_many",
                params={"minutes": math.ceil(count.total_seconds() / 60)},
            )
        # Step 2: the password.
        try:
            cleaned = super().clean()
        except ValidationError:
            _record_failure(attempt, count)
            raise
        # Step 3: it was right.
        sign_in_limits.succeed(attempt)
        person = self.get_user()
        _record("sign-in", attempt, actor=f"admin:{person}", target=f"account:{person}")
        return cleaned


def _record_failure(attempt: Attempt, count: Count) -> None:
    accounts = get_user_model()._default_manager
    account = accounts.filter(username=attempt.name).first()
    _record(
        "sign-in-failed",
        attempt,
        actor="stranger",
        target=f"account:{account}" if account else UNKNOWN,
        after={
            "failures": count.failures,
            "blocked_until": count.blocked_until and count.blocked_until.isoformat(),
        },
    )


def _record(action: str, attempt: Attempt, *, actor: str, target: str, **facts: Any) -> None:
    person = Actor(actor, source_ip=attempt.address or None)
    in_write_transaction(lambda: audit_trail.record(action, actor=person, target=target, **facts))
