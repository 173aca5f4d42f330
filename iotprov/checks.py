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
    """Check iotprov.E001 and W002: the template's file can be read, and names things by devices."""
    from iotprov.exceptions import DocumentError
    from iotprov.json_text.located import Severity
    from iotprov.template.jitp import read_file
    from iotprov.template.reader import read_template
    from iotprov.template.thing_name_rule import thing_name_problems

    chosen = iot_settings()
    if not chosen.configure_jitp:
        return []
    path = chosen.template_path
    try:
        template, problems = read_template(read_file(path))
    except DocumentError as error:
        return [Error(str(error), id="iotprov.E001")]
    errors = [problem for problem in problems if problem.is_error]
    if errors:
        return [Error(f"{path} cannot be used. {each}", id="iotprov.E001") for each in errors]
    # A warning, because the database says whether the file is in force: check_names goes on.
    return [
        checks.Warning(f"{path}: {problem}", hint=_NAMES_HINT, id="iotprov.W002")
        for problem in thing_name_problems(template, Severity.WARNING)
    ]


@register("database", deploy=False)
def check_names(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Check iotprov.E002 and W002: the template in force gives each device a thing of its own.

    A template that an earlier release recorded, pushed or made things with goes on with a warning:
    an error would stop ``migrate``, and with it the installation.
    """
    from iotprov.documents.kept import is_kept
    from iotprov.documents.validation import provisioned_profiles
    from iotprov.documents.versions import body_in_force, current
    from iotprov.exceptions import DocumentError
    from iotprov.json_text.located import Severity
    from iotprov.models import DocumentVersion, Provisioning
    from iotprov.template.reader import parse_template
    from iotprov.template.thing_name_rule import thing_name_problems

    kind = DocumentVersion.Kind.TEMPLATE
    if not databases:
        return []
    try:
        if not iot_settings().configure_jitp and not provisioned_profiles():
            return []
        body, version = body_in_force(kind), current(kind)
        problems = thing_name_problems(parse_template(body), Severity.ERROR)
        if not problems:
            return []
        has_made_things = Provisioning.objects.exclude(thing_name="").exists()
        is_accepted = is_kept(kind, body) or (version is None and has_made_things)
    except DocumentError:
        return []  # E001 reports it
    except DatabaseError:
        return []  # `migrate` runs checks before it makes the tables
    if is_accepted and version is None and iot_settings().configure_jitp:
        return []  # check_template has warned of the file
    make, number = (checks.Warning, "W002") if is_accepted else (Error, "E002")
    what = f"The provisioning template {version or 'of the configured file'}"
    return [
        make(f"{what}: {problem}", hint=_NAMES_HINT, id=f"iotprov.{number}") for problem in problems
    ]


_NAMES_HINT = (
    "Write a template whose ThingName is the common name, and push it with sync_template. Things "
    "that exist keep their names. A new text of this kind is refused."
)


@register("database", deploy=False)
def check_profiles(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Check iotprov.W001: certificates of every profile in force have what the template takes."""
    from iotprov.documents.validation import provisioned_profiles
    from iotprov.documents.versions import body_in_force
    from iotprov.exceptions import DocumentError
    from iotprov.models import DocumentVersion
    from iotprov.provisioning.impossible_things import uses_template
    from iotprov.template.lacking_attributes import lacking_attributes
    from iotprov.template.reader import read_template

    if not databases:
        return []
    try:
        template, _ = read_template(body_in_force(DocumentVersion.Kind.TEMPLATE))
        profiles = [each for each in provisioned_profiles() if uses_template(each.iot_provisioning)]
    except DocumentError:
        return []  # E001 reports it
    except DatabaseError:
        return []  # `migrate` runs checks before it makes the tables
    return [
        checks.Warning(
            lacking.sentence(str(profile)),
            hint=(
                "Devices without them would enroll and be refused at their first connection to "
                "AWS IoT. Take the parameters out of the template, or see that every CSR has the "
                "attributes."
            ),
            id="iotprov.W001",
        )
        for profile in profiles
        if (lacking := lacking_attributes(template, profile))
    ]
