"""The contract of a signer.

A ``Signer`` works at certificate level, because a company's PKI or a managed CA chooses serial
number and extensions itself. A ``KeySigner`` has the CA's private key, or an object that signs as
one, and builds the certificate itself.

A new signer is one class in one new file. The configuration names it by its dotted path::

    signers:
      company: {BACKEND: company.signers.CompanySigner, OPTIONS: {url: "https://ca.example.com"}}

It must have ``sign`` and ``check``, or as a ``KeySigner`` ``private_key`` and ``store``. Every
other attribute and method has a default that fits a signer without a CA of its own and without AWS.
"""

import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

from pki.csr.public_keys import generate_private_key, public_keys_equal
from pki.exceptions import SignerUnavailable
from pki.reasons import Reason
from pki.signers.certificate_contents import (
    Issuer,
    SigningRequest,
    build_certificate,
)
from pki.signers.iam import IAMStatement, SigningFunction
from pki.signers.issuer_name import sign_certificate
from pki.signers.options import Options


@dataclass(frozen=True, slots=True)
class ExistingAuthority:
    """A CA that a signer had before this server knew it."""

    certificates: tuple[x509.Certificate, ...]
    """The CA's own certificate, then the chain up to its root. Empty if there is only a key yet."""
    key_reference: str
    """The key's reference for the signer. "" if the signer has no key for it."""
    where: str
    """The place, for messages: ``the secret estMtlsCaSecrets``."""


class Signer(ABC):
    """Turns a request on record into a certificate."""

    ALIAS: ClassVar[str] = ""
    """The alias under which the documentation configures this signer."""
    OPTIONS: ClassVar[tuple[str, ...]] = ()
    """The names of the options that it takes."""
    has_own_ca: ClassVar[bool] = False
    """Whether ``existing_authority`` can find a device CA, so that none has to be imported or made.

    The configuration asks this of the class, without making the signer.
    """
    custody: ClassVar[str] = ""
    """Where the CA's key is, in a few words for operators: ``AWS KMS, which it never leaves``."""
    lasts_on_lambda: ClassVar[bool] = True
    """Whether keys that it stores outlive a Lambda function's environment, which has no disk."""
    check_seconds: ClassVar[float] = 10.0
    """How long the outcome of ``check`` is used by the readiness page. That page is public, and a
    signer may be a service that charges for each call."""
    chooses_serial_number: ClassVar[bool] = True
    """Whether the certificate's serial number is the signer's own, not the intent's."""

    @classmethod
    def read_options(cls, given: Mapping[str, Any]) -> Options:
        """Return the reader of OPTIONS; raises ``OperatorError`` for an unknown name."""
        return Options(cls.__name__, given, cls.OPTIONS)

    @classmethod
    def iam_statements(
        cls, options: Mapping[str, Any], function: SigningFunction
    ) -> Iterable[IAMStatement]:
        """Return the rights in AWS that ``function`` needs to sign with these OPTIONS.

        They are asked of the class, because a signer can often be made only where it will run.
        Raises ``OperatorError`` for options that do not say which rights are needed.
        """
        return ()

    @abstractmethod
    def sign(self, request: SigningRequest, issuer: Issuer) -> x509.Certificate:
        """Return the signed certificate.

        Raises ``SignerRefused`` when the PKI refuses the request, ``SignerUnavailable`` when it
        cannot be reached. The caller checks the certificate (``pki.issuance.verified_signing``).
        """

    @abstractmethod
    def check(self, issuer: Issuer) -> None:
        """Raise ``SignerUnavailable`` unless the next ``sign`` can be expected to work."""

    def existing_authority(self, purpose: str) -> ExistingAuthority | None:
        """Return the CA of that purpose (``device`` or ``client``) that the signer has already.

        A client CA is asked of a ``KeySigner`` only, because this server itself signs for clients.
        ``None`` if the signer has no CA or cannot say. An operator then imports a CA, or has one
        made. Raises ``OperatorError`` when the parts of the CA do not fit together, and
        ``RemoteFailure`` when the PKI cannot be asked.
        """
        return None


class KeySigner(Signer):
    """A signer that has the CA's private key, or an object that signs as one."""

    chooses_serial_number = False
    takes_keys: ClassVar[bool] = True
    """Whether ``store`` takes keys that were made elsewhere."""

    @abstractmethod
    def private_key(self, key_reference: str) -> CertificateIssuerPrivateKeyTypes:
        """Return the CA's key. Raises ``SignerUnavailable`` when it cannot be had."""

    @abstractmethod
    def store(self, name: str, key: CertificateIssuerPrivateKeyTypes) -> str:
        """Store a CA's key that was made elsewhere, and return its reference.

        Raises ``OperatorError`` when there is a key of that name, because keys are never
        overwritten, or when the signer takes no keys from elsewhere.
        """

    def create_key(self, name: str, key_algorithm: str) -> str:
        """Make a key of ``pki.csr.key_algorithms`` for a new CA, and return its reference.

        Raises ``OperatorError`` as ``store`` does, and for an algorithm that the signer lacks.
        """
        return self.store(name, generate_private_key(key_algorithm))

    def key_name(self, purpose: str, name: str, *, is_first: bool) -> str:
        """Return the name for the key of a new CA; ``is_first`` of its purpose, not a successor.

        By default no name is used twice. A key that is left over from a crash is never in the way.
        """
        return f"{name}-{secrets.token_hex(4)}"

    def key_named(self, name: str) -> str:
        """Return the reference of the key that was made or stored under ``name``; "" if none was.

        A run that was cut off is finished with it. Raises ``RemoteFailure`` when the place of the
        keys cannot be asked. A signer that cannot tell has a new key made.
        """
        return ""

    def remove_key(self, key_reference: str) -> None:
        """Remove a key that no CA has, and that a run made or stored which was refused then.

        By default it stays. The audit trail names it.
        """

    def lacks_key(self, name: str) -> bool:
        """Return whether a deployment has to make a key of that name before ``create_key`` works.

        By default ``create_key`` makes keys itself. Raises ``OperatorError`` when no deployment can
        make it, and ``RemoteFailure`` when the place of the keys cannot be asked.
        """
        return False

    def key_of(
        self, key_reference: str, certificate: x509.Certificate
    ) -> CertificateIssuerPrivateKeyTypes:
        """Return the key of a CA whose certificate is known.

        As ``private_key``. A signer that would have to ask for the public half takes it from the
        certificate.
        """
        return self.private_key(key_reference)

    def find_key(self, certificate: x509.Certificate) -> str:
        """Return the reference of the CA's key that the signer has already; "" if it has none.

        Raises ``OperatorError``, which says how the key can be found, when it needs to be named.
        """
        return ""

    def keep_certificate(self, key_reference: str, certificate: x509.Certificate) -> None:
        """Store the CA's certificate beside its key, where the signer has a place for it.

        The database has the certificate in any case. Raises ``OperatorError`` when that fails.
        """

    def sign(self, request: SigningRequest, issuer: Issuer) -> x509.Certificate:
        """Build the certificate and sign it with the CA's key."""
        return sign_certificate(
            build_certificate(request, issuer),
            self.key_of(issuer.key_reference, issuer.certificate),
            issuer.certificate,
        )

    def check(self, issuer: Issuer) -> None:
        """Raise ``SignerUnavailable`` unless the key is here and is the CA's."""
        key = self.private_key(issuer.key_reference)
        wanted = issuer.certificate.public_key()
        if not public_keys_equal(key.public_key(), wanted):
            raise SignerUnavailable(Reason.SIGNER_MISBEHAVED)
