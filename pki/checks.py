"""System checks: what `manage.py check` says of the CA's settings."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, register

from pki.conf import pki_settings
from pki.operators.errors import OperatorError


@register()
def check_signers(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """pki.E001: every configured signer can be made."""
    from pki.signers import get_signer  # a cold start registers this and never runs it

    problems: list[CheckMessage] = []
    for alias in pki_settings().signers:
        try:
            get_signer(alias)
        except OperatorError as error:
            problems.append(Error(str(error), id="pki.E001"))
    return problems
