"""Read a CSR (PKCS #10, RFC 2986) part by part, and say which part cannot be read.

`pki.csr.check` says what of it is allowed.
"""

from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import PublicKeyAlgorithmOID

from pki.csr.subjects import joined_attributes
from pki.encoding.key_parameters import csr_has_explicit_curve
from pki.encoding.reading import UNREADABLE, read_csr
from pki.exceptions import CSRRejected
from pki.reasons import Reason

MAX_CSR_BYTES: Final = 16 * 1024
"""An RSA-4096 CSR with a long subject has less than 2 KiB."""

CHANGE_SUBJECT_NAME: Final = x509.ObjectIdentifier("1.3.6.1.5.5.7.7.36")  # RFC 6402 2.8


def parse_csr(der: bytes) -> x509.CertificateSigningRequest:
    """Return the CSR in ``der``, which holds one CSR and nothing after it.

    Raises CSRRejected with BODY_TOO_LARGE above MAX_CSR_BYTES, before anything is parsed, and
    with CSR_MALFORMED. Some parts are parsed on first access, so ``check_csr`` can still find them
    malformed. A CSR with a deviation that is taken answers for its bytes as they came
    (`pki.encoding.deviations`).
    """
    if len(der) > MAX_CSR_BYTES:
        raise CSRRejected(
            Reason.BODY_TOO_LARGE,
            f"The CSR has {len(der)} bytes. Send at most {MAX_CSR_BYTES}, without a chain.",
        )
    try:
        with reading("structure"):
            return read_csr(der)
    except CSRRejected as refusal:
        raise naming_fault(refusal, der) from refusal.__cause__


def check_proof_of_possession(csr: x509.CertificateSigningRequest) -> None:
    """Check that the CSR is signed by the key inside it (RFC 2986 4.2, RFC 7030 3.4).

    A signature with MD5 or SHA-1 is no proof: one made for another text could be carried over to a
    CSR (chosen-prefix collisions). ``cryptography`` does not verify them either.
    Raises CSRRejected with PROOF_OF_POSSESSION_FAILED or CSR_MALFORMED.
    """
    with reading("signature", unsupported=Reason.PROOF_OF_POSSESSION_FAILED):
        hash_algorithm = csr.signature_hash_algorithm
        is_valid = csr.is_signature_valid
    if isinstance(hash_algorithm, hashes.MD5 | hashes.SHA1):
        raise CSRRejected(
            Reason.PROOF_OF_POSSESSION_FAILED,
            f"The CSR is signed with {hash_algorithm.name.upper()}, which is broken. "
            "Sign it with SHA-256.",
        )
    if not is_valid:
        raise CSRRejected(
            Reason.PROOF_OF_POSSESSION_FAILED,
            "The CSR's signature does not verify with the public key inside it. "
            "Sign it with the private key that belongs to that public key.",
        )


def asks_to_change_subject(csr: x509.CertificateSigningRequest) -> bool:
    """Return whether the CSR has the attribute ChangeSubjectName (RFC 7030 4.2.2, RFC 6402 2.8).

    Raises CSRRejected with CSR_MALFORMED when the attributes cannot be read.
    """
    return any(attribute.oid == CHANGE_SUBJECT_NAME for attribute in attributes_of(csr))


def public_key_of(csr: x509.CertificateSigningRequest, der: bytes) -> CertificatePublicKeyTypes:
    """Return the CSR's key, whose encoding is one that a certificate may repeat.

    ``der`` are the CSR's bytes. Raises CSRRejected with KEY_NOT_ALLOWED or CSR_MALFORMED.
    """
    with reading("public key", unsupported=Reason.KEY_NOT_ALLOWED):
        key = csr.public_key()
        is_curve_explicit = isinstance(key, ec.EllipticCurvePublicKey) and csr_has_explicit_curve(
            der
        )
        # Documented, but missing from the library's stubs.
        algorithm_oid = csr.public_key_algorithm_oid  # type: ignore[attr-defined]
    if algorithm_oid == PublicKeyAlgorithmOID.RSASSA_PSS:
        # The library returns a plain RSA key for it, so the certificate would have another
        # SubjectPublicKeyInfo than the device sent.
        raise CSRRejected(
            Reason.KEY_NOT_ALLOWED,
            "The RSA key is bound to PSS signatures (id-RSASSA-PSS). "
            "Make a plain RSA key (rsaEncryption), or a P-256 key.",
        )
    if is_curve_explicit:
        raise CSRRejected(
            Reason.KEY_NOT_ALLOWED,
            "The EC key spells the parameters of its curve out. Name the curve (RFC 5480 2.1.1), "
            "as OpenSSL does with ec_param_enc:named_curve.",
        )
    return key


def attributes_of(csr: x509.CertificateSigningRequest) -> x509.Attributes:
    """Return the CSR's attributes. Raises CSRRejected with CSR_MALFORMED."""
    with reading("attributes"):
        return csr.attributes


class reading:  # noqa: N801  # used as a verb: with reading("subject")
    """Turn what cryptography raises while it reads ``part`` into a refusal.

    A class, because a generator takes several times as long to enter and leave, and each CSR is
    read in six parts.
    """

    __slots__ = ("part", "unsupported")

    def __init__(self, part: str, *, unsupported: Reason = Reason.CSR_MALFORMED) -> None:
        self.part, self.unsupported = part, unsupported

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        # The library's own message is left out: it names Rust types, which help no device maker.
        if isinstance(error, UnsupportedAlgorithm):
            raise CSRRejected(
                self.unsupported,
                f"The CSR's {self.part} uses an algorithm that this server does not know. "
                "Use P-256 and SHA-256.",
            ) from error
        if isinstance(error, UNREADABLE):
            raise CSRRejected(
                Reason.CSR_MALFORMED,
                f"The CSR's {self.part} cannot be read as PKCS #10 in DER (RFC 2986). "
                "Make the CSR with a maintained library.",
            ) from error


def naming_fault(refusal: CSRRejected, der: bytes) -> CSRRejected:
    """Return ``refusal``, or one that names the part of a malformed CSR that is at fault."""
    if refusal.reason is not Reason.CSR_MALFORMED:
        return refusal
    # Imported here: a server whose devices send good CSRs need not load it.
    from pki.encoding.faults import fault_of_csr

    fault = fault_of_csr(der)
    if fault is None:
        return refusal
    if fault.joined_attributes:
        return joined_attributes(fault.joined_attributes)
    message = f"The CSR's {fault.part} {fault.found}. {fault.advice}"
    return CSRRejected(Reason.CSR_MALFORMED, message)
