"""Private keys in AWS KMS that implement the private key classes of ``cryptography``.

``CertificateBuilder.sign`` and the like work with them unchanged. To sign is a call to KMS. Every
other use of a private key is refused, because the key never leaves KMS.
"""

from dataclasses import dataclass
from typing import Any, NoReturn

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import AsymmetricPadding, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

from pki.aws.clients import AWSLocation, as_remote_failure, aws_client

RAW_LIMIT = 4096
"""The longest message in bytes that KMS hashes itself. It signs the digest of a longer one.
https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html
"""

_HASHES = {"sha256": "SHA_256", "sha384": "SHA_384", "sha512": "SHA_512"}


@dataclass(frozen=True, slots=True, repr=False)
class KMSKey:
    """The ARN of a key, and the location where KMS is called."""

    arn: str
    place: AWSLocation

    def sign(self, data: bytes, scheme: str, algorithm: object) -> bytes:
        """Return a signature, by one call; ``scheme`` is ECDSA or RSASSA_PKCS1_V1_5.

        Raises ``RemoteFailure``, and ``UnsupportedAlgorithm`` for a hash that is not of SHA-2.
        """
        if not isinstance(algorithm, hashes.HashAlgorithm) or algorithm.name not in _HASHES:
            raise UnsupportedAlgorithm("A key in KMS signs with SHA-256, SHA-384 or SHA-512.")
        message, message_type = data, "RAW"
        if len(data) > RAW_LIMIT:
            digest = hashes.Hash(algorithm)
            digest.update(data)
            message, message_type = digest.finalize(), "DIGEST"
        with as_remote_failure("kms:Sign"):
            answer = aws_client("kms", self.place).sign(
                KeyId=self.arn,
                Message=message,
                MessageType=message_type,
                SigningAlgorithm=f"{scheme}_{_HASHES[algorithm.name]}",
            )
        return bytes(answer["Signature"])


class _NotExportable:
    """Refuses every way to copy a private key, to write it to a file or to pickle it."""

    def private_bytes(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse."""
        raise _refusal()

    def private_numbers(self) -> NoReturn:
        """Refuse."""
        raise _refusal()

    def __reduce__(self) -> NoReturn:
        raise _refusal()

    def __copy__(self) -> NoReturn:
        raise _refusal()

    def __deepcopy__(self, memo: dict[Any, Any]) -> NoReturn:
        raise _refusal()


def _refusal() -> TypeError:
    return TypeError("This private key never leaves AWS KMS. It can sign, and nothing else.")


class KMSECPrivateKey(_NotExportable, ec.EllipticCurvePrivateKey):
    """An EC key in KMS."""

    def __init__(self, key: KMSKey, public_key: ec.EllipticCurvePublicKey) -> None:
        self._key = key
        self._public_key = public_key

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        """Return an ECDSA signature in DER (RFC 3279 2.2.3). Raises as ``KMSKey.sign`` does."""
        return self._key.sign(bytes(data), "ECDSA", signature_algorithm.algorithm)

    def public_key(self) -> ec.EllipticCurvePublicKey:
        """Return the public half, without a call."""
        return self._public_key

    @property
    def curve(self) -> ec.EllipticCurve:
        """The curve of the key."""
        return self._public_key.curve

    @property
    def key_size(self) -> int:
        """Bits of the curve."""
        return self._public_key.key_size

    def exchange(self, algorithm: ec.ECDH, peer_public_key: ec.EllipticCurvePublicKey) -> NoReturn:
        """Refuse, because the key is for signatures."""
        raise _refusal()


class KMSRSAPrivateKey(_NotExportable, rsa.RSAPrivateKey):
    """An RSA key in KMS."""

    def __init__(self, key: KMSKey, public_key: rsa.RSAPublicKey) -> None:
        self._key = key
        self._public_key = public_key

    def sign(
        self,
        data: Any,
        padding: AsymmetricPadding,
        algorithm: object,
    ) -> bytes:
        """Return an RSASSA-PKCS1-v1_5 signature (RFC 8017 8.2). Raises as ``KMSKey.sign`` does."""
        if not isinstance(padding, PKCS1v15):
            raise UnsupportedAlgorithm("An RSA key in KMS signs here with PKCS #1 v1.5 padding.")
        return self._key.sign(bytes(data), "RSASSA_PKCS1_V1_5", algorithm)

    def public_key(self) -> rsa.RSAPublicKey:
        """Return the public half, without a call."""
        return self._public_key

    @property
    def key_size(self) -> int:
        """Bits of the modulus."""
        return self._public_key.key_size

    def decrypt(self, ciphertext: bytes, padding: AsymmetricPadding) -> NoReturn:
        """Refuse, because the key is for signatures."""
        raise _refusal()


def private_key_in_kms(key: KMSKey, public_key: object) -> CertificateIssuerPrivateKeyTypes:
    """Return the private key to ``public_key``; raises ``TypeError`` unless it is EC or RSA."""
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        return KMSECPrivateKey(key, public_key)
    if isinstance(public_key, rsa.RSAPublicKey):
        return KMSRSAPrivateKey(key, public_key)
    raise TypeError(f"A CA in KMS has an EC or RSA key, not a {type(public_key).__name__}.")
