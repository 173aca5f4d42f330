"""The variables that an AWS IoT policy may use. Unlike IAM's, they are a closed set.

AWS does not replace a variable that it does not know, and does not report it. A misspelt one
matches nothing, and in a ``Deny`` statement denies nothing.
https://docs.aws.amazon.com/iot/latest/developerguide/iot-policy-variables.html
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

THING_NAME = "iot:Connection.Thing.ThingName"
CLIENT_ID = "iot:ClientId"
COMMON_NAME = "iot:Certificate.Subject.CommonName"

NAME_ATTRIBUTES = {
    "CommonName": "2.5.4.3",
    "Country": "2.5.4.6",
    "DistinguishedNameQualifier": "2.5.4.46",
    "GenerationQualifier": "2.5.4.44",
    "GivenName": "2.5.4.42",
    "Initials": "2.5.4.43",
    "Organization": "2.5.4.10",
    "OrganizationalUnit": "2.5.4.11",
    "Pseudonym": "2.5.4.65",
    "SerialNumber": "2.5.4.5",
    "State": "2.5.4.8",
    "Surname": "2.5.4.4",
    "Title": "2.5.4.12",
}
"""The name attributes that policies can use, with their OIDs (X.520)."""

_ALTERNATIVE_NAMES = (
    "RFC822Name",
    "DNSName",
    "DirectoryName",
    "UniformResourceIdentifier",
    "IPAddress",
)

KNOWN = (
    "aws:SourceIp",
    CLIENT_ID,
    "iot:DomainName",
    THING_NAME,
    "iot:Connection.Thing.ThingTypeName",
    "iot:Connection.Thing.IsAttached",
    "iot:Connection.Thing.Attributes[...]",
    "iot:CertificateId",
    "iot:Certificate.SerialNumber",
    "iot:Certificate.AvailableKeys",
    *(f"iot:Certificate.{who}.{name}" for who in ("Subject", "Issuer") for name in NAME_ATTRIBUTES),
    *(
        f"iot:Certificate.{who}.AlternativeName.{name}"
        for who in ("Subject", "Issuer")
        for name in _ALTERNATIVE_NAMES
    ),
)

_LITERALS = frozenset("*?$")  # ${*} is an asterisk, and not a wildcard
_ATTRIBUTE = re.compile(r"iot:Connection\.Thing\.Attributes\[[a-zA-Z0-9_.,@/:#-]{1,128}\]")
_INDEXED = re.compile(r"(?P<name>iot:Certificate\.(?:Subject|Issuer)\..+?)\.(?:[0-4]|List)")
_VARIABLE = re.compile(r"\$\{([^{}]*)(\}?)")


@dataclass(frozen=True, slots=True)
class Variable:
    """One ``${...}``. It is not closed if the brace at its end is missing."""

    name: str
    is_closed: bool

    @property
    def is_literal(self) -> bool:
        """Return whether it stands for a character with a special meaning, as ``${*}`` does."""
        return self.name in _LITERALS

    @property
    def is_known(self) -> bool:
        """Return whether AWS IoT puts a value in its place."""
        return self.is_closed and (self.is_literal or is_known_key(self.name))


def is_known_key(name: str) -> bool:
    """Return whether AWS IoT has a variable or condition key of that name."""
    indexed = _INDEXED.fullmatch(name)
    plain = indexed["name"] if indexed else name
    return plain in KNOWN or _ATTRIBUTE.fullmatch(name) is not None


def variables_in(text: str) -> Iterator[Variable]:
    """Return every ``${...}`` of a string."""
    for match in _VARIABLE.finditer(text):
        yield Variable(match[1], bool(match[2]))


def resolved(text: str, value_of: Callable[[str], str | None]) -> str:
    """Return ``text`` with the variables replaced, as AWS IoT evaluates a policy.

    A variable without a value is not replaced, nor is one whose value has a wildcard:
    https://docs.aws.amazon.com/iot/latest/developerguide/cert-policy-variables.html
    """

    def replacement(match: re.Match[str]) -> str:
        value = value_of(match[1]) if match[2] and match[1] not in _LITERALS else None
        return match[0] if value is None or set(value) & {"*", "?"} else value

    return _VARIABLE.sub(replacement, text)
