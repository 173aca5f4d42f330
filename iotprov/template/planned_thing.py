"""The thing that AWS IoT would make of a certificate by the provisioning template.

In just-in-time provisioning, RegisterThing carries out the template with parameters taken from the
certificate's subject (https://docs.aws.amazon.com/iot/latest/developerguide/jit-provisioning.html).
This module does the same, for registration before the first connection, and for previews.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cryptography import x509
from cryptography.x509.oid import NameOID

from iotprov.conf import iot_settings
from iotprov.exceptions import TemplateError
from iotprov.template.contents import (
    ATTRIBUTE_VALUE,
    THING_NAME,
    Expression,
    Join,
    Overrides,
    Ref,
    Template,
)
from iotprov.template.jitp import ATTRIBUTE_BY_PARAMETER, PREFIX
from iotprov.template.reader import parse_template
from iotprov.template.thing_name_rule import is_named_after_common_name
from pki.csr.subjects import SUBJECT_ATTRIBUTES
from pki.csr.thing_names import shown
from pki.encoding.certificates import fingerprint_of


@dataclass(frozen=True, slots=True)
class PlannedThing:
    """A thing with its certificate, by the template. "" and () where the template has nothing."""

    thing_name: str
    attributes: Mapping[str, str]
    thing_type: str
    groups: tuple[str, ...]
    billing_group: str
    policy_names: tuple[str, ...]
    certificate_status: str
    """``ACTIVE`` or ``INACTIVE``."""
    principal_type: str
    """``EXCLUSIVE_THING``, ``NON_EXCLUSIVE_THING``, or "" for AWS's default (the latter)."""
    has_own_name: bool
    """Whether no other device's thing can have the name (``iotprov.template.thing_name_rule``)."""
    overrides: Overrides
    """What happens to a thing that exists already, as at each renewal."""


def certificate_id(certificate: x509.Certificate) -> str:
    """Return the certificate's ID in AWS IoT: the SHA-256 of its DER, in lower-case hex."""
    return fingerprint_of(certificate)


def plan_thing(template_body: str, certificate: x509.Certificate) -> PlannedThing:
    """Return the thing that JITP would make of ``certificate``.

    ``template_body`` is the text for the target (``iotprov.documents.versions.body_for``). An empty
    PolicyName stands for the installation's policy. Raises ``TemplateError`` if the template has
    errors, names another policy or takes an attribute that the subject lacks, or if AWS IoT would
    refuse a name or value.
    """
    return plan_for_subject(template_body, certificate.subject, lambda: certificate_id(certificate))


def plan_for_subject(
    template_body: str, subject: x509.Name, certificate_id: Callable[[], str]
) -> PlannedThing:
    """Return what ``plan_thing`` does, for a certificate that need not exist yet."""
    # Step 1: the template, and the values that the subject gives its parameters.
    template = parse_template(template_body)
    values = _values(template, subject)

    def text(expression: Expression) -> str:
        if isinstance(expression, Join):
            return expression.delimiter.join(text(part) for part in expression.parts)
        if isinstance(expression, Ref):
            return (
                certificate_id() if expression.parameter == "Id" else values[expression.parameter]
            )
        return expression

    def name(expression: Expression, what: str) -> str:
        return _checked_name(text(expression), what) if expression else ""

    # Step 2: every text of the template, checked as AWS IoT would check it.
    attributes = {
        key: _checked_value(key, text(value)) for key, value in template.attributes.items()
    }
    return PlannedThing(
        thing_name=name(template.thing_name, "The thing name"),
        attributes=MappingProxyType(attributes),
        thing_type=name(template.thing_type, "The thing type"),
        groups=tuple(name(group, "A thing group") for group in template.groups),
        billing_group=name(template.billing_group, "The billing group"),
        policy_names=_policy_names(template),
        certificate_status=template.certificate_status,
        principal_type=template.principal_type,
        has_own_name=is_named_after_common_name(template),
        overrides=template.overrides,
    )


def _values(template: Template, subject: x509.Name) -> dict[str, str]:
    """Return every declared parameter's value. Raises ``TemplateError`` if some have none."""
    values = {}
    missing = []
    for name, parameter in template.parameters.items():
        if name == "Id":
            continue
        value = _subject_value(subject, ATTRIBUTE_BY_PARAMETER[name]) or parameter.default
        if value:
            values[name] = value
        else:
            missing.append(name)
    if missing:
        attributes = ", ".join(ATTRIBUTE_BY_PARAMETER[name] for name in missing)
        raise TemplateError(
            f"The template takes {PREFIX}{missing[0]} from the subject, and this one has no "
            f"{attributes}. AWS IoT would refuse the device at its first connection."
        )
    return values


def _subject_value(subject: x509.Name, attribute: str) -> str:
    oid = NameOID.COMMON_NAME if attribute == "commonName" else SUBJECT_ATTRIBUTES[attribute].oid
    for found in subject.get_attributes_for_oid(oid):
        return str(found.value)  # the first if there are several
    return ""


def _policy_names(template: Template) -> tuple[str, ...]:
    policy_name = iot_settings().policy_name
    for policy in template.policies:
        if policy.name not in ("", policy_name):
            raise TemplateError(
                f"The template attaches the policy {shown(policy.name)}. It may attach only "
                f"{policy_name}."
            )
    return (policy_name,) if template.policies else ()


def _checked_name(name: str, what: str) -> str:
    if not THING_NAME.fullmatch(name):
        raise TemplateError(
            f"{what} would be {shown(name)}, which AWS IoT refuses. It takes 1 to 128 characters "
            "of a-z, A-Z, 0-9, ':', '_' and '-'."
        )
    return name


def _checked_value(name: str, value: str) -> str:
    if not ATTRIBUTE_VALUE.fullmatch(value):
        raise TemplateError(
            f"The attribute {name} would be {shown(value)}, which AWS IoT refuses. It takes up to "
            "800 characters of a-z, A-Z, 0-9 and _.,@/:#=[]-."
        )
    return value
