"""System checks: what `manage.py check` says of the provisioning template."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core import checks
from django.core.checks import CheckMessage, Error, register
from django.db import DatabaseError

from iotprov.conf import iot_settings
from iotprov.jitp import TemplateError, declared_parameters, unfilled_parameters
from pki.models import CertificateProfile


@register()
def check_template(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """iotprov.E001: the template can be read and asks only for what JITP knows."""
    chosen = iot_settings()
    if not chosen.is_jitp_configured:
        return []
    try:
        declared_parameters(chosen.template_path)
    except TemplateError as error:
        return [Error(str(error), id="iotprov.E001")]
    return []


@register("database", deploy=False)
def check_profiles(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """iotprov.W001: every profile in force allows what the template takes from the subject."""
    chosen = iot_settings()
    if not chosen.is_jitp_configured or not databases:
        return []
    try:
        declared = declared_parameters(chosen.template_path)
    except TemplateError:
        return []  # E001 says so
    try:
        profiles = list(CertificateProfile.objects.exclude(active_label=None))
    except DatabaseError:
        return []  # `migrate` checks too, before it has made the table
    return [
        checks.Warning(
            f"{profile} lets no certificate hold what the provisioning template asks for: "
            f"{', '.join(sorted(unfilled))}",
            hint=(
                "Devices would enroll and be refused at their first connection to AWS IoT. "
                "Add the attributes to the profile, or take them out of the template."
            ),
            id="iotprov.W001",
        )
        for profile in profiles
        if (unfilled := unfilled_parameters(declared, profile.subject_attributes))
    ]
