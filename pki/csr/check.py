"""Read a CSR (PKCS #10, RFC 2986) and check it by a profile's rules.

Callers use ``check_csr``. It returns all that may enter a certificate: the public key, the subject
and the subject alternative name. Other requested extensions, even ``CA:TRUE``, are ignored without
a refusal, because real clients send them out of habit. The profile alone decides what a
certificate can do.
"""

from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import AttributeOID

from pki.choices import POPLinking, SANExcess, SANRule
from pki.csr.key_algorithms import KEY_ALGORITHMS, KeyAlgorithm
from pki.csr.public_keys import check_public_key, public_key_sha256
from pki.csr.reading import (
    attributes_of,
    check_proof_of_possession,
    naming_fault,
    parse_csr,
    public_key_of,
    reading,
)
from pki.csr.san import CheckedSAN, check_san, is_server_name
from pki.csr.subjects import SUBJECT_ATTRIBUTES, check_subject
from pki.csr.thing_names import check_client_name, check_common_name, shown
from pki.encoding.certificates import san_of
from pki.encoding.reading import is_rewritten, rewritten_csr
from pki.exceptions import CSRRejected
from pki.reasons import Reason

MAX_ATTRIBUTES: Final = 16
MAX_EXTENSIONS: Final = 32


@dataclass(frozen=True)
class CSRRules:
    """What a certificate profile demands of a CSR. Raises ValueError for an unknown word."""

    key_algorithms: frozenset[str] = frozenset(KEY_ALGORITHMS) - {KeyAlgorithm.EC_P521}
    serial_number_required: bool = False
    subject_attributes: frozenset[str] = frozenset()  # of SUBJECT_ATTRIBUTES, beside CN
    san_rule: SANRule = SANRule.NONE
    san_excess: SANExcess = SANExcess.REFUSE
    own_names: frozenset[str] = frozenset()  # the server's host names, never certified
    pop_linking: POPLinking = POPLinking.REFUSE
    thing_name_required: bool = True  # False: the common name may be any text (clients)

    def __post_init__(self) -> None:
        for what, given, known in (
            ("key algorithm", self.key_algorithms, KEY_ALGORITHMS),
            ("subject attribute", self.subject_attributes, tuple(SUBJECT_ATTRIBUTES)),
            ("SAN rule", {self.san_rule}, tuple(SANRule)),
            ("SAN excess", {self.san_excess}, tuple(SANExcess)),
            ("POP linking rule", {self.pop_linking}, tuple(POPLinking)),
        ):
            if unknown := sorted(set(given).difference(known)):
                raise ValueError(
                    f"There is no {what} {unknown[0]!r}. Use one of {', '.join(known)}."
                )
        if not self.key_algorithms:
            raise ValueError("No key algorithm is allowed, so no CSR could pass. Name one.")
        if self.serial_number_required:
            # A required attribute is an allowed one.
            object.__setattr__(
                self, "subject_attributes", self.subject_attributes | {"serialNumber"}
            )


@dataclass(frozen=True)
class ParsedCSR:
    """A CSR that passed every check, and those of its parts that may enter a certificate."""

    der: bytes
    csr: x509.CertificateSigningRequest
    common_name: str
    device_serial: str  # the subject's serialNumber, by `normal_serial`; "" if none
    subject: x509.Name  # encoded anew, see pki.csr.subjects.check_subject
    names: CheckedSAN  # the alternative names: those that may enter, and those left out
    public_key: CertificatePublicKeyTypes
    key_sha256: str  # of the SubjectPublicKeyInfo, in hex
    key_algorithm: str  # one of pki.csr.key_algorithms.KEY_ALGORITHMS
    carries_challenge_password: bool  # not verified; its value is not read

    @property
    def san(self) -> x509.SubjectAlternativeName | None:
        """The requested SAN that may enter a certificate, encoded anew."""
        return self.names.san


