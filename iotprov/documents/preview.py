"""Preview of a certificate in AWS IoT: its thing, and the policy as it applies to that thing."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from iotprov.documents.versions import Kind
from iotprov.exceptions import DocumentError
from iotprov.json_text.located import NotJSON, read_json
from iotprov.json_text.placeholders import fill
from iotprov.policy.variables import CLIENT_ID, NAME_ATTRIBUTES, resolved, variables_in
from iotprov.template.planned_thing import PlannedThing, certificate_id, plan_for_subject
from pki.csr.check import check_csr
from pki.csr.subjects import name_text
from pki.encoding.reading import (
    UNREADABLE,
    is_certificate,
    read_certificate,
    read_certificate_pem,
    read_csr,
    read_csr_pem,
)
from pki.operators.errors import OperatorError
from pki.record.snapshot import current_snapshot

Source = x509.Certificate | x509.CertificateSigningRequest


@dataclass(frozen=True, slots=True)
class Preview:
    """The thing and the policy that just-in-time provisioning would give a certificate."""

    subject: str
    certificate_id: str
    """Empty for a CSR, which has no certificate yet."""
    thing: PlannedThing
    policy: Mapping[str, Any]
    """The policy with its variables resolved for that thing. Its name is the client ID."""
    unresolved: tuple[str, ...]
    """Variables whose value only a connection has, or that this thing has no value for."""

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        thing = {name: getattr(self.thing, name) for name in self.thing.__slots__}
        return {
            "subject": self.subject,
            "certificate_id": self.certificate_id,
            "thing": {
                **thing,
                "attributes": dict(self.thing.attributes),
                "overrides": asdict(self.thing.overrides),
            },
            "policy": self.policy,
            "unresolved": list(self.unresolved),
        }


@dataclass(frozen=True, slots=True)
class _Identity:
    """The names and the ID of a certificate, which may not be signed yet."""

    subject: x509.Name
    issuer: x509.Name
    certificate_id: str


def parse_source(content: bytes, name: str) -> Source:
    """Read a certificate or CSR, PEM or DER. Raises ``OperatorError``, which names ``name``."""
    loaders: tuple[Callable[[bytes], Source], ...] = (
        read_certificate_pem,
        read_csr_pem,
        read_certificate,
        read_csr,
    )
    for load in loaders:
        with suppress(*UNREADABLE):
            return load(content)
    raise OperatorError(f"{name} is neither a certificate nor a CSR. Give one in PEM or DER.")


def preview(
    certificate_or_csr: Source,
    *,
    template_body: str,
    policy_body: str,
    account: str = "",
    region: str = "",
    partition: str = "aws",
) -> Preview:
    """Return what JITP would make of a certificate, or of the certificate that a CSR would get.

    A CSR is checked by the default profile. Without ``account`` and ``region`` the placeholders
    are not filled. Raises ``TemplateError`` if AWS IoT would refuse the device,
    ``DocumentError`` for a policy that cannot be read, and ``CSRRejected`` or
    ``AuthorityUnavailable`` for a CSR that would not be signed.
    """
    # Step 1: the thing, by the template.
    identity = _identify(certificate_or_csr)
    thing = plan_for_subject(
        template_body, identity.subject, lambda: identity.certificate_id or "0" * 64
    )
    # Step 2: the policy, with placeholders and variables replaced.
    policy = _parsed_policy(policy_body)
    if account and region:
        policy = fill(policy, account=account, region=region, partition=partition)
    policy = _resolved(policy, _values(identity, thing))
    unresolved = (
        variable.name
        for text in _texts(policy)
        for variable in variables_in(text)
        if not variable.is_literal
    )
    return Preview(
        name_text(identity.subject),
        identity.certificate_id,
        thing,
        policy,
        tuple(dict.fromkeys(unresolved)),
    )


def _identify(source: Source) -> _Identity:
    if is_certificate(source):
        return _Identity(source.subject, source.issuer, certificate_id(source))
    profile = current_snapshot().profile("")
    parsed = check_csr(source.public_bytes(Encoding.DER), profile.rules)
    return _Identity(parsed.subject, profile.authority.certificate.subject, "")


def _parsed_policy(body: str) -> Any:
    try:
        return read_json(body).data
    except NotJSON as error:
        raise DocumentError(f"The {Kind.POLICY.noun} cannot be used. {error}") from error


def _values(identity: _Identity, thing: PlannedThing) -> Callable[[str], str | None]:
    """Return the values of variables for a device whose client ID is its thing's name."""
    known: dict[str, str] = {
        CLIENT_ID: thing.thing_name,
        "iot:Connection.Thing.ThingName": thing.thing_name,
        "iot:Connection.Thing.IsAttached": "true",
    }
    if thing.thing_type:
        known["iot:Connection.Thing.ThingTypeName"] = thing.thing_type
    if identity.certificate_id:
        known["iot:CertificateId"] = identity.certificate_id
    for name, value in thing.attributes.items():
        known[f"iot:Connection.Thing.Attributes[{name}]"] = value
    for part, subject in (("Subject", identity.subject), ("Issuer", identity.issuer)):
        for name, oid in NAME_ATTRIBUTES.items():
            found = subject.get_attributes_for_oid(x509.ObjectIdentifier(oid))
            for index, attribute in enumerate(found[:5]):
                known[f"iot:Certificate.{part}.{name}.{index}"] = str(attribute.value)
            if found:
                known[f"iot:Certificate.{part}.{name}"] = str(found[0].value)
    return known.get


def _resolved(data: Any, value_of: Callable[[str], str | None]) -> Any:
    if isinstance(data, dict):
        return {key: _resolved(value, value_of) for key, value in data.items()}
    if isinstance(data, list):
        return [_resolved(value, value_of) for value in data]
    return resolved(data, value_of) if isinstance(data, str) else data


def _texts(data: Any) -> list[str]:
    if isinstance(data, dict | list):
        inner = data.values() if isinstance(data, dict) else data
        return [text for value in inner for text in _texts(value)]
    return [data] if isinstance(data, str) else []


def as_text(found: Preview) -> str:
    """Return the preview as lines of text."""
    thing = found.thing
    pairs = [
        ("subject", found.subject),
        ("certificate ID", found.certificate_id),
        ("thing", thing.thing_name),
        *((f"attribute {name}", value) for name, value in thing.attributes.items()),
        ("thing type", thing.thing_type),
        ("groups", ", ".join(thing.groups)),
        ("billing group", thing.billing_group),
        ("certificate", " ".join((thing.certificate_status, thing.principal_type)).strip()),
        ("policies", ", ".join(thing.policy_names)),
        ("not replaced", ", ".join(f"${{{name}}}" for name in found.unresolved)),
    ]
    lines = [f"{label}: {value}" for label, value in pairs if value]
    return "\n".join([*lines, json.dumps(found.policy, indent=2, ensure_ascii=False)])
