"""Problems of a template or policy, found before it is pushed to AWS IoT."""

from collections.abc import Iterable

from iotprov.conf import iot_settings
from iotprov.exceptions import DocumentError
from iotprov.json_text.located import Problem, Severity
from iotprov.models import DocumentVersion
from iotprov.policy.checks import policy_problems
from iotprov.template.contents import Template
from iotprov.template.jitp import ATTRIBUTE_BY_PARAMETER, PREFIX
from iotprov.template.lacking_attributes import lacking_attributes
from iotprov.template.reader import read_template
from iotprov.template.thing_name_rule import thing_name_problems
from pki.choices import IoTProvisioning
from pki.models import CertificateProfile

Kind = DocumentVersion.Kind


def problems_of(kind: str, body: str, *, is_kept: bool = False) -> list[Problem]:
    """Return all errors and warnings of a document, in the order of the text.

    Errors keep it from being recorded and pushed. ``is_kept`` says that an earlier release took
    it (``iotprov.documents.kept``): what only a new text is refused for is a warning then.
    """
    if kind == Kind.POLICY:
        return policy_problems(body)
    return template_problems(body, is_kept=is_kept)


def check_document(kind: str, body: str, *, is_kept: bool = False) -> list[Problem]:
    """Return the document's warnings. Raises ``DocumentError``, which names every error."""
    problems = problems_of(kind, body, is_kept=is_kept)
    errors = [problem for problem in problems if problem.is_error]
    if errors:
        sentences = " ".join(str(problem) for problem in errors)
        raise DocumentError(f"The {Kind(kind).noun} cannot be used. {sentences}")
    return problems


def template_problems(body: str, *, is_kept: bool = False) -> list[Problem]:
    """Return the problems of a template, in itself and with the policy and the profiles."""
    template, problems = read_template(body)
    if not any(problem.is_error for problem in problems):  # else the name may be unreadable
        severity = Severity.WARNING if is_kept else Severity.ERROR
        problems += thing_name_problems(template, severity)
    return sorted([*problems, *_policy_problems(template), *_profile_problems(template)])


def provisioned_profiles() -> list[CertificateProfile]:
    """Return the profiles in force whose certificates are provisioned in AWS IoT."""
    return list(
        CertificateProfile.objects.exclude(active_label=None).exclude(
            iot_provisioning=IoTProvisioning.NONE
        )
    )


def _policy_problems(template: Template) -> Iterable[Problem]:
    policy_name = iot_settings().policy_name
    for policy in template.policies:
        if policy.name not in ("", policy_name):
            yield Problem(
                policy.place,
                Severity.ERROR,
                f"{policy.name[:64]!a} is not this server's policy. Give {policy_name!r}, or "
                '"", which means the same.',
            )


def _profile_problems(template: Template) -> Iterable[Problem]:
    """Yield the parameters that certificates of a profile in force do not fill.

    A parameter whose attribute a profile does not allow is an error: each of its devices would
    enroll and never connect. One that the profile allows and does not require is a warning.
    """
    for profile in provisioned_profiles():
        lacking = lacking_attributes(template, profile)
        for name, parameter in template.parameters.items():
            if name in ("Id", "CommonName"):
                continue
            attribute = ATTRIBUTE_BY_PARAMETER[name]
            # Case 1: no certificate of the profile can have the attribute.
            if attribute in lacking.never:
                yield Problem(
                    parameter.place,
                    Severity.ERROR,
                    f"{PREFIX}{name} is declared, and {profile} allows no {attribute} in a "
                    "certificate. Devices would enroll and be refused at their first connection. "
                    "Take the parameter out, add the attribute to the profile, or set the "
                    "profile's iot_provisioning to none.",
                )
            # Case 2: AWS documents Default, and contradicts it for JITP.
            elif parameter.default is not None:
                yield Problem(
                    parameter.place,
                    Severity.WARNING,
                    f"{PREFIX}{name} has a Default, and AWS's page on JITP says that the "
                    "certificate must have every parameter. Do not rely on the Default.",
                )
            # Case 3: a certificate may lack the attribute.
            elif attribute in lacking.perhaps:
                yield Problem(
                    parameter.place,
                    Severity.WARNING,
                    f"{profile} does not require {attribute}. AWS IoT refuses a device whose "
                    "subject lacks it.",
                )
