"""Just-in-time provisioning (JITP): which parameters there are, and what fills them.

AWS IoT fills a template's parameters from the certificate's subject alone, and refuses a device
whose certificate lacks any declared one:
https://docs.aws.amazon.com/iot/latest/developerguide/jit-provisioning.html
"""

from collections.abc import Collection
from pathlib import Path

from iotprov.exceptions import DocumentError

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

CERTIFICATE_ID = f"{PREFIX}Id"


def read_file(path: Path) -> str:
    """The text of a document's file. Raises ``DocumentError`` when it can't be read."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise DocumentError(f"can't read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DocumentError(f"{path} isn't UTF-8 text") from error


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
