"""Just-in-time provisioning (JITP): the parameters, and the subject attributes that fill them.

AWS IoT fills a template's parameters from the certificate's subject only. It refuses a device whose
certificate lacks a declared parameter:
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
"""The parameters, and the subject attribute that fills each. AWS fills ``Id`` by itself."""

CERTIFICATE_ID = f"{PREFIX}Id"


def read_file(path: Path) -> str:
    """Return the text of a document's file. Raises ``DocumentError`` if it cannot be read.

    A byte order mark, which editors on Windows write, is left out (RFC 8259 8.1 allows that).
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DocumentError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise DocumentError(f"{path} is not UTF-8 text. Save it as UTF-8.") from error


def unfilled_parameters(declared: Collection[str], subject_attributes: Collection[str]) -> set[str]:
    """Return the declared parameters that a subject with these attributes and a CN leaves empty.

    A device with such a certificate would enroll, and AWS IoT would refuse its first connection.
    """
    present = {"commonName", *subject_attributes}
    return {
        parameter
        for parameter in declared
        if parameter != "Id" and ATTRIBUTE_BY_PARAMETER[parameter] not in present
    }
