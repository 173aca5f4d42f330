"""The contract of a signer.

A ``Signer`` works at certificate level, because a company's PKI or a managed CA chooses serial
number and extensions itself. A ``KeySigner`` holds or reaches a private key, and builds the
certificate from it.
"""

import secrets
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

from pki.csr.public_keys import generate_private_key, public_keys_equal
from pki.exceptions import SignerUnavailable
from pki.reasons import Reason
from pki.signers.certificate_contents import (
    Issuer,
    SigningRequest,
    build_certificate,
    signature_hash,
)


class Signer(ABC):
    """Turns a request on record into a certificate."""

    chooses_serial_number: ClassVar[bool] = True
    """Whether the certificate's serial number is the signer's own, not the intent's."""

    @abstractmethod
    def sign(self, request: SigningRequest, issuer: Issuer) -> x509.Certificate:
        """Return the signed certificate.

        Raises ``SignerRefused`` when the PKI says no, ``SignerUnavailable`` when it can't be
        reached. The caller checks what comes back (``pki.issuance.issue``).
        """

    @abstractmethod
    def check(self, issuer: Issuer) -> None:
        """Raise ``SignerUnavailable`` unless the next ``sign`` can be expected to work."""

    def authority_certificates(self) -> list[x509.Certificate]:
        """The CA that signs, its certificate first and then its chain up to the root.

        Empty for a signer that can't say: whoever sets up the CA has to bring its certificate.
        Raises ``OperatorError``, and ``RemoteFailure`` when the PKI can't be asked.
        """
        return []


@dataclass(frozen=True, slots=True)
class ExistingAuthority:
    """A CA that a signer has from before: of the CDK sample, or of a run that was cut off."""

    certificates: tuple[x509.Certificate, ...]
    """The CA's own, then those above it; none where only a key was made yet."""
    key_reference: str
    """As the signer takes it; "" when a PKI outside has the key."""
    where: str
    """For people: ``the secret estMtlsCaSecrets``."""


class KeySigner(Signer):
    """A signer that has the CA's private key, or an object that signs as one."""

    chooses_serial_number = False

    def existing_authority(self, purpose: str) -> ExistingAuthority | None:
        """The CA of that purpose that is where the configuration says, to be adopted.

        Raises ``OperatorError`` when what is there doesn't fit together.
        """
        return None

    def key_name(self, purpose: str, name: str, *, is_first: bool) -> str:
        """What to call the key of a new CA; ``is_first`` of its purpose, not a successor.

        By default it is unlike any before, so that a key left over from a crash is never in the
        way.
        """
        return f"{name}-{secrets.token_hex(4)}"

    @abstractmethod
    def private_key(self, key_reference: str) -> CertificateIssuerPrivateKeyTypes:
        """The CA's key. Raises ``SignerUnavailable`` when it can't be had."""

    @abstractmethod
    def store(self, name: str, key: CertificateIssuerPrivateKeyTypes) -> str:
        """Keep a CA's key, made elsewhere, under a new reference, which is returned.

        Raises ``OperatorError`` when there is a key of that name: keys are never overwritten; or
        when the signer takes no keys from elsewhere.
        """

    def create_key(self, name: str, key_algorithm: str) -> str:
        """Make a key of ``pki.csr.public_keys.KEY_ALGORITHMS`` for a new CA; returns its reference.

        Raises ``OperatorError`` as ``store`` does, or for an algorithm that the signer lacks.
        """
        return self.store(name, generate_private_key(key_algorithm))

    def key_of(
        self, key_reference: str, certificate: x509.Certificate
    ) -> CertificateIssuerPrivateKeyTypes:
        """The key of a CA that has its certificate already, from which the public half is known.

        As ``private_key``, for signers that would have to ask for the public half.
        """
        return self.private_key(key_reference)

    def find_key(self, certificate: x509.Certificate) -> str:
        """The reference of the CA's key, when the signer has it without being given it; else "".

        Raises ``OperatorError`` when it could have it, and says how.
        """
        return ""

    def keep_certificate(self, key_reference: str, certificate: x509.Certificate) -> None:
        """Put the CA's certificate beside its key, where the signer has a place for it.

        The database has it in any case. Raises ``OperatorError`` when that fails.
        """

    def sign(self, request: SigningRequest, issuer: Issuer) -> x509.Certificate:
        """Build the certificate and sign it with the CA's key."""
        return build_certificate(request, issuer).sign(
            self.key_of(issuer.key_reference, issuer.certificate),
            signature_hash(issuer.certificate.public_key()),
        )

    def check(self, issuer: Issuer) -> None:
        """Raise ``SignerUnavailable`` unless the key is here and is the CA's."""
        key = self.private_key(issuer.key_reference)
        wanted = issuer.certificate.public_key()
        if not public_keys_equal(key.public_key(), wanted):
            raise SignerUnavailable(Reason.SIGNER_MISBEHAVED)
