"""Provisioning templates for just-in-time provisioning (JITP): what they ask of a certificate.

AWS IoT fills a template's parameters from the certificate's subject alone, and refuses a device
whose certificate lacks any declared one:
https://docs.aws.amazon.com/iot/latest/developerguide/jit-provisioning.html
"""

import json
from collections.abc import Collection
from pathlib import Path

PREFIX = "AWS::IoT::Certificate::"

ATTRIBUTE_BY_PARAMETER = {
    "CommonName": "commonName",
    "Country": "countryName",
    "DistinguishedNameQualifier": "dnQualifier",
    "Organization": "organizationName",
    "OrganizationalUnit": "organizationalUnitName",
    "SerialNumber": "serialNumber",
    "StateName": "stateOrProvinceName",
}
"""The parameters that exist, and the subject attribute each is filled from; ``Id`` is AWS's own."""


class TemplateError(Exception):
    """The provisioning template can't be used; says what is wrong with it."""


def declared_parameters(path: Path) -> set[str]:
    """The JITP parameters that the template in ``path`` declares, without their common prefix.

    Raises ``TemplateError`` for a file that isn't a template, or a parameter that doesn't exist.
    """
    try:
        template = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TemplateError(f"can't read {path}: {error.strerror}") from error
    except ValueError as error:
        raise TemplateError(f"{path} isn't JSON: {error}") from error
    parameters = template.get("Parameters") if isinstance(template, dict) else None
    if not isinstance(parameters, dict):
        raise TemplateError(f"{path} isn't a provisioning template: it has no Parameters")
    names = {name.removeprefix(PREFIX) for name in parameters}
    unknown = sorted(names - ATTRIBUTE_BY_PARAMETER.keys() - {"Id"})
    if unknown:
        raise TemplateError(
            f"{path} declares {PREFIX}{unknown[0]}, which JITP doesn't know; it knows "
            f"{', '.join(sorted(ATTRIBUTE_BY_PARAMETER))} and Id"
        )
    return names


def unfilled_parameters(declared: Collection[str], subject_attributes: Collection[str]) -> set[str]:
    """The declared parameters that a subject with only these attributes (and CN) leaves empty.

    A device with such a certificate would enroll, and be refused at its first connection.
    """
    present = {"commonName", *subject_attributes}
    return {
        parameter
        for parameter in declared
        if parameter != "Id" and ATTRIBUTE_BY_PARAMETER[parameter] not in present
    }
