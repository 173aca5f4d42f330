"""System checks: what `manage.py check` says of the provisioning template.

Registered in every process and run by commands alone, so each imports what it needs itself: a cold
start, which registers them too, shouldn't pay for readers of templates and policies.
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
    """iotprov.E001: the template's file can be read, and nothing about its structure is wrong."""
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
        Error(f"{path}: {problem}", id="iotprov.E001") for problem in problems if problem.is_error
    ]


@register("database", deploy=False)
def check_profiles(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """iotprov.W001: every profile in force allows what the template takes from the subject."""
    from iotprov.documents.validation import profiles_with_mode
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
        profiles = profiles_with_mode()
    except DocumentError:
        return []  # E001 says so
    except DatabaseError:
        return []  # `migrate` checks too, before it has made the tables
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
        if (unfilled := unfilled_parameters(template.parameters, profile.subject_attributes))
    ]
