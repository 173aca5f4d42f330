"""An external PKI, reached by a class of the customer's own.

The class has the contract of the CDK sample's ``sign_externally``::

    class OurPKI:
        def sign_externally(self, csr, csr_data, cert_validity, custom_secret):
            return certificate        # x509.Certificate, or its PEM text

``csr`` is an ``x509.CertificateSigningRequest``, ``csr_data`` a dict of its subject
(``commonName``, ``serialNumber`` ...), ``cert_validity`` a ``datetime.timedelta``, and
``custom_secret`` a string or ``None``. To say no, it raises ``pki.exceptions.SignerRefused`` or
returns ``None``; anything else it raises counts as the PKI being out of reach.
"""

import logging
import os
from typing import Any

from cryptography import x509
from django.utils.module_loading import import_string

from pki.exceptions import OperatorError, SignerRefused, SignerUnavailable
from pki.profiles import Issuer, SigningRequest
from pki.reasons import Reason
from pki.signers.base import Signer

logger = logging.getLogger(__name__)


class ExternalSigner(Signer):
    """Hands the CSR to ``OPTIONS["class"]`` and takes a certificate back."""

    def __init__(self, **options: Any) -> None:
        """Import the class; raises ``OperatorError`` when that fails."""
        path = options.get("class")
        if not path:
            raise OperatorError(
                "signer 'external' names no class: set Properties.externalSignerClass to the "
                "dotted path of yours"
            )
        try:
            self._pki = import_string(path)()
        except ImportError as error:
            raise OperatorError(f"signer 'external': can't import {path}: {error}") from error
        if not callable(getattr(self._pki, "sign_externally", None)):
            raise OperatorError(f"signer 'external': {path} has no method sign_externally")

    def sign(self, request: SigningRequest, issuer: Issuer) -> x509.Certificate:
        """Ask the customer's class for a certificate."""
        csr_data = {
            attribute.oid._name: attribute.value  # the only name table there is
            for attribute in request.subject
        }
        if request.tenant_id:
            csr_data["tenant-id"] = request.tenant_id
        try:
            answer = self._pki.sign_externally(
                request.csr,
                csr_data,
                request.not_after - request.not_before,
                os.environ.get("EST_CUSTOM_SECRET"),
            )
        except SignerRefused:
            raise
        except Exception as error:  # the customer's code may raise anything
            logger.exception("the external PKI failed")
            raise SignerUnavailable(Reason.SIGNER_UNAVAILABLE) from error
        if answer is None:
            raise SignerRefused(Reason.SIGNER_REFUSED)
        return _certificate(answer)

    def check(self, issuer: Issuer) -> None:
        """Nothing can be told before asking: the class was found when the signer was made."""


def _certificate(answer: object) -> x509.Certificate:
    """What the class returned, as a certificate; raises ``SignerUnavailable`` if it isn't one."""
    if isinstance(answer, x509.Certificate):
        return answer
    try:
        if isinstance(answer, str):
            return x509.load_pem_x509_certificate(answer.encode())
        if isinstance(answer, bytes):
            return x509.load_pem_x509_certificate(answer)
    except ValueError as error:
        raise SignerUnavailable(Reason.SIGNER_MISBEHAVED) from error
    logger.error("the external PKI returned a %s, not a certificate", type(answer).__name__)
    raise SignerUnavailable(Reason.SIGNER_MISBEHAVED)
