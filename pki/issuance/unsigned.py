"""The certificate that would be signed for a request, without a signature that means anything."""

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from pki.csr.key_algorithms import KeyAlgorithm
from pki.csr.public_keys import generate_private_key
from pki.issuance.record_intent import Intent
from pki.issuance.request import EnrollmentRequest
from pki.issuance.verified_signing import signing_request
from pki.signers.certificate_contents import build_certificate
from pki.signers.issuer_name import sign_certificate


def unsigned_certificate(intent: Intent, request: EnrollmentRequest) -> x509.Certificate:
    """Return the certificate of ``intent``, whose signed part is what the CA's key would sign.

    ``cryptography`` encodes the signed part only as it signs. So a key that is made here and
    dropped here signs it, and no signer is asked. Callers hand out ``tbs_certificate_bytes`` alone:
    nobody may take the rest for a certificate. An external PKI may choose other contents.
    """
    authority = request.profile.authority
    contents = build_certificate(
        signing_request(
            intent.row,
            request.csr,
            subject=intent.subject,
            san=intent.san,
            tenant_id=request.tenant_id,
        ),
        authority.issuer,
    )
    is_rsa = isinstance(authority.certificate.public_key(), rsa.RSAPublicKey)
    key = generate_private_key(KeyAlgorithm.RSA_2048 if is_rsa else KeyAlgorithm.EC_P256)
    return sign_certificate(contents, key, authority.certificate)
