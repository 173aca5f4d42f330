"""System checks of the provisioning template, for `manage.py check`.

Every process registers them, and only commands run them. Each check therefore imports what it needs
by itself, so that the cold start of a Lambda function does not load readers of templates.
"""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core import checks
from django.core.checks import CheckMessage, Error, register
from django.db import DatabaseError

from iotprov.conf import iot_settings


@register()
def check_template(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Check iotprov.E001: the template's file can be read and has no structural error."""
    from iotprov.exceptions import DocumentError
    from iotprov.template.jitp import read_file
    from iotprov.template.reader import read_template

    chosen = iot_settings()
    if not chosen.configure_jitp:
        return []
    path = chosen.template_path
    try:
        _, problems = read_template(read_file(path))
    except DocumentError as error:
        return [Error(str(error), id="iotprov.E001")]
    return [
        Error(f"{path} cannot be used. {problem}", id="iotprov.E001")
        for problem in problems
        if problem.is_error
    ]


@register("database", deploy=False)
def check_profiles(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Check iotprov.W001: every profile in force allows what the template takes of the subject."""
    from iotprov.documents.validation import provisioned_profiles
    from iotprov.documents.versions import body_in_force
    from iotprov.exceptions import DocumentError
    from iotprov.models import DocumentVersion
    from iotprov.template.jitp import unfilled_parameters
    from iotprov.template.reader import read_template

    chosen = iot_settings()
    if not chosen.configure_jitp or not databases:
        return []
    try:
        template, _ = read_template(body_in_force(DocumentVersion.Kind.TEMPLATE))
        profiles = provisioned_profiles()
    except DocumentError:
        return []  # E001 reports it
    except DatabaseError:
        return []  # `migrate` runs checks before it makes the tables
    return [
        checks.Warning(
            f"{profile} does not allow attributes that the provisioning template takes from the "
            f"subject: {', '.join(sorted(unfilled))}.",
            hint=(
                "Devices would enroll and be refused at their first connection to AWS IoT. "
                "Add the attributes to the profile, or take them out of the template."
            ),
            id="iotprov.W001",
        )
        for profile in profiles
        if (unfilled := unfilled_parameters(template.parameters, profile.subject_attributes))
    ]
