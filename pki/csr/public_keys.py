"""Check and compare public keys, and generate private keys.

A key is refused when the profile does not allow its algorithm. An RSA key is also refused when its
private key can be computed from the certificate. The checks for RSA follow those of Let's Encrypt
(Boulder's ``goodkey``). Elliptic-curve keys need none: the curve is named, and ``cryptography``
refuses a point that is not on it.
"""

import hashlib
import math
from functools import cache
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from pki.csr.key_algorithms import KEY_ALGORITHMS, RSA_SIZES, KeyAlgorithm
from pki.exceptions import CSRRejected
from pki.reasons import Reason

_CURVES: Final[dict[str, ec.EllipticCurve]] = {
    KeyAlgorithm.EC_P256: ec.SECP256R1(),
    KeyAlgorithm.EC_P384: ec.SECP384R1(),
    KeyAlgorithm.EC_P521: ec.SECP521R1(),
}
_NAME_OF_CURVE: Final = {curve.name: name for name, curve in _CURVES.items()}

# The only exponent that AWS IoT, HSMs and TPMs all take. Small ones invite padding attacks, and
# a large one makes every verification of the device's signatures slow.
RSA_PUBLIC_EXPONENT: Final = 65537


def _primes_below(bound: int) -> list[int]:
    sieve = bytearray([1]) * bound
    sieve[:2] = b"\0\0"
    for number in range(2, math.isqrt(bound) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(sieve[number * number :: number]))
    return [number for number in range(bound) if sieve[number]]


def _powers_of_65537(prime: int) -> frozenset[int]:
    return frozenset(pow(65537, exponent, prime) for exponent in range(prime - 1))


# The tables below are made at the first RSA key. They take some milliseconds, which a Lambda that
# gets EC keys alone need not spend.


@cache
def _small_primes_product() -> int:
    """Return the product of the primes below 5000, for one gcd in place of some 700 divisions."""
    return math.prod(_primes_below(5000))


@cache
def _roca_residues() -> dict[int, frozenset[int]]:
    """Return for each prime the powers of 65537 modulo it, if they miss some residue.

    CVE-2017-15361 (ROCA): Infineon's library made primes of the form k*M + (65537^a mod M), where
    M is the product of the first primes. The modulus is then a power of 65537 modulo each of them,
    which is telling for the primes modulo which the powers miss some residue: 17 up to 167.
    A sound key looks like this by chance once in 2^27.
    """
    return {
        prime: residues
        for prime in _primes_below(168)[1:]
        if len(residues := _powers_of_65537(prime)) < prime - 1
    }


@cache
def _squares() -> frozenset[int]:
    """Return the squares modulo _SQUARES_MODULUS: 3 in 100 numbers, so few roots are computed."""
    return frozenset(root * root % _SQUARES_MODULUS for root in range(_SQUARES_MODULUS))


# Boulder's number. The CA/Browser Forum's Baseline Requirements want a hundred.
_FERMAT_ROUNDS: Final = 110

_SQUARES_MODULUS: Final = 64 * 63 * 5


def key_algorithm_name(key: PublicKeyTypes) -> str:
    """Return the algorithm and size of ``key``: of KEY_ALGORITHMS, or a name for another kind."""
    if isinstance(key, ec.EllipticCurvePublicKey):
        return _NAME_OF_CURVE.get(key.curve.name, f"ec-{key.curve.name}")
    if isinstance(key, rsa.RSAPublicKey):
        return f"rsa-{key.key_size}"
    return type(key).__name__.removesuffix("PublicKey").lower()


def check_public_key(key: PublicKeyTypes, allowed: frozenset[str]) -> str:
    """Return the algorithm's name, which is one of ``allowed``.

    ``allowed`` has names out of KEY_ALGORITHMS. Raises CSRRejected with KEY_NOT_ALLOWED for
    the wrong algorithm, size or exponent, and with KEY_WEAK for an RSA key that can be broken.
    """
    algorithm = key_algorithm_name(key)
    if algorithm not in allowed:
        wanted = ", ".join(name for name in KEY_ALGORITHMS if name in allowed)
        raise CSRRejected(
            Reason.KEY_NOT_ALLOWED,
            f"The key is {algorithm}. The profile allows {wanted}. Make a key of such a kind.",
        )
    if isinstance(key, rsa.RSAPublicKey):
        _check_rsa_numbers(key.public_numbers())
    return algorithm


