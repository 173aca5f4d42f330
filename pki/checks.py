"""System checks of the CA's settings, for ``manage.py check``."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, register

from pki.conf import pki_settings
from pki.operators.errors import OperatorError


@register()
def check_signers(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Report each configured signer that cannot be made, as pki.E001."""
    from pki.signers import (
        get_signer,
    )  # imported here, because a cold start registers this check and does not run it

    problems: list[CheckMessage] = []
    for alias in pki_settings().signers:
        try:
            get_signer(alias)
        except OperatorError as error:
            problems.append(Error(str(error), id="pki.E001"))
    return problems
