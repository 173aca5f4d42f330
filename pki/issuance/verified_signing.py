"""Have an intent signed, and check the certificate before a client gets it."""

import logging

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import NameOID
from django.utils import timezone

from pki.conf import pki_settings
from pki.csr.check import ParsedCSR
from pki.csr.public_keys import key_matches
from pki.csr.san import folded, is_own_name, name_texts
from pki.encoding.certificates import is_signed_by, san_of, serial_number_text
from pki.encoding.reading import UNREADABLE
from pki.exceptions import CSRRejected, SignerUnavailable
from pki.models import IssuedCertificate
from pki.reasons import Reason
from pki.record.intents import CLOCK_TOLERANCE
from pki.record.snapshot import AuthoritySnapshot
from pki.signers import get_signer
from pki.signers.certificate_contents import SigningRequest

logger = logging.getLogger(__name__)


def signing_request(
    intent: IssuedCertificate,
    csr: ParsedCSR,
    *,
    subject: x509.Name,
    san: x509.SubjectAlternativeName | None,
    tenant_id: str = "",
) -> SigningRequest:
    """Return what a signer has to sign for ``intent``: serial number and times are on record."""
    return SigningRequest(
        csr=csr.csr,
        subject=subject,
        san=san,
        serial_number=int(intent.serial_number, 16),
        not_before=intent.not_before,
        not_after=intent.not_after,
        tenant_id=tenant_id,
        public_key=csr.public_key,
    )


def sign(
    intent: IssuedCertificate, authority: AuthoritySnapshot, request: SigningRequest
) -> x509.Certificate:
    """Have the CA's signer sign ``request``, and return the certificate if it fits the intent.

    Raises ``SignerRefused``, ``SignerUnavailable``, or ``CSRRejected`` when a PKI outside certifies
    a name that was left out.
    """
    signer = get_signer(authority.row.signer)
    certificate = signer.sign(request, authority.issuer)
    _check_signed(certificate, intent, authority, is_ours=not signer.chooses_serial_number)
    if signer.chooses_serial_number:
        _check_names(certificate, request)
    return certificate


def _check_names(certificate: x509.Certificate, request: SigningRequest) -> None:
    """Raise ``CSRRejected`` if a PKI outside certified a name that was left out of the request.

    It has the CSR as the device signed it, with all of its names. A name that this server leaves
    out must not come back that way, and a PKI that copies it cannot serve this CSR.
    """
    granted = set(map(folded, request.san or ()))
    asked = set(map(folded, san_of(request.csr.extensions) or ()))
    try:
        certified = list(san_of(certificate.extensions) or ())
    except UNREADABLE as error:
        logger.error("the signer returned a certificate whose extensions can't be read")  # noqa: TRY400
        raise SignerUnavailable(Reason.SIGNER_MISBEHAVED) from error
    own_names = frozenset(pki_settings().server_names)
    found = [
        name
        for name in certified
        if folded(name) not in granted and (folded(name) in asked or is_own_name(name, own_names))
    ]
    if found:
        raise CSRRejected(
            Reason.SAN_NOT_ALLOWED,
            f"The PKI that signs put {name_texts(found)[0]} into the certificate, which the "
            "profile leaves out. Leave it out of the CSR.",
        )


def _check_signed(
    certificate: x509.Certificate,
    intent: IssuedCertificate,
    authority: AuthoritySnapshot,
    *,
    is_ours: bool,
) -> None:
    """Raise ``SignerUnavailable`` unless this is a certificate for the intent, from its CA.

    Of this server's own signatures (``is_ours``), that finds a key that is not the CA's. Of an
    external PKI's, it is the only check there is.
    """
    try:
        wrong = _what_is_wrong(certificate, intent, authority, is_ours=is_ours)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # cryptography parses on first access
        wrong = "it can't be read"
    if wrong:
        logger.error("the signer of %s returned an unfit certificate: %s", intent, wrong)
        raise SignerUnavailable(Reason.SIGNER_MISBEHAVED)


def _what_is_wrong(
    certificate: x509.Certificate,
    intent: IssuedCertificate,
    authority: AuthoritySnapshot,
    *,
    is_ours: bool,
) -> str:
    """Return the first way in which a certificate is not the intent's; "" for a good one."""
    if not key_matches(certificate, intent.key_sha256):
        return "it is for another public key"
    names = [one.value for one in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if names != [intent.common_name]:  # AWS IoT makes a thing of it, and the row owns that name
        return f"it is for the common name {names}, not {intent.common_name!r}"
    if certificate.not_valid_after_utc > min(
        intent.not_after + CLOCK_TOLERANCE, authority.issuer.not_after
    ):
        return f"it ends {certificate.not_valid_after_utc}, after {intent.not_after}"
    if certificate.not_valid_before_utc > timezone.now() + CLOCK_TOLERANCE:
        return f"it begins {certificate.not_valid_before_utc}, in the future"
    if is_ours and serial_number_text(certificate.serial_number) != intent.serial_number:
        return "its serial number isn't the intent's"
    if not is_signed_by(certificate, authority.certificate):
        return f"it isn't signed by the CA {authority.row.name}"
    return ""
