"""AWS Private CA signs: the key, the serial number and the extensions are the service's.

**One certificate for an intent.** IssueCertificate is called with a token made of the intent's
serial number. AWS remembers a token for five minutes: a request that comes again within them gets
the certificate that it was asked for before, and after them another one. Then the first was
issued, and fetched by nobody: no device has it, no record here does, and the CA's audit report
is the only place that names it. The token's 36 hex digits are the beginning of the serial number
on the intent's row, so that CloudTrail's record of a call leads to the row, and the reverse.
https://docs.aws.amazon.com/privateca/latest/APIReference/API_IssueCertificate.html

**What goes into it** is decided by a template. Ours is for TLS clients and copies the subject and
the SAN from the CSR, nothing else; with API passthrough, what we send goes first, which a renewal
needs whose CSR spells the subject in another way than the certificate on file.
https://docs.aws.amazon.com/privateca/latest/userguide/template-definitions.html
"""

import datetime
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from pki.aws import clients as aws
from pki.csr.public_keys import public_keys_equal
from pki.encoding.certificates import san_of, serial_number_text
from pki.exceptions import SignerRefused, SignerUnavailable
from pki.operators.errors import OperatorError, RemoteFailure
from pki.reasons import Reason
from pki.signers.base import Signer
from pki.signers.certificate_contents import (
    Issuer,
    SigningRequest,
    signature_hash,
)
from pki.signers.options import Options

logger = logging.getLogger(__name__)

OPTIONS: Final = ("certificateAuthorityArn", "region", "roleArn", "templateArn", "waitSeconds")
CALL_SECONDS: Final = 4
"""Of a request's 29 at the gateway. Below `aws.READ_TIMEOUT`, so a call isn't repeated here."""
FIRST_PAUSE: Final = 0.25  # seconds; each pause is twice as long as the one before
LONGEST_PAUSE: Final = 2.0
TOKEN_LENGTH: Final = 36

_ARN: Final = r"arn:(aws[a-z-]*):acm-pca:([a-z0-9-]+):\d{12}:certificate-authority/[0-9a-f-]{36}"
_ROLE: Final = r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]{1,512}"
# No others: those for CAs and for servers are of no use to a device, and CSRPassthrough would
# give it every extension that it asks for.
_TEMPLATE: Final = (
    r"arn:aws[a-z-]*:acm-pca:::template/"
    r"(EndEntityCertificate|EndEntityClientAuthCertificate)(_APIPassthrough)?/V\d+"
)
_FOR_CLIENTS: Final = "EndEntityClientAuthCertificate"

# What AWS says of the request itself; all else is between the service and the operator.
_REFUSALS: Final = frozenset({"InvalidArgsException", "MalformedCSRException"})


