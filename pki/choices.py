"""The words that the configuration, the profiles on record and the rules share.

Each kind of choice is defined here and nowhere else. The values are in databases and configuration
files, so they stay as they are. Nothing here imports Django: the configuration is read before its
settings exist.
"""

from enum import StrEnum
from typing import Self


class Choice(StrEnum):
    """A word with a label for people."""

    label: str

    def __new__(cls, value: str, label: str = "") -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.label = label
        return member

    @classmethod
    def pairs(cls) -> list[tuple[str, str]]:
        """Return values and labels, as a model field's ``choices`` wants them."""
        return [(member.value, member.label) for member in cls]


class IdentityRule(Choice):
    """What ties a thing name to the client that asks for it (``pki.issuance.name_rules``)."""

    FIRST_USE = "first-use", "First use: a name belongs to the client that first enrolled it"
    SAME_CN = "same-cn", "Same CN: only the client certificate's own common name"
    PATTERN = "pattern", "Pattern: what a regular expression finds in the client's CN"
    ALLOW_LIST = "allow-list", "Allow list: the names listed here"
    ANY = "any", "Any name"


RULES_BY_CLIENT_NAME = frozenset({IdentityRule.SAME_CN, IdentityRule.PATTERN})
"""The rules under which a client's name, and not its very certificate, holds a thing name."""


class SANRule(Choice):
    """Which subject alternative names a CSR may ask for (``pki.csr.san``)."""

    NONE = "none", "None"
    OWN_NAME = "own-name", "Names that carry the thing name"
    ANY = "any", "Any DNS name or URI"


class SANExcess(Choice):
    """What happens to requested alternative names that the SAN rule does not allow."""

    DROP = "drop", "Leave them out, and say so in the log and on the audit trail"
    REFUSE = "refuse", "Refuse the CSR"


class POPLinking(Choice):
    """What happens to a challengePassword, which cannot be verified here (RFC 7030 3.5)."""

    IGNORE = "ignore", "Accept, and log it as unverified"
    REFUSE = "refuse", "Refuse"


class IoTProvisioning(Choice):
    """What AWS IoT learns of a certificate, and when."""

    JITP = "jitp", "JITP: AWS IoT makes the thing at the device's first connection"
    REGISTER = "register", "Register: the thing is made before the device connects"
    NONE = "none", "None: AWS IoT isn't told"
