"""Check a subject, and write names as text (X.520, RFC 5280).

A device's own encoding of its subject does not enter the certificate. Each attribute is checked by
the limits of X.520 (RFC 5280 appendix A.1) and encoded anew, so AWS IoT, the database and the
denylist read the same text.
"""

import re
from collections.abc import Callable, Set
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from pki.csr.thing_names import check_common_name, normal_serial, shown
from pki.exceptions import CSRRejected
from pki.reasons import Reason

MAX_RDNS: Final = 16
_LETTERS: Final = re.compile(r"[A-Za-z]{2}")
_PRINTABLE_STRING: Final = re.compile(r"[A-Za-z0-9 '()+,\-./:=?]+")  # X.680 41.4
_IA5_STRING: Final = re.compile(r"[ -~]+")  # the visible part of it


@dataclass(frozen=True)
class SubjectAttribute:
    """A kind of subject attribute that a profile may allow beside the common name."""

    name: str
    oid: x509.ObjectIdentifier
    max_length: int  # characters
    alphabet: re.Pattern[str] | None = None  # None: any text (UTF8String)
    wanted: str = ""  # the alphabet, in words
    is_repeatable: bool = False


_PRINTABLE_IN_WORDS: Final = "letters, digits, space and '()+,-./:=?"

# The limits are the ub-... of RFC 5280 appendix A.1, with three exceptions. It has none for
# dnQualifier, so 64 is this project's choice. RFC 1274 9.3.1 has userId's. A domainComponent is one
# DNS label (RFC 2247 2).
SUBJECT_ATTRIBUTES: Final[dict[str, SubjectAttribute]] = {
    attribute.name: attribute
    for attribute in (
        SubjectAttribute("countryName", NameOID.COUNTRY_NAME, 2, _LETTERS, "two letters"),
        SubjectAttribute("stateOrProvinceName", NameOID.STATE_OR_PROVINCE_NAME, 128),
        SubjectAttribute("localityName", NameOID.LOCALITY_NAME, 128),
        SubjectAttribute("organizationName", NameOID.ORGANIZATION_NAME, 64),
        SubjectAttribute(
            "organizationalUnitName", NameOID.ORGANIZATIONAL_UNIT_NAME, 64, is_repeatable=True
        ),
        SubjectAttribute(
            "serialNumber", NameOID.SERIAL_NUMBER, 64, _PRINTABLE_STRING, _PRINTABLE_IN_WORDS
        ),
        SubjectAttribute(
            "dnQualifier", NameOID.DN_QUALIFIER, 64, _PRINTABLE_STRING, _PRINTABLE_IN_WORDS
        ),
        SubjectAttribute("userId", NameOID.USER_ID, 256),
        SubjectAttribute("emailAddress", NameOID.EMAIL_ADDRESS, 255, _IA5_STRING, "ASCII"),
        SubjectAttribute(
            "domainComponent",
            NameOID.DOMAIN_COMPONENT,
            63,
            _IA5_STRING,
            "ASCII",
            is_repeatable=True,
        ),
    )
}
_ATTRIBUTE_BY_OID: Final = {attribute.oid: attribute for attribute in SUBJECT_ATTRIBUTES.values()}


@dataclass(frozen=True)
class CheckedSubject:
    """A subject that may enter a certificate, encoded anew."""

    name: x509.Name
    common_name: str
    device_serial: str  # the serialNumber attribute, by `normal_serial`; "" if there is none


