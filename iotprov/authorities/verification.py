"""The proof of possession of a CA's key, for the certificate mode DEFAULT of AWS IoT.

https://docs.aws.amazon.com/iot/latest/developerguide/register-CA-cert.html
"""

import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.utils import timezone

from iotprov.conf import setting_name
from pki.models import CertificateAuthority
from pki.record.intents import BACKDATING
from pki.signers import authority_key
from pki.signers.certificate_contents import random_serial_number
from pki.signers.issuer_name import sign_certificate

VALIDITY = datetime.timedelta(days=1)


def verification_certificate(ca: CertificateAuthority, code: str) -> x509.Certificate:
    """Return a certificate whose common name is AWS's registration ``code``, signed by the CA.

    It is not on record as an issued certificate. Its private key is discarded at once, so it can
    never authenticate a client. Raises ``OperatorError`` if this server cannot sign with the CA's
    key.
    """
    key = authority_key(
        ca,
        otherwise=f"Set {setting_name('ca_certificate_mode')} to SNI_ONLY, which needs no proof of "
        "possession.",
    )
    issuer = ca.certificate
    now = timezone.now().replace(microsecond=0)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, code)]))
        .issuer_name(issuer.subject)
        .public_key(ec.generate_private_key(ec.SECP256R1()).public_key())
        .serial_number(random_serial_number())
        .not_valid_before(now - BACKDATING)
        .not_valid_after(min(now + VALIDITY, issuer.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    )
    return sign_certificate(builder, key, issuer)
