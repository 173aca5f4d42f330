"""CAs in AWS IoT: find, register, change. This module does not touch the database.

https://docs.aws.amazon.com/iot/latest/apireference/API_RegisterCACertificate.html
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from cryptography import x509

from iotprov.authorities.registration import DesiredRegistration, RegisteredCA, differences
from iotprov.client import calling, is_code
from iotprov.conf import IoTTarget, setting_name
from pki.aws.clients import READ_TIMEOUT
from pki.encoding.certificates import fingerprint_of, pem_of
from pki.encoding.reading import UNREADABLE, read_certificate_pem
from pki.operators.errors import OperatorError, RemoteFailure

logger = logging.getLogger(__name__)

COURTESY_SECONDS = READ_TIMEOUT - 1
"""Read timeout of calls that may fail, in seconds. Below the usual one, no call is repeated."""


@dataclass(frozen=True, slots=True)
class Search:
    """The result of a search for a CA."""

    found: RegisteredCA | None
    namesakes: frozenset[str] = frozenset()
    """The ids of other CAs with its subject, as far as AWS allowed them to be read."""


def find_registered(
    certificate: x509.Certificate, target: IoTTarget, *, known_id: str = ""
) -> Search:
    """Find the CA by its certificate: by the id on record, by AWS's usual id, then in AWS's list.

    AWS's usual id of a CA is the SHA-256 of its DER. If AWS refuses the list, the CA counts as not
    found, which is safe because AWS registers no CA twice. Raises ``RemoteFailure``.
    """
    registered = find_by_id(certificate, target, known_id=known_id)
    if registered is not None:
        return Search(registered)
    namesakes: set[str] = set()
    try:
        for registered in list_registered(target):
            if registered.certificate == certificate:
                return Search(registered, frozenset(namesakes))
            if (
                registered.certificate is not None
                and registered.certificate.subject == certificate.subject
            ):
                namesakes.add(registered.certificate_id)
    except RemoteFailure as failure:
        logger.info("not all registered CAs were read: %s", failure)
    return Search(None, frozenset(namesakes))


def find_by_id(
    certificate: x509.Certificate, target: IoTTarget, *, known_id: str = ""
) -> RegisteredCA | None:
    """Return the CA of this certificate under ``known_id`` or AWS's usual id, or ``None``.

    Raises ``RemoteFailure``.
    """
    for certificate_id in filter(None, dict.fromkeys((known_id, fingerprint_of(certificate)))):
        registered = describe(certificate_id, target)
        if registered is not None and registered.certificate == certificate:
            return registered
    return None


def list_registered(target: IoTTarget) -> Iterator[RegisteredCA]:
    """Yield every CA at the target, on record or not. Raises ``RemoteFailure``."""
    for certificate_id in _listed_ids(target):
        registered = describe(certificate_id, target)
        if registered is not None:  # else deleted meanwhile
            yield registered


def describe(certificate_id: str, target: IoTTarget) -> RegisteredCA | None:
    """Return the CA of that id, or ``None``. Raises ``RemoteFailure``."""
    try:
        with calling(target, "iot", "DescribeCACertificate") as iot:
            answer = iot.describe_ca_certificate(certificateId=certificate_id)
    except RemoteFailure as failure:
        if is_code(failure, "ResourceNotFoundException"):
            return None
        raise
    description = answer["certificateDescription"]
    template_name = (answer.get("registrationConfig") or {}).get("templateName", "")
    # If AWS does not name the status, a template means that it is on: it has no other use.
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


def update(
    registered: RegisteredCA, desired: DesiredRegistration, target: IoTTarget
) -> RegisteredCA:
    """Make a registered CA as desired, except for its mode, which AWS cannot change.

    Returns the CA as AWS has it then. AWS is not called if nothing differs. Raises
    ``OperatorError``.
    """
    changing = {difference.what for difference in differences(registered, desired)}
    if not changing:
        return registered
    parameters: dict[str, Any] = {}
    after = registered
    if "status" in changing:
        parameters["newStatus"] = desired.status
        after = replace(after, status=desired.status)
    if changing & {"auto registration", "template"}:
        if desired.is_jitp_on:
            parameters["newAutoRegistrationStatus"] = "ENABLE"
            parameters["registrationConfig"] = {"templateName": desired.template_name}
        else:
            parameters["newAutoRegistrationStatus"] = "DISABLE"
            parameters["removeAutoRegistration"] = True
        after = replace(
            after,
            is_auto_registration_on=desired.is_jitp_on,
            template_name=desired.template_name if desired.is_jitp_on else "",
        )
    with calling(target, "iot", "UpdateCACertificate") as iot:
        iot.update_ca_certificate(certificateId=registered.certificate_id, **parameters)
    return after


def register(
    certificate: x509.Certificate,
    desired: DesiredRegistration,
    target: IoTTarget,
    *,
    verification: x509.Certificate | None,
    tags: tuple[tuple[str, str], ...],
) -> RegisteredCA:
    """Register a CA that was not found; returns the CA as AWS has it then.

    ``verification`` proves possession of the CA's key in the mode DEFAULT. After a lost answer AWS
    reports that the CA exists. Then the CA that AWS names is compared and returned. Raises
    ``RemoteFailure``, or ``OperatorError`` if the template is missing.
    """
    # Step 1: the parameters. AWS's own default for the mode is DEFAULT.
    parameters: dict[str, Any] = {
        "caCertificate": pem_of(certificate),
        "setAsActive": desired.status == "ACTIVE",
        "certificateMode": desired.mode,
    }
    if verification is not None:
        parameters["verificationCertificate"] = pem_of(verification)
    if desired.is_jitp_on:
        parameters["allowAutoRegistration"] = True
        parameters["registrationConfig"] = {"templateName": desired.template_name}
    if tags:
        parameters["tags"] = [{"Key": key, "Value": value} for key, value in tags]

    # Step 2: the call. What AWS has already is taken if it is the same certificate.
    try:
        with calling(target, "iot", "RegisterCACertificate") as iot:
            answer = iot.register_ca_certificate(**parameters)
    except RemoteFailure as failure:
        if is_code(failure, "ResourceNotFoundException") and desired.is_jitp_on:
            raise _template_missing(desired.template_name, target) from failure
        if not is_code(failure, "ResourceAlreadyExistsException"):
            raise
        registered = describe(
            failure.details.get("resourceId") or fingerprint_of(certificate), target
        )
        if registered is None or registered.certificate != certificate:
            raise
        return registered

    # Step 3: AWS's answer has the ids only. The rest is as the parameters asked.
    return RegisteredCA(
        certificate_id=answer["certificateId"],
        arn=answer["certificateArn"],
        status=desired.status,
        mode=desired.mode,
        is_auto_registration_on=desired.is_jitp_on,
        template_name=desired.template_name if desired.is_jitp_on else "",
        certificate=certificate,
    )


def registration_code(target: IoTTarget) -> str:
    """Return AWS's code for the common name of a verification certificate.

    Raises ``RemoteFailure``.
    """
    with calling(target, "iot", "GetRegistrationCode") as iot:
        return str(iot.get_registration_code()["registrationCode"])


def check_template(name: str, target: IoTTarget) -> None:
    """Raise ``OperatorError`` if the target has no such provisioning template for JITP.

    A role that may register CAs need not be allowed to read templates. If AWS refuses to describe
    the template, nothing is raised, because AWS checks for the template at registration.
    """
    try:
        with calling(
            target, "iot", "DescribeProvisioningTemplate", read_timeout=COURTESY_SECONDS
        ) as iot:
            template = iot.describe_provisioning_template(templateName=name)
    except RemoteFailure as failure:
        if is_code(failure, "ResourceNotFoundException"):
            raise _template_missing(name, target) from failure
        logger.info("the provisioning template was not read: %s", failure)
        return
    kind = template.get("type", "JITP")
    if kind != "JITP":
        raise OperatorError(
            f"The provisioning template {name} at {target.name} is of type {kind}, and JITP takes "
            f"one of type JITP. Choose another {setting_name('template_name')}, and run "
            "sync_template."
        )


def _template_missing(name: str, target: IoTTarget) -> OperatorError:
    return OperatorError(
        f"{target.name} has no provisioning template {name}. Run sync_policy, sync_template and "
        "register_ca, in this order."
    )


def _listed_ids(target: IoTTarget) -> Iterator[str]:
    with calling(target, "iot", "ListCACertificates", read_timeout=COURTESY_SECONDS) as iot:
        for page in iot.get_paginator("list_ca_certificates").paginate():
            for listed in page["certificates"]:
                yield listed["certificateId"]


def _read(pem: str) -> x509.Certificate | None:
    try:
        return read_certificate_pem(pem.encode())
    except UNREADABLE:
        return None