class PrivateCASigner(Signer):
    """Issues with ``certificateAuthorityArn``, in the ARN's region unless ``region`` says another.

    ``roleArn`` is assumed for a CA of another account. ``templateArn`` takes the place of our
    choice of template. ``waitSeconds`` (10) is when a request stops waiting for its certificate,
    which usually takes AWS a second or two.
    """

    def __init__(self, **given: Any) -> None:
        """Read OPTIONS; raises ``OperatorError`` for what can't be right. Nothing is called."""
        options = Options("PrivateCASigner", given, OPTIONS)
        self._arn = options.text(
            "certificateAuthorityArn",
            _ARN,
            "the ARN of a private CA "
            "(arn:aws:acm-pca:<region>:<account>:certificate-authority/<id>)",
            is_required=True,
        )
        _, self._partition, _, arn_region, _, _ = self._arn.split(":")
        self._place = aws.AWSLocation(
            options.text("region", r"[a-z]{2}(-[a-z]+)+-\d", "a region such as eu-central-1")
            or arn_region,
            options.text("roleArn", _ROLE, "the ARN of an IAM role"),
        )
        self._template_arn = options.text(
            "templateArn",
            _TEMPLATE,
            "the ARN of the template EndEntityClientAuthCertificate or EndEntityCertificate, "
            "with or without _APIPassthrough (arn:aws:acm-pca:::template/<name>/V1)",
        )
        self._wait_seconds = options.seconds("waitSeconds", default=10, most=20)

    def sign(self, request: SigningRequest, issuer: Issuer) -> x509.Certificate:
        """Have a certificate issued, wait for it, and fetch it.

        Raises ``SignerRefused`` for a CSR that AWS won't sign, and ``SignerUnavailable`` for all
        else, the certificate that isn't there in time included.
        """
        give_up = time.monotonic() + self._wait_seconds
        with _answering_for_aws():
            return self._fetch(self._issue(request, issuer), give_up)

    def check(self, issuer: Issuer) -> None:
        """Raise ``SignerUnavailable`` unless the CA is active, and is the one on record."""
        with _answering_for_aws():
            with aws.as_remote_failure("acm-pca:DescribeCertificateAuthority"):
                answer = self._client().describe_certificate_authority(
                    CertificateAuthorityArn=self._arn
                )
            status = answer["CertificateAuthority"]["Status"]
            if status != "ACTIVE":
                raise SignerUnavailable(Reason.SIGNER_UNAVAILABLE) from OperatorError(
                    f"the private CA {self._arn} is {status}, wanted ACTIVE: see AWS Private CA"
                )
            theirs = self.authority_certificates()[0].public_key()
        if not public_keys_equal(theirs, issuer.certificate.public_key()):
            raise SignerUnavailable(Reason.SIGNER_MISBEHAVED) from OperatorError(
                f"the private CA {self._arn} isn't the one on record: correct "
                "certificateAuthorityArn, or run bootstrap_cas --force to let that CA succeed it"
            )

    def authority_certificates(self) -> list[x509.Certificate]:
        """The private CA's certificate and chain. Raises ``RemoteFailure``."""
        with aws.as_remote_failure("acm-pca:GetCertificateAuthorityCertificate"):
            answer = self._client().get_certificate_authority_certificate(
                CertificateAuthorityArn=self._arn
            )
        pem = f"{answer['Certificate']}\n{answer.get('CertificateChain') or ''}"
        return x509.load_pem_x509_certificates(pem.encode())

    def _client(self) -> Any:
        return aws.client("acm-pca", self._place, read_timeout=CALL_SECONDS)

    def _issue(self, request: SigningRequest, issuer: Issuer) -> str:
        """The ARN of the certificate that AWS makes, or has made, for this intent."""
        passthrough = _passthrough(request)
        template = self._template_arn or self._template(needs_passthrough=bool(passthrough))
        extra = {"ApiPassthrough": passthrough} if passthrough and "APIPass" in template else {}
        with aws.as_remote_failure("acm-pca:IssueCertificate"):
            answer = self._client().issue_certificate(
                CertificateAuthorityArn=self._arn,
                Csr=request.csr.public_bytes(Encoding.PEM),
                SigningAlgorithm=_signing_algorithm(issuer),
                TemplateArn=template,
                Validity=_absolute(request.not_after),
                ValidityNotBefore=_absolute(request.not_before),
                IdempotencyToken=serial_number_text(request.serial_number)[:TOKEN_LENGTH],
                **extra,
            )
        return str(answer["CertificateArn"])

    def _template(self, *, needs_passthrough: bool) -> str:
        """Ours, in the CA's own partition (aws, aws-cn, aws-us-gov)."""
        suffix = "_APIPassthrough" if needs_passthrough else ""
        return f"arn:{self._partition}:acm-pca:::template/{_FOR_CLIENTS}{suffix}/V1"

    def _fetch(self, certificate_arn: str, give_up: float) -> x509.Certificate:
        """Ask for the certificate until it is there, or the monotonic clock says ``give_up``."""
        pause = FIRST_PAUSE
        while True:
            try:
                with aws.as_remote_failure("acm-pca:GetCertificate"):
                    answer = self._client().get_certificate(
                        CertificateAuthorityArn=self._arn, CertificateArn=certificate_arn
                    )
                return x509.load_pem_x509_certificate(answer["Certificate"].encode())
            except RemoteFailure as failure:
                is_time_over = time.monotonic() + pause > give_up
                if failure.code != "RequestInProgressException" or is_time_over:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)


@contextmanager
def _answering_for_aws() -> Iterator[None]:
    """Turn what AWS says into what a device may hear; the log gets the rest."""
    try:
        yield
    except RemoteFailure as failure:
        if failure.code in _REFUSALS:
            logger.warning("AWS Private CA refused a certificate: %s", failure)
            raise SignerRefused(
                Reason.SIGNER_REFUSED, "AWS Private CA refused the request; the log says why"
            ) from failure
        raise SignerUnavailable(Reason.SIGNER_UNAVAILABLE) from failure
    except ValueError as error:  # what AWS sent as a certificate isn't one
        raise SignerUnavailable(Reason.SIGNER_MISBEHAVED) from error


def _signing_algorithm(issuer: Issuer) -> str:
    """The name AWS has for signing with the CA's key, with the hash that fits it."""
    key = issuer.certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise SignerUnavailable(Reason.SIGNER_UNAVAILABLE) from OperatorError(
            f"the private CA's key is a {type(key).__name__}, wanted an EC or RSA key: choose "
            "another CA"
        )
    family = "RSA" if isinstance(key, rsa.RSAPublicKey) else "ECDSA"
    return f"{signature_hash(key).name.upper()}WITH{family}"


def _absolute(moment: datetime.datetime) -> dict[str, Any]:
    return {"Type": "ABSOLUTE", "Value": int(moment.timestamp())}


def _passthrough(request: SigningRequest) -> dict[str, Any]:
    """What must be in the certificate and isn't so in the CSR: a subject or SAN as on file.

    The subject goes as "custom attributes", which keep their order; the named ones don't, and
    the next renewal compares order too (RFC 5280 7.1).
    """
    passthrough: dict[str, Any] = {}
    if request.subject != request.csr.subject:
        passthrough["Subject"] = {
            "CustomAttributes": [
                {"ObjectIdentifier": attribute.oid.dotted_string, "Value": attribute.value}
                for attribute in request.subject
            ]
        }
    if request.san is not None and request.san != san_of(request.csr.extensions):
        names = [_general_name(name) for name in request.san]
        passthrough["Extensions"] = {"SubjectAlternativeNames": names}
    return passthrough


def _general_name(name: x509.GeneralName) -> dict[str, str]:
    """A name of the two kinds that a profile allows (``pki.csr.san``)."""
    if isinstance(name, x509.DNSName):
        return {"DnsName": name.value}
    if isinstance(name, x509.UniformResourceIdentifier):
        return {"UniformResourceIdentifier": name.value}
    raise SignerRefused(
        Reason.SIGNER_REFUSED,
        f"a SAN with a {type(name).__name__} can't be asked of AWS Private CA",
    )
