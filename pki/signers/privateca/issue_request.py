"""What a call of IssueCertificate asks for: template, algorithm, validity, and what the CSR lacks.

The template decides what goes into a certificate. The one for TLS clients copies the subject and
the SAN from the CSR, and nothing else. With API passthrough, what the call holds takes precedence
over the CSR. A renewal needs that, if its CSR spells the subject in another way than the
certificate on file.
https://docs.aws.amazon.com/privateca/latest/userguide/template-definitions.html
"""

import datetime
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from pki.encoding.certificates import san_of
from pki.exceptions import CSRRejected, SignerRefused, SignerUnavailable
from pki.operators.errors import OperatorError
from pki.reasons import Reason
from pki.signers.certificate_contents import Issuer, SigningRequest, signature_hash

# Templates for CAs and for servers are of no use to a device, and CSRPassthrough would give it
# every extension that it asks for.
TEMPLATE_PATTERN: Final = (
    r"arn:aws[a-z-]*:acm-pca:::template/"
    r"(EndEntityCertificate|EndEntityClientAuthCertificate)(_APIPassthrough)?/V\d+"
)
_FOR_CLIENTS: Final = "EndEntityClientAuthCertificate"


def client_template(partition: str, *, needs_passthrough: bool) -> str:
    """Return the ARN of the template for TLS clients in a partition (aws, aws-cn, aws-us-gov)."""
    suffix = "_APIPassthrough" if needs_passthrough else ""
    return f"arn:{partition}:acm-pca:::template/{_FOR_CLIENTS}{suffix}/V1"


def signing_algorithm(issuer: Issuer) -> str:
    """Return AWS's name for a signature with the CA's key, and with the hash that fits it."""
    key = issuer.certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise SignerUnavailable(Reason.SIGNER_UNAVAILABLE) from OperatorError(
            f"The private CA's key is a {type(key).__name__}, not an EC or RSA key. Choose another "
            "CA."
        )
    family = "RSA" if isinstance(key, rsa.RSAPublicKey) else "ECDSA"
    return f"{signature_hash(key).name.upper()}WITH{family}"


def absolute(moment: datetime.datetime) -> dict[str, Any]:
    """Return a moment in the form of ``Validity`` and ``ValidityNotBefore``."""
    return {"Type": "ABSOLUTE", "Value": int(moment.timestamp())}


def passthrough(request: SigningRequest) -> dict[str, Any]:
    """Return the subject and SAN for ``ApiPassthrough``, each if it differs from the CSR's.

    The subject goes as "custom attributes", which keep their order. The named ones do not, and the
    next renewal compares the order too (RFC 5280 7.1).
    """
    passthrough: dict[str, Any] = {}
    if request.subject != request.csr.subject:
        passthrough["Subject"] = {
            "CustomAttributes": [
                {"ObjectIdentifier": attribute.oid.dotted_string, "Value": attribute.value}
                for attribute in request.subject
            ]
        }
    requested = san_of(request.csr.extensions)
    if request.san is None and requested is not None:
        # AWS takes no empty list here, so the template would copy the names that were left out.
        raise CSRRejected(
            Reason.SAN_NOT_ALLOWED,
            "AWS Private CA copies the CSR's SAN, which the profile leaves out. Leave it out of "
            "the CSR.",
        )
    if request.san is not None and request.san != requested:
        names = [_general_name(name) for name in request.san]
        passthrough["Extensions"] = {"SubjectAlternativeNames": names}
    return passthrough


def _general_name(name: x509.GeneralName) -> dict[str, str]:
    """Return a name of the two kinds that a profile allows (``pki.csr.san``), as AWS takes it."""
    if isinstance(name, x509.DNSName):
        return {"DnsName": name.value}
    if isinstance(name, x509.UniformResourceIdentifier):
        return {"UniformResourceIdentifier": name.value}
    raise SignerRefused(
        Reason.SIGNER_REFUSED,
        f"AWS Private CA takes no SAN with a {type(name).__name__} from this server.",
    )
