"""Of whom the configuration asks a second factor. The pages, the checks and the doctor ask here."""

from typing import Any

from django.conf import settings

from estserver.config.second_factor import SecondFactorRule


def rule() -> SecondFactorRule:
    """Return the rule in force."""
    return SecondFactorRule(settings.EST_ADMIN_SECOND_FACTOR)


def is_used() -> bool:
    """Return whether a code is asked of anybody."""
    return rule() is not SecondFactorRule.NONE


def is_required_of(person: Any) -> bool:
    """Return whether ``person`` must have a second factor, as everybody who sees a page."""
    return rule() is SecondFactorRule.REQUIRED and bool(person.is_staff)
