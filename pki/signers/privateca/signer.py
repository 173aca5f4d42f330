"""AWS Private CA signs. The service chooses serial number and extensions, and has the key.

**One certificate for an intent.** IssueCertificate is called with a token made of the intent's
serial number. AWS remembers a token for five minutes. A request that comes again within them gets
the certificate that was issued before. A later one gets another certificate. Then the first was
issued and never fetched: no device and no record here has it, and only the CA's audit report names
it. The token's 36 hex digits are the beginning of the serial number on the intent's row, so that
CloudTrail's record of a call leads to the row, and the row to the record.
https://docs.aws.amazon.com/privateca/latest/APIReference/API_IssueCertificate.html
"""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki.aws.clients import AWSLocation, as_remote_failure, aws_client
from pki.csr.public_keys import public_keys_equal
from pki.encoding.certificates import serial_number_text
from pki.encoding.reading import read_certificate_pem, read_certificates
from pki.exceptions import SignerRefused, SignerUnavailable
from pki.operators.errors import OperatorError, RemoteFailure
from pki.reasons import Reason
from pki.signers.base import ExistingAuthority, Signer
from pki.signers.certificate_contents import Issuer, SigningRequest
from pki.signers.iam import IAMStatement, SigningFunction, assume_role
from pki.signers.options import Options
from pki.signers.privateca.issue_request import (
    TEMPLATE_PATTERN,
    absolute,
    client_template,
    passthrough,
    signing_algorithm,
)

logger = logging.getLogger(__name__)

CALL_SECONDS: Final = 4
"""Of the 29 seconds of a request at the gateway. A client with less than ``READ_TIMEOUT`` does not
repeat a call.
"""
FIRST_PAUSE: Final = 0.25  # seconds; each pause is twice as long as the one before
LONGEST_PAUSE: Final = 2.0
TOKEN_LENGTH: Final = 36

_ARN: Final = r"arn:(aws[a-z-]*):acm-pca:([a-z0-9-]+):\d{12}:certificate-authority/[0-9a-f-]{36}"

# Codes of AWS's errors about the request itself. Every other error is for the operator.
_REFUSALS: Final = frozenset({"InvalidArgsException", "MalformedCSRException"})


