"""System checks of the CA's settings, for ``manage.py check``."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register

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


@register(Tags.database)
def check_rebinding(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Report each profile in force under which names can be taken over, as pki.W001.

    Django runs this only where databases are named: ``manage.py check --database default``.
    """
    from django.db import Error as DatabaseError

    from pki.models import CertificateProfile  # a cold start does not run this check

    if not databases:
        return []
    rebinding = CertificateProfile.objects.exclude(active_label=None).filter(can_rebind_names=True)
    try:
        names = list(rebinding.order_by("name").values_list("name", flat=True))
    except DatabaseError:  # not migrated yet, which another check reports
        return []
    return [
        checks.Warning(
            f"Under the profile {name} a client may take a thing name over from the client that "
            "holds it.",
            hint=f"Switch that off: manage.py profile_set {name} can_rebind_names=false "
            "--reason ... Move the names of a factory certificate that is replaced with "
            "rebind_names.",
            id="pki.W001",
        )
        for name in names
    ]


@register(Tags.database)
def check_client_cas(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Report each profile in force that several client CAs share unnamed, as pki.W002."""
    from django.db import Error as DatabaseError

    from pki.models import CertificateProfile  # a cold start does not run this check
    from pki.record.profile_labels import accepts_every_client_ca

    if not databases:
        return []
    in_force = CertificateProfile.objects.exclude(active_label=None).order_by("name")
    try:
        names = [profile.name for profile in in_force if accepts_every_client_ca(profile)]
    except DatabaseError:  # not migrated yet, which another check reports
        return []
    return [
        checks.Warning(
            f"The profile {name} accepts clients of every client CA on record, of which there are "
            "several.",
            hint=f"Name the CAs whose clients may use it: manage.py profile_set {name} "
            "client_cas=CA,CA --reason ...",
            id="pki.W002",
        )
        for name in names
    ]
