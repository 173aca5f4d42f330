"""An external PKI, reached through a class that the customer writes.

The class has the contract of the CDK sample's ``sign_externally``::

    class OurPKI:
        def sign_externally(self, csr, csr_data, cert_validity, custom_secret):
            return certificate        # x509.Certificate, or its PEM text

``csr`` is an ``x509.CertificateSigningRequest``, ``csr_data`` a dict of its subject
(``commonName``, ``serialNumber`` ...), ``cert_validity`` a ``datetime.timedelta``, and
``custom_secret`` a string or ``None``. The secret is the environment variable
``EST_CUSTOM_SECRET``, or else the secret ``PKISettings.custom_secret_name`` in Secrets Manager, if
it is there. To refuse a request, the class raises ``pki.exceptions.SignerRefused`` or returns
``None``. Every other exception means that the PKI cannot be reached.
"""

import logging
import os
import time
from typing import Any, Final

from cryptography import x509
from django.utils.module_loading import import_string
from django.views.decorators.debug import sensitive_variables

from pki.aws.secret_cache import REFRESH_SECONDS, SecretCache
from pki.aws.secrets import SecretValue
from pki.conf import pki_settings, setting_name
from pki.encoding.reading import UNREADABLE, read_certificate_pem
from pki.exceptions import SignerRefused, SignerUnavailable
from pki.operators.errors import OperatorError, RemoteFailure
from pki.reasons import Reason
from pki.signers.base import Signer
from pki.signers.certificate_contents import Issuer, SigningRequest
from pki.waiting import waiting

logger = logging.getLogger(__name__)

CUSTOM_SECRET_VARIABLE: Final = "EST_CUSTOM_SECRET"  # noqa: S105  # the variable's name
_NO_AWS: Final = frozenset({"NoRegion", "NoCredentials"})
_NO_SECRET: Final = frozenset({"", "NONE", "NULL"})


class ExternalSigner(Signer):
    """Signs through the class with the dotted path ``class``."""

    ALIAS = "external"
    custody = "a PKI outside, which signs"
    OPTIONS = ("class",)

    def __init__(self, **given: Any) -> None:
        """Import the class and make an instance; raises ``OperatorError`` when that fails."""
        path = self.read_options(given).text("class", "the dotted path of a class")
        if not path:
            raise OperatorError(
                f"The signer {self.ALIAS!r} names no class. Set "
                f"{setting_name('external_signer_class')} to the dotted path of your class."
            )
        try:
            self._pki = import_string(path)()
        except ImportError as error:
            raise OperatorError(
                f"The signer {self.ALIAS!r} cannot be made: {path} cannot be imported ({error}). "
                f"Correct {setting_name('external_signer_class')}."
            ) from error
        if not callable(getattr(self._pki, "sign_externally", None)):
            raise OperatorError(
                f"The signer {self.ALIAS!r} cannot be made: {path} has no method sign_externally. "
                "Add the method, or name another class."
            )
        self._custom_secrets = SecretCache(_parse_custom_secret)
        self._without_aws_since: float | None = None

    @sensitive_variables()
    def sign(self, request: SigningRequest, issuer: Issuer) -> x509.Certificate:
        """Ask the customer's class for a certificate."""
        csr_data = {
            attribute.oid._name: attribute.value  # cryptography has no public table of names
            for attribute in request.subject
        }
        if request.tenant_id:
            csr_data["tenant-id"] = request.tenant_id
        custom_secret = self._custom_secret()
        try:
            with waiting():
                answer = self._pki.sign_externally(
                    request.csr,
                    csr_data,
                    request.not_after - request.not_before,
                    custom_secret,
                )
        except SignerRefused:
            raise
        except Exception as error:  # the customer's code may raise any exception
            logger.exception("the external PKI failed")
            raise SignerUnavailable(Reason.SIGNER_UNAVAILABLE) from error
        if answer is None:
            raise SignerRefused(Reason.SIGNER_REFUSED)
        return _certificate(answer)

    def check(self, issuer: Issuer) -> None:
        """Do nothing. The class was imported when the signer was made, and has no other check."""

    @sensitive_variables()
    def _custom_secret(self) -> str | None:
        """Return the secret for the class; raises ``SignerUnavailable`` when it cannot be had.

        Where there is no AWS, on a laptop without region or credentials, there is no secret, and
        the class decides what it does without one. Where AWS fails, the class is not called,
        because a PKI that needs a secret must not be asked without it.
        """
        from_environment = os.environ.get(CUSTOM_SECRET_VARIABLE)
        name = pki_settings().custom_secret_name
        if from_environment is not None or not name:
            return from_environment
        now = time.monotonic()
        if self._without_aws_since is not None and now - self._without_aws_since < REFRESH_SECONDS:
            return None  # another search for credentials would take seconds
        try:
            return self._custom_secrets.get(name)
        except OperatorError as error:
            if not isinstance(error, RemoteFailure) or error.code not in _NO_AWS:
                raise SignerUnavailable(Reason.SIGNER_UNAVAILABLE) from error
            if self._without_aws_since is None:
                logger.warning("the external PKI is asked without a custom secret: %s", error)
            self._without_aws_since = now
            return None


@sensitive_variables()
def _parse_custom_secret(name: str, value: SecretValue | None, is_first: bool) -> str | None:
    """Return the secret's text; ``None`` if there is none, or a placeholder of the CDK sample."""
    text = value.content.decode(errors="replace") if value else ""
    return None if text.strip().upper() in _NO_SECRET else text


def _certificate(answer: object) -> x509.Certificate:
    """Return the class's answer as a certificate; raises ``SignerUnavailable`` if it is not one."""
    if isinstance(answer, x509.Certificate):
        return answer
    try:
        if isinstance(answer, str):
            return read_certificate_pem(answer.encode())
        if isinstance(answer, bytes):
            return read_certificate_pem(answer)
    except UNREADABLE as error:
        raise SignerUnavailable(Reason.SIGNER_MISBEHAVED) from error
    logger.error("the external PKI returned a %s, not a certificate", type(answer).__name__)
    raise SignerUnavailable(Reason.SIGNER_MISBEHAVED)
