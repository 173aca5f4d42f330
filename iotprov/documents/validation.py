"""What is wrong with a template or a policy, before AWS IoT gets to see it."""

from collections.abc import Iterable

from iotprov.conf import iot_settings
from iotprov.exceptions import DocumentError
from iotprov.json_text.located import Problem, Severity
from iotprov.models import DocumentVersion
from iotprov.policy.checks import policy_problems
from iotprov.template.contents import Template
from iotprov.template.jitp import ATTRIBUTE_BY_PARAMETER, PREFIX, unfilled_parameters
from iotprov.template.reader import read_template
from pki.choices import IoTProvisioning
from pki.models import CertificateProfile

Kind = DocumentVersion.Kind


def problems_of(kind: str, body: str) -> list[Problem]:
    """Everything that is wrong with a document, errors and warnings, in the order of the text.

    Errors keep it from being pushed.
    """
    return policy_problems(body) if kind == Kind.POLICY else template_problems(body)


def check_document(kind: str, body: str) -> list[Problem]:
    """The document's warnings. Raises ``DocumentError`` naming every error."""
    problems = problems_of(kind, body)
    errors = [problem for problem in problems if problem.is_error]
    if errors:
        told = "; ".join(str(problem) for problem in errors)
        raise DocumentError(f"the {Kind(kind).noun} can't be used: {told}")
    return problems


def template_problems(body: str) -> list[Problem]:
    """What is wrong with a template: in itself, and against policy and profiles of ours."""
    template, problems = read_template(body)
    return sorted([*problems, *_policy_problems(template), *_profile_problems(template)])


def profiles_with_mode() -> list[CertificateProfile]:
    """The profiles in force whose certificates AWS IoT is to know."""
    return list(
        CertificateProfile.objects.exclude(active_label=None).exclude(
            iot_provisioning=IoTProvisioning.NONE
        )
    )


def _policy_problems(template: Template) -> Iterable[Problem]:
    ours = iot_settings().policy_name
    for policy in template.policies:
        if policy.name not in ("", ours):
            yield Problem(
                policy.place,
                Severity.ERROR,
                f"{policy.name[:64]!a} isn't a policy that this server keeps: give {ours!r}, "
                'or "", which is the same',
            )


def _profile_problems(template: Template) -> Iterable[Problem]:
    """Parameters that certificates of ours don't hold.

    A parameter that a profile never lets in is an error: each of its devices would enroll, and
    then never connect. One that it lets in and doesn't ask for is a warning.
    """
    for profile in profiles_with_mode():
        held = profile.subject_attributes
        unfilled = unfilled_parameters(template.parameters, held)
        for name, parameter in template.parameters.items():
            if name in ("Id", "CommonName"):
                continue
            attribute = ATTRIBUTE_BY_PARAMETER[name]
            if name in unfilled and parameter.default is None:
                yield Problem(
                    parameter.place,
                    Severity.ERROR,
                    f"{PREFIX}{name} is declared, and {profile} lets no certificate hold "
                    f"{attribute}: devices would enroll and be refused at their first connection; "
                    "take it out, add the attribute to the profile, or set the profile's "
                    "iot_provisioning to none",
                )
            elif parameter.default is not None:
                yield Problem(
                    parameter.place,
                    Severity.WARNING,
                    f"{PREFIX}{name} has a Default, and AWS's page on JITP says that the "
                    "certificate must hold every parameter: don't count on it",
                )
            elif not (attribute == "serialNumber" and profile.is_serial_number_required):
                yield Problem(
                    parameter.place,
                    Severity.WARNING,
                    f"{profile} doesn't ask for {attribute}: AWS IoT refuses a device whose "
                    "subject lacks it",
                )