def _check_rsa_numbers(numbers: rsa.RSAPublicNumbers) -> None:
    if numbers.e != RSA_PUBLIC_EXPONENT:
        # Shown by its size when long: an exponent may have thousands of digits.
        found = str(numbers.e) if numbers.e.bit_length() <= 64 else f"{numbers.e.bit_length()} bits"
        raise CSRRejected(
            Reason.KEY_NOT_ALLOWED,
            f"The RSA key's public exponent is {found}. Make a key with {RSA_PUBLIC_EXPONENT}.",
        )
    if has_roca_fingerprint(numbers.n):
        weakness = "bears the ROCA fingerprint (CVE-2017-15361)"
    elif has_small_factor(numbers.n):
        weakness = "is divisible by a small prime"
    elif has_close_factors(numbers.n):
        weakness = "is a product of two primes close to each other"
    else:
        return
    raise CSRRejected(
        Reason.KEY_WEAK,
        f"The RSA modulus {weakness}, so the private key can be computed. "
        "Make a new key with a maintained library.",
    )


def has_small_factor(modulus: int) -> bool:
    """Return whether a prime below 5000 divides ``modulus``."""
    return math.gcd(modulus, _small_primes_product()) != 1


def has_close_factors(modulus: int) -> bool:
    """Return whether Fermat's method factors ``modulus`` within _FERMAT_ROUNDS steps.

    It searches for a*a - modulus = b*b, from the least possible a upwards. The factors are then
    a + b and a - b. The closer they are, the sooner they are found (CVE-2022-26320).
    """
    a = math.isqrt(modulus - 1) + 1
    difference = a * a - modulus
    for _ in range(_FERMAT_ROUNDS):
        if difference % _SQUARES_MODULUS in _squares():
            b = math.isqrt(difference)
            if b * b == difference:
                return True
        difference += 2 * a + 1  # (a + 1)^2 - a^2
        a += 1
    return False


def has_roca_fingerprint(modulus: int) -> bool:
    """Return whether ``modulus`` looks like one of Infineon's (ROCA, CVE-2017-15361)."""
    residues_by_prime = _roca_residues()
    remainder = modulus % math.prod(residues_by_prime)
    return all(remainder % prime in residues for prime, residues in residues_by_prime.items())


def public_key_sha256(key: PublicKeyTypes) -> str:
    """Return the SHA-256, in hex, of the key's SubjectPublicKeyInfo in DER (RFC 5280 4.1).

    The library encodes the structure anew, so a key has one digest however a client encoded it (a
    compressed point, a missing NULL).
    """
    return hashlib.sha256(
        key.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    ).hexdigest()


def public_keys_equal(a: PublicKeyTypes, b: PublicKeyTypes) -> bool:
    """Return whether two public keys are the same key, however they were encoded."""
    return public_key_sha256(a) == public_key_sha256(b)


def key_matches(certificate: x509.Certificate, key_sha256: str) -> bool:
    """Return whether ``certificate`` is for the public key with that SHA-256."""
    return public_key_sha256(certificate.public_key()) == key_sha256


def generate_private_key(algorithm: str) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    """Return a new private key of one of KEY_ALGORITHMS. Raises ValueError for any other name."""
    if algorithm in _CURVES:
        return ec.generate_private_key(_CURVES[algorithm])
    if algorithm in RSA_SIZES:
        return rsa.generate_private_key(RSA_PUBLIC_EXPONENT, RSA_SIZES[algorithm])
    raise ValueError(
        f"There is no key algorithm {algorithm!r}. Use one of {', '.join(KEY_ALGORITHMS)}."
    )