def check_subject(
    subject: x509.Name,
    *,
    allowed: Set[str],
    check_name: Callable[[str], None] = check_common_name,
) -> CheckedSubject:
    """Check a requested subject, and return it encoded anew, in the same order.

    ``allowed`` names the SUBJECT_ATTRIBUTES that may accompany the common name, and ``check_name``
    checks the common name. Strings become UTF8String, or PrintableString and IA5String where
    RFC 5280 appendix A.1 says so.

    Raises CSRRejected: CSR_TOO_COMPLEX, SUBJECT_NOT_ALLOWED or one of the COMMON_NAME reasons.
    """
    if len(subject.rdns) > MAX_RDNS:
        raise CSRRejected(
            Reason.CSR_TOO_COMPLEX,
            f"The subject has {len(subject.rdns)} parts. Send at most {MAX_RDNS}.",
        )
    common_names: list[str] = []
    others: dict[str, str] = {}
    checked: list[x509.NameAttribute[str | bytes]] = []
    for rdn in subject.rdns:
        if len(rdn) != 1:
            raise joined_attributes(len(rdn))
        (attribute,) = rdn
        value = attribute.value
        if attribute.oid == NameOID.COMMON_NAME and isinstance(value, str):
            common_names.append(value)
            # Before the attribute is built below, which would raise for a long value.
            check_name(value)
        else:
            name = _check_attribute(attribute, allowed=allowed)
            if name in others and not SUBJECT_ATTRIBUTES[name].is_repeatable:
                raise CSRRejected(
                    Reason.SUBJECT_NOT_ALLOWED,
                    f"The subject has more than one {name}. Send one.",
                )
            others[name] = str(value)
        checked.append(x509.NameAttribute(attribute.oid, value))
    if not common_names:
        raise CSRRejected(
            Reason.COMMON_NAME_MISSING,
            "The CSR's subject has no common name. Put the thing name into CN.",
        )
    if len(common_names) > 1:
        raise CSRRejected(
            Reason.COMMON_NAME_AMBIGUOUS,
            f"The CSR's subject has {len(common_names)} common names. Send exactly one CN.",
        )
    return CheckedSubject(
        x509.Name(checked), common_names[0], normal_serial(others.get("serialNumber", ""))
    )


def joined_attributes(count: int) -> CSRRejected:
    """Return the refusal of an RDN of ``count`` attributes.

    It is legal, but software differs on which attribute comes first, and so on the name.
    """
    return CSRRejected(
        Reason.SUBJECT_NOT_ALLOWED,
        f"The subject has a part that joins {count} attributes with '+'. "
        "Send each attribute as a part of its own.",
    )


def _check_attribute(attribute: x509.NameAttribute[str | bytes], *, allowed: Set[str]) -> str:
    """Return the name of an attribute beside the common name. Raises CSRRejected."""
    kind = _ATTRIBUTE_BY_OID.get(attribute.oid)
    if kind is None or kind.name not in allowed:
        found = kind.name if kind else f"the attribute {attribute.oid.dotted_string[:64]}"
        wanted = ", ".join(["commonName", *(n for n in SUBJECT_ATTRIBUTES if n in allowed)])
        raise CSRRejected(
            Reason.SUBJECT_NOT_ALLOWED,
            f"The subject has {found}. The profile allows {wanted}. Leave it out.",
        )
    value = attribute.value
    if not isinstance(value, str) or not 1 <= len(value) <= kind.max_length:
        raise CSRRejected(
            Reason.SUBJECT_NOT_ALLOWED,
            f"The subject's {kind.name} is {len(value)} characters long. "
            f"Send 1 to {kind.max_length}.",
        )
    # isprintable: no control, format (bidi), private or unassigned character, and no separator
    # but the plain space.
    if not value.isprintable() or value.isspace():
        raise CSRRejected(
            Reason.SUBJECT_NOT_ALLOWED,
            f"The subject's {kind.name} {shown(value)} is blank or has invisible characters. "
            "Send visible text.",
        )
    if kind.alphabet and not kind.alphabet.fullmatch(value):
        raise CSRRejected(
            Reason.SUBJECT_NOT_ALLOWED,
            f"The subject's {kind.name} is {shown(value)}. Use only {kind.wanted}.",
        )
    return kind.name


_NAMES_IN_TEXT: Final = {
    attribute.oid: attribute.name
    for attribute in SUBJECT_ATTRIBUTES.values()
    if attribute.name in {"dnQualifier", "emailAddress", "serialNumber"}
}


def name_text(name: x509.Name) -> str:
    """Return a name as RFC 4514 text, with ``serialNumber`` and its like as words, not OIDs."""
    return name.rfc4514_string(_NAMES_IN_TEXT)


_PART_OF_TEXT: Final = re.compile(r"(?:\\.|[^,\\])+")


def common_name_in_text(text: str) -> str:
    """Return the common name in what ``name_text`` wrote; "" if there is none (RFC 4514 3)."""
    parts = _PART_OF_TEXT.findall(text)
    found = next((part[3:] for part in parts if part.startswith("CN=")), "")
    return re.sub(r"\\(.)", r"\1", found)