def check_csr(der: bytes, rules: CSRRules) -> ParsedCSR:
    """Read a CSR in DER, check it by ``rules``, and return what may be signed.

    Raises CSRRejected with the reason, and nothing else, whatever the bytes are.
    """
    csr = parse_csr(der)
    try:
        return _check_parsed(csr, der, rules)
    except CSRRejected as refusal:
        if refusal.reason is not Reason.CSR_MALFORMED:
            raise
        # Some parts are parsed on first access, so a deviation that is taken can show only now.
        rewritten = None if is_rewritten(csr) else rewritten_csr(der)
        if rewritten is None:
            raise naming_fault(refusal, der) from refusal.__cause__
    try:
        return _check_parsed(rewritten, der, rules)
    except CSRRejected as refusal:
        raise naming_fault(refusal, der) from refusal.__cause__


def _check_parsed(csr: x509.CertificateSigningRequest, der: bytes, rules: CSRRules) -> ParsedCSR:
    """Check a parsed CSR, of which ``der`` are the bytes as they came. Raises CSRRejected."""
    # Step 1: the key, because its size decides how long verifying the signature takes.
    key = public_key_of(csr, der)
    key_algorithm = check_public_key(key, rules.key_algorithms)
    # Step 2: the signature.
    check_proof_of_possession(csr)
    # Step 3: the subject, the SAN and the attributes.
    with reading("subject"):
        requested_subject = csr.subject
    subject = check_subject(
        requested_subject,
        allowed=rules.subject_attributes,
        check_name=check_common_name if rules.thing_name_required else check_client_name,
    )
    if is_server_name(subject.common_name, rules.own_names):
        raise CSRRejected(
            Reason.COMMON_NAME_NOT_ALLOWED,
            f"The common name {shown(subject.common_name)} is this server's own name. "
            "Choose another.",
        )
    if rules.serial_number_required and not subject.device_serial:
        raise CSRRejected(
            Reason.SERIAL_NUMBER_REQUIRED,
            "The subject has no serialNumber, which the profile requires. "
            "Add the device's serial number (OID 2.5.4.5).",
        )
    return ParsedCSR(
        der=der,
        csr=csr,
        common_name=subject.common_name,
        device_serial=subject.device_serial,
        subject=subject.name,
        names=_checked_san(csr, common_name=subject.common_name, rules=rules),
        public_key=key,
        key_sha256=public_key_sha256(key),
        key_algorithm=key_algorithm,
        carries_challenge_password=_check_challenge_password(csr, rules.pop_linking),
    )


def _check_challenge_password(csr: x509.CertificateSigningRequest, rule: POPLinking) -> bool:
    """Return whether the CSR has a challengePassword. Raises CSRRejected if ``rule`` refuses it.

    RFC 7030 3.5 has a server compare the value with the TLS session. That session ends at the
    gateway, so the value is either refused, or accepted and logged as unverified.
    """
    attributes = attributes_of(csr)
    if len(attributes) > MAX_ATTRIBUTES:
        raise CSRRejected(
            Reason.CSR_TOO_COMPLEX,
            f"The CSR has {len(attributes)} attributes. Send at most {MAX_ATTRIBUTES}.",
        )
    is_there = any(attribute.oid == AttributeOID.CHALLENGE_PASSWORD for attribute in attributes)
    if is_there and rule == POPLinking.REFUSE:
        raise CSRRejected(
            Reason.POP_LINKING_UNVERIFIABLE,
            "The CSR has a challengePassword, which cannot be compared with the TLS session here "
            "(RFC 7030 3.5). Leave it out.",
        )
    return is_there


def _checked_san(
    csr: x509.CertificateSigningRequest, *, common_name: str, rules: CSRRules
) -> CheckedSAN:
    """Return what is certified of the requested SAN. Raises CSRRejected."""
    with reading("extensions"):
        extensions = csr.extensions
    if len(extensions) > MAX_EXTENSIONS:
        raise CSRRejected(
            Reason.CSR_TOO_COMPLEX,
            f"The CSR asks for {len(extensions)} extensions. Send at most {MAX_EXTENSIONS}.",
        )
    requested = san_of(extensions)
    if requested is None:
        return CheckedSAN(None, ())
    return check_san(
        requested,
        common_name=common_name,
        rule=rules.san_rule,
        excess=rules.san_excess,
        own_names=rules.own_names,
    )
