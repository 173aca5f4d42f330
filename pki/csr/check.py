"""Reading a CSR (PKCS #10, RFC 2986) and judging it by a profile's rules.

``check_csr`` is the one way in. What it returns is all that may leave a CSR: the public key, the
subject and the subject alternative name. Other extensions that a client asks for, be it
``CA:TRUE``, are left behind without a word, since real clients send them out of habit; the
profile alone says what a certificate can do.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import AttributeOID, PublicKeyAlgorithmOID

from pki.choices import POPLinking, SANRule
from pki.csr.key_algorithms import KEY_ALGORITHMS, KeyAlgorithm
from pki.csr.public_keys import check_public_key, public_key_sha256
from pki.csr.san import check_san
from pki.csr.subjects import SUBJECT_ATTRIBUTES, check_subject
from pki.csr.thing_names import check_client_name, check_common_name
from pki.encoding.certificates import san_of
from pki.exceptions import CSRRejected
from pki.reasons import Reason

MAX_CSR_BYTES: Final = 16 * 1024  # an RSA-4096 CSR with a long subject stays below 2 KiB
MAX_ATTRIBUTES: Final = 16
MAX_EXTENSIONS: Final = 32

CHANGE_SUBJECT_NAME: Final = x509.ObjectIdentifier("1.3.6.1.5.5.7.7.36")  # RFC 6402 2.8

# What cryptography raises for a CSR that it can't read; much of it only when a part is looked at.
# UserWarning: it warns of names of a wrong length, which is an exception under `python -W error`.
_UNREADABLE: Final = (
    ValueError,
    TypeError,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    UserWarning,
)

# We check those lengths ourselves, and refuse: no client gets to write into our stderr.
warnings.filterwarnings("ignore", message="Attribute's length must be", module=r"pki\.csr")


@dataclass(frozen=True)
class CSRRules:
    """What a certificate profile demands of a CSR. Raises ValueError for words unknown here."""

    key_algorithms: frozenset[str] = frozenset(KEY_ALGORITHMS) - {KeyAlgorithm.EC_P521}
    serial_number_required: bool = False
    subject_attributes: frozenset[str] = frozenset()  # of SUBJECT_ATTRIBUTES, beside CN
    san_rule: SANRule = SANRule.NONE
    pop_linking: POPLinking = POPLinking.REFUSE
    thing_name_required: bool = True  # False: the common name may be any text (clients)

    def __post_init__(self) -> None:
        for what, given, known in (
            ("key algorithm", self.key_algorithms, KEY_ALGORITHMS),
            ("subject attribute", self.subject_attributes, tuple(SUBJECT_ATTRIBUTES)),
            ("SAN rule", {self.san_rule}, tuple(SANRule)),
            ("POP linking rule", {self.pop_linking}, tuple(POPLinking)),
        ):
            if unknown := sorted(set(given).difference(known)):
                raise ValueError(
                    f"there is no {what} {unknown[0]!r}: use one of {', '.join(known)}"
                )
        if not self.key_algorithms:
            raise ValueError("no key algorithm is allowed, so no CSR could pass: name one")
        if self.serial_number_required:
            # What is demanded is allowed.
            object.__setattr__(
                self, "subject_attributes", self.subject_attributes | {"serialNumber"}
            )


@dataclass(frozen=True)
class ParsedCSR:
    """A CSR that passed every check, and what of it may enter a certificate."""

    der: bytes
    csr: x509.CertificateSigningRequest
    common_name: str
    device_serial: str  # the subject's serialNumber; "" if none
    subject: x509.Name  # written afresh, see pki.csr.subjects.check_subject
    san: x509.SubjectAlternativeName | None  # written afresh; only DNS names and URIs
    key_sha256: str  # of the SubjectPublicKeyInfo, in hex
    key_algorithm: str  # one of pki.csr.public_keys.KEY_ALGORITHMS
    carries_challenge_password: bool  # unverified; its value is never read


def check_csr(der: bytes, rules: CSRRules) -> ParsedCSR:
    """Read a DER CSR, check it by ``rules`` and return what may be signed.

    Raises CSRRejected, with the reason, and nothing else, whatever the bytes are.
    """
    csr = parse_csr(der)
    # The key first: it decides how much work the signature's verification can be.
    key = _public_key(csr)
    key_algorithm = check_public_key(key, rules.key_algorithms)
    check_proof_of_possession(csr)

    with _reading("subject"):
        requested_subject = csr.subject
    subject = check_subject(
        requested_subject,
        allowed=rules.subject_attributes,
        check_name=check_common_name if rules.thing_name_required else check_client_name,
    )
    if rules.serial_number_required and not subject.device_serial:
        raise CSRRejected(
            Reason.SERIAL_NUMBER_REQUIRED,
            "The subject has no serialNumber, which the profile asks for: "
            "add the device's serial number (OID 2.5.4.5).",
        )
    return ParsedCSR(
        der=der,
        csr=csr,
        common_name=subject.common_name,
        device_serial=subject.device_serial,
        subject=subject.name,
        san=_checked_san(csr, common_name=subject.common_name, rule=rules.san_rule),
        key_sha256=public_key_sha256(key),
        key_algorithm=key_algorithm,
        carries_challenge_password=_check_challenge_password(csr, rules.pop_linking),
    )


def parse_csr(der: bytes) -> x509.CertificateSigningRequest:
    """Read one CSR in DER, with nothing after it.

    Raises CSRRejected with BODY_TOO_LARGE above MAX_CSR_BYTES, before anything is parsed, and
    with CSR_MALFORMED. Parts of the CSR are only read when looked at; ``check_csr`` does.
    """
    if len(der) > MAX_CSR_BYTES:
        raise CSRRejected(
            Reason.BODY_TOO_LARGE,
            f"The CSR has {len(der)} bytes; send at most {MAX_CSR_BYTES}: no chain, no attachment.",
        )
    with _reading("structure"):
        return x509.load_der_x509_csr(der)


def check_proof_of_possession(csr: x509.CertificateSigningRequest) -> None:
    """Check that the CSR is signed by the key inside it (RFC 2986 4.2, RFC 7030 3.4).

    MD5 and SHA-1 prove nothing here: a signature made for another text could be carried over
    to a CSR (chosen-prefix collisions), and the library doesn't verify them any more either.
    Raises CSRRejected with PROOF_OF_POSSESSION_FAILED or CSR_MALFORMED.
    """
    with _reading("signature", unsupported=Reason.PROOF_OF_POSSESSION_FAILED):
        hash_algorithm = csr.signature_hash_algorithm
        is_valid = csr.is_signature_valid
    if isinstance(hash_algorithm, hashes.MD5 | hashes.SHA1):
        raise CSRRejected(
            Reason.PROOF_OF_POSSESSION_FAILED,
            f"The CSR is signed with {hash_algorithm.name.upper()}, which is broken: "
            "sign it with SHA-256.",
        )
    if not is_valid:
        raise CSRRejected(
            Reason.PROOF_OF_POSSESSION_FAILED,
            "The CSR's signature doesn't verify with the public key inside it: "
            "sign it with the private key that belongs to it.",
        )


def asks_to_change_subject(csr: x509.CertificateSigningRequest) -> bool:
    """Say whether the CSR carries ChangeSubjectName (RFC 7030 4.2.2, RFC 6402 2.8).

    Raises CSRRejected with CSR_MALFORMED when the attributes can't be read.
    """
    return any(attribute.oid == CHANGE_SUBJECT_NAME for attribute in _attributes(csr))


@contextmanager
def _reading(part: str, *, unsupported: Reason = Reason.CSR_MALFORMED) -> Iterator[None]:
    """Turn whatever cryptography raises while it reads ``part`` into a refusal."""
    try:
        yield
    # Without the library's own words: they name Rust types, which help no device maker.
    except UnsupportedAlgorithm as error:
        raise CSRRejected(
            unsupported,
            f"The CSR's {part} uses an algorithm that this server doesn't know: "
            "use P-256 and SHA-256.",
        ) from error
    except _UNREADABLE as error:
        raise CSRRejected(
            Reason.CSR_MALFORMED,
            f"The CSR's {part} can't be read as PKCS #10 in DER (RFC 2986): "
            "look at it with 'openssl req -inform DER -text'.",
        ) from error


def _public_key(csr: x509.CertificateSigningRequest) -> CertificatePublicKeyTypes:
    with _reading("public key", unsupported=Reason.KEY_NOT_ALLOWED):
        key = csr.public_key()
        # Documented, but missing from the library's stubs.
        algorithm_oid = csr.public_key_algorithm_oid  # type: ignore[attr-defined]
    if algorithm_oid == PublicKeyAlgorithmOID.RSASSA_PSS:
        # The library makes a plain RSA key of it, and the certificate would then hold another
        # SubjectPublicKeyInfo than the device sent.
        raise CSRRejected(
            Reason.KEY_NOT_ALLOWED,
            "The RSA key is bound to PSS signatures (id-RSASSA-PSS); "
            "make a plain one (rsaEncryption), or a P-256 key.",
        )
    return key


def _attributes(csr: x509.CertificateSigningRequest) -> x509.Attributes:
    with _reading("attributes"):
        return csr.attributes


def _check_challenge_password(csr: x509.CertificateSigningRequest, rule: POPLinking) -> bool:
    """Return whether a challengePassword is there; raise if there is and the rule says so.

    RFC 7030 3.5 has a server verify the value against the TLS session, which ends at the
    gateway, out of our reach. So it is refused, or let pass and called unverified.
    """
    attributes = _attributes(csr)
    if len(attributes) > MAX_ATTRIBUTES:
        raise CSRRejected(
            Reason.CSR_TOO_COMPLEX,
            f"The CSR has {len(attributes)} attributes; send at most {MAX_ATTRIBUTES}.",
        )
    is_there = any(attribute.oid == AttributeOID.CHALLENGE_PASSWORD for attribute in attributes)
    if is_there and rule == POPLinking.REFUSE:
        raise CSRRejected(
            Reason.POP_LINKING_UNVERIFIABLE,
            "The CSR carries a challengePassword, which can't be checked against the TLS session "
            "here (RFC 7030 3.5): leave it out.",
        )
    return is_there


def _checked_san(
    csr: x509.CertificateSigningRequest, *, common_name: str, rule: SANRule
) -> x509.SubjectAlternativeName | None:
    """Return the requested SAN, written afresh, or None if there is none; raise if not allowed."""
    with _reading("extensions"):
        extensions = csr.extensions
    if len(extensions) > MAX_EXTENSIONS:
        raise CSRRejected(
            Reason.CSR_TOO_COMPLEX,
            f"The CSR asks for {len(extensions)} extensions; send at most {MAX_EXTENSIONS}.",
        )
    requested = san_of(extensions)
    if requested is None:
        return None
    return check_san(requested, common_name=common_name, rule=rule)
