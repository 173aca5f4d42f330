"""Having an intent signed, and looking at what comes back before anyone gets it."""

import logging

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import NameOID
from django.utils import timezone

from pki.exceptions import SignerUnavailable
from pki.intents import CLOCK_TOLERANCE
from pki.models import IssuedCertificate
from pki.prepared import PreparedAuthority, key_matches
from pki.profiles import SigningRequest
from pki.reasons import Reason
from pki.signers import get_signer

logger = logging.getLogger(__name__)


def sign(
    intent: IssuedCertificate, authority: PreparedAuthority, request: SigningRequest
) -> x509.Certificate:
    """Have the CA's signer sign ``request``, and check what it returned before anyone gets it.

    Raises ``SignerRefused`` or ``SignerUnavailable``.
    """
    signer = get_signer(authority.row.signer)
    certificate = signer.sign(request, authority.issuer)
    _check_signed(certificate, intent, authority, is_ours=not signer.chooses_serial_number)
    return certificate


def _check_signed(
    certificate: x509.Certificate,
    intent: IssuedCertificate,
    authority: PreparedAuthority,
    *,
    is_ours: bool,
) -> None:
    """Raise ``SignerUnavailable`` unless this is a certificate for the intent, from its CA.

    For our own signature that catches a key that isn't the CA's; for a PKI outside, everything.
    """
    wrong = ""
    if not key_matches(certificate, intent.key_sha256):
        wrong = "it is for another public key"
    elif (names := _common_names(certificate)) != [intent.common_name]:
        # AWS IoT makes a thing of it, and the row says whose name it is.
        wrong = f"it is for the common name {names}, not {intent.common_name!r}"
    elif certificate.not_valid_after_utc > min(
        intent.not_after + CLOCK_TOLERANCE, authority.issuer.not_after
    ):
        wrong = f"it ends {certificate.not_valid_after_utc}, after {intent.not_after}"
    elif certificate.not_valid_before_utc > timezone.now() + CLOCK_TOLERANCE:
        wrong = f"it begins {certificate.not_valid_before_utc}, in the future"
    elif is_ours and f"{certificate.serial_number:x}" != intent.serial_number:
        wrong = "its serial number isn't the intent's"
    else:
        try:
            certificate.verify_directly_issued_by(authority.certificate)
        except (InvalidSignature, ValueError, TypeError):
            wrong = f"it isn't signed by the CA {authority.row.name}"
    if wrong:
        logger.error("the signer of %s returned an unfit certificate: %s", intent, wrong)
        raise SignerUnavailable(Reason.SIGNER_MISBEHAVED)


def _common_names(certificate: x509.Certificate) -> list[str | bytes]:
    return [name.value for name in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
