"""CAs as AWS IoT holds them: found, compared, registered, changed. Keeps no record of ours.

https://docs.aws.amazon.com/iot/latest/apireference/API_RegisterCACertificate.html
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from cryptography import x509

from iotprov.client import calling, is_code
from iotprov.conf import IoTTarget, setting_name
from pki.aws.clients import READ_TIMEOUT
from pki.encoding.certificates import fingerprint_of, pem_of
from pki.operators.errors import OperatorError, RemoteFailure

logger = logging.getLogger(__name__)

COURTESY_SECONDS = READ_TIMEOUT - 1
"""The read timeout of calls that we can do without; below the usual, nothing is repeated."""


@dataclass(frozen=True, slots=True)
class RegisteredCA:
    """A CA as AWS IoT describes it."""

    certificate_id: str
    arn: str
    status: str
    """``ACTIVE`` or ``INACTIVE``."""
    mode: str
    """``DEFAULT`` or ``SNI_ONLY``; "" when AWS didn't say."""
    is_auto_registration_on: bool
    template_name: str
    certificate: x509.Certificate | None
    """``None`` for one that can't be read."""


@dataclass(frozen=True, slots=True)
class DesiredRegistration:
    """What AWS IoT should hold of a CA."""

    status: str
    mode: str
    template_name: str
    """Our provisioning template, whether or not it is in use."""
    is_jitp_on: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that AWS holds otherwise than it should."""

    what: str
    found: str
    wanted: str

    def __str__(self) -> str:
        return f"{self.what} {self.found} -> {self.wanted}"


@dataclass(frozen=True, slots=True)
class Search:
    """What became of looking for a CA."""

    found: RegisteredCA | None
    namesakes: frozenset[str] = frozenset()
    """The ids of other CAs with its subject, as far as AWS let us see them."""


def find_registered(
    certificate: x509.Certificate, target: IoTTarget, *, known_id: str = ""
) -> Search:
    """Look for the CA by its certificate: by the id on record, by AWS's rule for ids, in the list.

    AWS's id of a CA is the SHA-256 of its DER. The list is for what follows no rule; being refused
    it is no failure, since AWS itself registers no CA twice. Raises ``RemoteFailure``.
    """
    held = find_by_id(certificate, target, known_id=known_id)
    if held is not None:
        return Search(held)
    namesakes: set[str] = set()
    try:
        for held in list_registered(target):
            if held.certificate == certificate:
                return Search(held, frozenset(namesakes))
            if held.certificate is not None and held.certificate.subject == certificate.subject:
                namesakes.add(held.certificate_id)
    except RemoteFailure as failure:
        logger.info("the registered CAs weren't all looked at: %s", failure)
    return Search(None, frozenset(namesakes))


def find_by_id(
    certificate: x509.Certificate, target: IoTTarget, *, known_id: str = ""
) -> RegisteredCA | None:
    """The CA of this certificate, under ``known_id`` or AWS's id for it.

    Raises ``RemoteFailure``.
    """
    for certificate_id in filter(None, dict.fromkeys((known_id, fingerprint_of(certificate)))):
        held = describe(certificate_id, target)
        if held is not None and held.certificate == certificate:
            return held
    return None


def list_registered(target: IoTTarget) -> Iterator[RegisteredCA]:
    """Every CA that the target holds, ours or not, page by page. Raises ``RemoteFailure``."""
    for certificate_id in _listed_ids(target):
        held = describe(certificate_id, target)
        if held is not None:  # deleted meanwhile
            yield held


def describe(certificate_id: str, target: IoTTarget) -> RegisteredCA | None:
    """The CA of that id; ``None`` when there is none. Raises ``RemoteFailure``."""
    try:
        with calling(target, "iot", "DescribeCACertificate") as iot:
            answer = iot.describe_ca_certificate(certificateId=certificate_id)
    except RemoteFailure as failure:
        if is_code(failure, "ResourceNotFoundException"):
            return None
        raise
    description = answer["certificateDescription"]
    template_name = (answer.get("registrationConfig") or {}).get("templateName", "")
    # Where it isn't said, a template speaks for it: it is there for nothing else.
    auto_registration = description.get("autoRegistrationStatus") or (
        "ENABLE" if template_name else "DISABLE"
    )
    return RegisteredCA(
        certificate_id=certificate_id,
        arn=description.get("certificateArn", ""),
        status=description.get("status", ""),
        mode=description.get("certificateMode", ""),
        is_auto_registration_on=auto_registration == "ENABLE",
        template_name=template_name,
        certificate=_read(description.get("certificatePem", "")),
    )


def differences(held: RegisteredCA, wanted: DesiredRegistration) -> tuple[Difference, ...]:
    """What an update has to change.

    Without JITP, auto registration is somebody else's (JITR has uses of its own) and left alone,
    unless it works with our template, or the CA is no longer to be trusted.
    """
    found = []
    if held.status != wanted.status:
        found.append(Difference("status", held.status, wanted.status))
    is_ours = held.template_name == wanted.template_name
    if wanted.is_jitp_on:
        if not held.is_auto_registration_on:
            found.append(Difference("auto registration", "off", "on"))
        if not is_ours:
            found.append(Difference("template", held.template_name or "none", wanted.template_name))
    elif held.is_auto_registration_on and (is_ours or wanted.status != "ACTIVE"):
        found.append(Difference("auto registration", "on", "off"))
    return tuple(found)


def update(held: RegisteredCA, wanted: DesiredRegistration, target: IoTTarget) -> RegisteredCA:
    """Bring a registered CA to what is wanted; its mode can't be changed. Raises ``OperatorError``.

    Returns what AWS holds then. Nothing is called when nothing differs.
    """
    changing = {difference.what for difference in differences(held, wanted)}
    if not changing:
        return held
    parameters: dict[str, Any] = {}
    after = held
    if "status" in changing:
        parameters["newStatus"] = wanted.status
        after = replace(after, status=wanted.status)
    if changing & {"auto registration", "template"}:
        if wanted.is_jitp_on:
            parameters["newAutoRegistrationStatus"] = "ENABLE"
            parameters["registrationConfig"] = {"templateName": wanted.template_name}
        else:
            parameters["newAutoRegistrationStatus"] = "DISABLE"
            parameters["removeAutoRegistration"] = True
        after = replace(
            after,
            is_auto_registration_on=wanted.is_jitp_on,
            template_name=wanted.template_name if wanted.is_jitp_on else "",
        )
    with calling(target, "iot", "UpdateCACertificate") as iot:
        iot.update_ca_certificate(certificateId=held.certificate_id, **parameters)
    return after


def register(
    certificate: x509.Certificate,
    wanted: DesiredRegistration,
    target: IoTTarget,
    *,
    verification: x509.Certificate | None,
    tags: tuple[tuple[str, str], ...],
) -> RegisteredCA:
    """Register a CA that wasn't found; returns what AWS holds then.

    ``verification`` proves, in mode DEFAULT, that the CA's key is ours. When AWS says that the CA
    is there already, which it does after an answer that got lost, the one it names is compared
    and taken. Raises ``RemoteFailure``, or ``OperatorError`` when the template is missing.
    """
    parameters: dict[str, Any] = {
        "caCertificate": pem_of(certificate),
        "setAsActive": wanted.status == "ACTIVE",
        "certificateMode": wanted.mode,  # AWS would take DEFAULT
    }
    if verification is not None:
        parameters["verificationCertificate"] = pem_of(verification)
    if wanted.is_jitp_on:
        parameters["allowAutoRegistration"] = True
        parameters["registrationConfig"] = {"templateName": wanted.template_name}
    if tags:
        parameters["tags"] = [{"Key": key, "Value": value} for key, value in tags]
    try:
        with calling(target, "iot", "RegisterCACertificate") as iot:
            answer = iot.register_ca_certificate(**parameters)
    except RemoteFailure as failure:
        if is_code(failure, "ResourceNotFoundException") and wanted.is_jitp_on:
            raise _template_missing(wanted.template_name, target) from failure
        if not is_code(failure, "ResourceAlreadyExistsException"):
            raise
        held = describe(failure.details.get("resourceId") or fingerprint_of(certificate), target)
        if held is None or held.certificate != certificate:
            raise
        return held
    return RegisteredCA(
        certificate_id=answer["certificateId"],
        arn=answer["certificateArn"],
        status=wanted.status,
        mode=wanted.mode,
        is_auto_registration_on=wanted.is_jitp_on,
        template_name=wanted.template_name if wanted.is_jitp_on else "",
        certificate=certificate,
    )


def registration_code(target: IoTTarget) -> str:
    """What the common name of a verification certificate has to be. Raises ``RemoteFailure``."""
    with calling(target, "iot", "GetRegistrationCode") as iot:
        return str(iot.get_registration_code()["registrationCode"])


def check_template(name: str, target: IoTTarget) -> None:
    """Raise ``OperatorError`` when the target hasn't the provisioning template, or of another type.

    Who may register CAs needn't be allowed to look at templates: what can't be seen is left to
    AWS, which looks for the template itself.
    """
    try:
        with calling(
            target, "iot", "DescribeProvisioningTemplate", read_timeout=COURTESY_SECONDS
        ) as iot:
            template = iot.describe_provisioning_template(templateName=name)
    except RemoteFailure as failure:
        if is_code(failure, "ResourceNotFoundException"):
            raise _template_missing(name, target) from failure
        logger.info("the provisioning template wasn't looked at: %s", failure)
        return
    kind = template.get("type", "JITP")
    if kind != "JITP":
        raise OperatorError(
            f"the provisioning template {name} at {target.name} is of type {kind}, and JITP takes "
            f"one of type JITP: choose another {setting_name('template_name')}, and run "
            "sync_template"
        )


def _template_missing(name: str, target: IoTTarget) -> OperatorError:
    return OperatorError(
        f"{target.name} has no provisioning template {name}: run sync_policy, sync_template and "
        "register_ca, in this order"
    )


def _listed_ids(target: IoTTarget) -> Iterator[str]:
    with calling(target, "iot", "ListCACertificates", read_timeout=COURTESY_SECONDS) as iot:
        for page in iot.get_paginator("list_ca_certificates").paginate():
            for listed in page["certificates"]:
                yield listed["certificateId"]


def _read(pem: str) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        return None
