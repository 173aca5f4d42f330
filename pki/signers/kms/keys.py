"""Private keys that are in AWS KMS, as cryptography's own kinds of key.

``CertificateBuilder.sign`` and its like take them as they are. Signing is a call to KMS; whatever
else a private key can do, these refuse, since the key never leaves KMS.
"""

from dataclasses import dataclass
from typing import Any, NoReturn

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import AsymmetricPadding, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

from pki.aws import clients as aws
from pki.aws.clients import AWSLocation

RAW_LIMIT = 4096
"""Bytes of a message that KMS hashes itself; of a longer one it takes the digest.
https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html
"""

_HASHES = {"sha256": "SHA_256", "sha384": "SHA_384", "sha512": "SHA_512"}


@dataclass(frozen=True, slots=True, repr=False)
class KMSKey:
    """A key as KMS knows it: its ARN, and how to get there."""

    arn: str
    place: AWSLocation

    def sign(self, data: bytes, scheme: str, algorithm: object) -> bytes:
        """One signature by KMS, in one call; ``scheme`` is ECDSA or RSASSA_PKCS1_V1_5.

        Raises ``RemoteFailure``, and ``UnsupportedAlgorithm`` for a hash that isn't of SHA-2.
        """
        if not isinstance(algorithm, hashes.HashAlgorithm) or algorithm.name not in _HASHES:
            raise UnsupportedAlgorithm("a key in KMS signs with SHA-256, SHA-384 or SHA-512")
        message, message_type = data, "RAW"
        if len(data) > RAW_LIMIT:
            digest = hashes.Hash(algorithm)
            digest.update(data)
            message, message_type = digest.finalize(), "DIGEST"
        with aws.as_remote_failure("kms:Sign"):
            answer = aws.client("kms", self.place).sign(
                KeyId=self.arn,
                Message=message,
                MessageType=message_type,
                SigningAlgorithm=f"{scheme}_{_HASHES[algorithm.name]}",
            )
        return bytes(answer["Signature"])


class _StaysInKMS:
    """What a key does that nobody can copy, write to a file, or send to another process."""

    def private_bytes(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused."""
        raise _refusal()

    def private_numbers(self) -> NoReturn:
        """Refused."""
        raise _refusal()

    def __reduce__(self) -> NoReturn:
        raise _refusal()

    def __copy__(self) -> NoReturn:
        raise _refusal()

    def __deepcopy__(self, memo: dict[Any, Any]) -> NoReturn:
        raise _refusal()


def _refusal() -> TypeError:
    return TypeError("this private key is in AWS KMS and never leaves it: all it does is sign")


class KMSECPrivateKey(_StaysInKMS, ec.EllipticCurvePrivateKey):
    """An EC key in KMS."""

    def __init__(self, key: KMSKey, public_key: ec.EllipticCurvePublicKey) -> None:
        self._key = key
        self._public_key = public_key

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        """An ECDSA signature in DER (RFC 3279 2.2.3). Raises as ``KMSKey.sign`` does."""
        return self._key.sign(bytes(data), "ECDSA", signature_algorithm.algorithm)

    def public_key(self) -> ec.EllipticCurvePublicKey:
        """The public half, which needs no call."""
        return self._public_key

    @property
    def curve(self) -> ec.EllipticCurve:
        """The curve."""
        return self._public_key.curve

    @property
    def key_size(self) -> int:
        """Bits of the curve."""
        return self._public_key.key_size

    def exchange(self, algorithm: ec.ECDH, peer_public_key: ec.EllipticCurvePublicKey) -> NoReturn:
        """Refused: the key is for signatures."""
        raise _refusal()


class KMSRSAPrivateKey(_StaysInKMS, rsa.RSAPrivateKey):
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
        """An RSASSA-PKCS1-v1_5 signature (RFC 8017 8.2). Raises as ``KMSKey.sign`` does."""
        if not isinstance(padding, PKCS1v15):
            raise UnsupportedAlgorithm("an RSA key in KMS signs here with PKCS #1 v1.5 padding")
        return self._key.sign(bytes(data), "RSASSA_PKCS1_V1_5", algorithm)

    def public_key(self) -> rsa.RSAPublicKey:
        """The public half, which needs no call."""
        return self._public_key

    @property
    def key_size(self) -> int:
        """Bits of the modulus."""
        return self._public_key.key_size

    def decrypt(self, ciphertext: bytes, padding: AsymmetricPadding) -> NoReturn:
        """Refused: the key is for signatures."""
        raise _refusal()


def private_key_in_kms(key: KMSKey, public_key: object) -> CertificateIssuerPrivateKeyTypes:
    """The private key to ``public_key``; raises ``TypeError`` unless that is an EC or RSA key."""
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        return KMSECPrivateKey(key, public_key)
    if isinstance(public_key, rsa.RSAPublicKey):
        return KMSRSAPrivateKey(key, public_key)
    raise TypeError(f"a {type(public_key).__name__} isn't of a kind that a CA in KMS has")