class PrivateCASigner(Signer):
    """Issues with ``certificateAuthorityArn``, in the ARN's region unless ``region`` says another.

    ``roleArn`` is assumed for a CA of another account. ``templateArn`` replaces the template for
    TLS clients. A request waits at most ``waitSeconds`` (10) for its certificate, which usually
    takes AWS a second or two.
    """

    ALIAS = "privateca"
    OPTIONS = ("certificateAuthorityArn", "region", "roleArn", "templateArn", "waitSeconds")
    custody = "AWS Private CA, which signs"
    has_own_ca = True

    def __init__(self, **given: Any) -> None:
        """Read OPTIONS; nothing is called yet. Raises ``OperatorError``."""
        options = self.read_options(given)
        self._arn = _authority_arn(options)
        _, self._partition, _, arn_region, _, _ = self._arn.split(":")
        self._place = AWSLocation(options.region() or arn_region, options.role_arn())
        self._template_arn = options.text(
            "templateArn",
            "the ARN of the template EndEntityClientAuthCertificate or EndEntityCertificate, "
            "with or without _APIPassthrough (arn:aws:acm-pca:::template/<name>/V1)",
            pattern=TEMPLATE_PATTERN,
        )
        self._wait_seconds = options.seconds("waitSeconds", default=10, most=20)

    @classmethod
    def iam_statements(
        cls, options: Mapping[str, Any], function: SigningFunction
    ) -> Iterator[IAMStatement]:
        """Yield the right to issue with the CA and, where certificates are revoked, to revoke."""
        if role_arn := options.get("roleArn"):
            yield from assume_role(role_arn)
            return
        actions = [
            "acm-pca:DescribeCertificateAuthority",
            "acm-pca:GetCertificate",
            "acm-pca:GetCertificateAuthorityCertificate",
            "acm-pca:IssueCertificate",
        ]
        if function.manages_authorities:
            actions.append("acm-pca:RevokeCertificate")
        arn = _authority_arn(cls.read_options(options))
        yield IAMStatement("SignWithPrivateCAByName", tuple(actions), (arn,))

    def sign(self, request: SigningRequest, issuer: Issuer) -> x509.Certificate:
        """Have a certificate issued, wait for it, and fetch it.

        Raises ``SignerRefused`` for a CSR that AWS refuses to sign. Raises ``SignerUnavailable``
        for every other failure, also when the certificate is not there in time.
        """
        give_up = time.monotonic() + self._wait_seconds
        with _answering_for_aws():
            return self._fetch(self._issue(request, issuer), give_up)

    def check(self, issuer: Issuer) -> None:
        """Raise ``SignerUnavailable`` unless the CA is active, and is the one on record."""
        with _answering_for_aws():
            with as_remote_failure("acm-pca:DescribeCertificateAuthority"):
                answer = self._client().describe_certificate_authority(
                    CertificateAuthorityArn=self._arn
                )
            status = answer["CertificateAuthority"]["Status"]
            if status != "ACTIVE":
                raise SignerUnavailable(Reason.SIGNER_UNAVAILABLE) from OperatorError(
                    f"The private CA {self._arn} is {status}, not ACTIVE. Look at it in AWS "
                    "Private CA."
                )
            found = self._authority_certificates()[0].public_key()
        if not public_keys_equal(found, issuer.certificate.public_key()):
            raise SignerUnavailable(Reason.SIGNER_MISBEHAVED) from OperatorError(
                f"The private CA {self._arn} is not the one on record. Correct "
                "certificateAuthorityArn, or run bootstrap_cas --force to let that CA succeed it."
            )

    def existing_authority(self, purpose: str) -> ExistingAuthority:
        """Return the private CA with its chain. Raises ``RemoteFailure``."""
        return ExistingAuthority(
            tuple(self._authority_certificates()), "", f"the private CA {self._arn}"
        )

    def _authority_certificates(self) -> list[x509.Certificate]:
        with as_remote_failure("acm-pca:GetCertificateAuthorityCertificate"):
            answer = self._client().get_certificate_authority_certificate(
                CertificateAuthorityArn=self._arn
            )
        pem = f"{answer['Certificate']}\n{answer.get('CertificateChain') or ''}"
        return read_certificates(pem.encode())

    def _client(self) -> Any:
        return aws_client("acm-pca", self._place, read_timeout=CALL_SECONDS)

    def _issue(self, request: SigningRequest, issuer: Issuer) -> str:
        """Return the ARN of the certificate that AWS makes, or has made, for this intent."""
        extra = passthrough(request)
        template = self._template_arn or client_template(
            self._partition, needs_passthrough=bool(extra)
        )
        # A template without passthrough, if the configuration names it, takes no such parameter.
        parameters = {"ApiPassthrough": extra} if extra and "APIPass" in template else {}
        with as_remote_failure("acm-pca:IssueCertificate"):
            answer = self._client().issue_certificate(
                CertificateAuthorityArn=self._arn,
                Csr=request.csr.public_bytes(Encoding.PEM),
                SigningAlgorithm=signing_algorithm(issuer),
                TemplateArn=template,
                Validity=absolute(request.not_after),
                ValidityNotBefore=absolute(request.not_before),
                IdempotencyToken=serial_number_text(request.serial_number)[:TOKEN_LENGTH],
                **parameters,
            )
        return str(answer["CertificateArn"])

    def _fetch(self, certificate_arn: str, give_up: float) -> x509.Certificate:
        """Ask for the certificate until it is there, or the monotonic clock says ``give_up``."""
        pause = FIRST_PAUSE
        while True:
            try:
                with as_remote_failure("acm-pca:GetCertificate"):
                    answer = self._client().get_certificate(
                        CertificateAuthorityArn=self._arn, CertificateArn=certificate_arn
                    )
                return read_certificate_pem(answer["Certificate"].encode())
            except RemoteFailure as failure:
                is_time_over = time.monotonic() + pause > give_up
                if failure.code != "RequestInProgressException" or is_time_over:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)


def _authority_arn(options: Options) -> str:
    return options.text(
        "certificateAuthorityArn",
        "the ARN of a private CA (arn:aws:acm-pca:<region>:<account>:certificate-authority/<id>)",
        pattern=_ARN,
        is_required=True,
    )


@contextmanager
def _answering_for_aws() -> Iterator[None]:
    """Turn AWS's errors into those that a device may read. The log gets the details."""
    try:
        yield
    except RemoteFailure as failure:
        if failure.code in _REFUSALS:
            logger.warning("AWS Private CA refused a certificate: %s", failure)
            raise SignerRefused(
                Reason.SIGNER_REFUSED, "AWS Private CA refused the request. The log has the reason."
            ) from failure
        raise SignerUnavailable(Reason.SIGNER_UNAVAILABLE) from failure
    except ValueError as error:  # AWS sent something else than a certificate
        raise SignerUnavailable(Reason.SIGNER_MISBEHAVED) from error
