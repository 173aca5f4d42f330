"""Which keys are signed for: by algorithm, by exponent, and by whether they can be broken."""

import hashlib
import math
import random

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from pki.csr.check import CSRRules, check_csr
from pki.csr.key_algorithms import KEY_ALGORITHMS
from pki.csr.public_keys import (
    check_public_key,
    generate_private_key,
    has_close_factors,
    has_roca_fingerprint,
    has_small_factor,
    key_algorithm_name,
    public_key_sha256,
)
from pki.exceptions import CSRRejected
from pki.reasons import Reason
from tests.support.builders import make_csr, make_key

ALL = frozenset(KEY_ALGORITHMS)


def rsa_key(modulus, exponent=65537):
    return rsa.RSAPublicNumbers(exponent, modulus).public_key()


def rsa_modulus(bits=2048):
    return make_key(f"rsa-{bits}").public_key().public_numbers().n


def roca_primes():
    """Two primes as Infineon's library made them: k*M + (65537^a mod M), found by a search."""
    first_primes = [n for n in range(2, 702) if all(n % d for d in range(2, math.isqrt(n) + 1))]
    product = math.prod(first_primes)
    assert len(first_primes) == 126  # the number ROCA uses for RSA-2048
    return [
        k * product + pow(65537, a, product)
        for k, a in ((8445767543315225, 944302886953), (8181098715380293, 403352768618))
    ]


def close_primes_modulus(distance=2):
    """p * q for neighbours without small factors; their being prime makes no difference here."""
    p = make_key("rsa-2048").private_numbers().p
    q = p + distance
    while has_small_factor(q):
        q += 2
    return p * q


@pytest.mark.parametrize("algorithm", KEY_ALGORITHMS)
def test_T10_generated_key_is_of_the_named_algorithm_and_accepted(algorithm):
    key = make_key(algorithm).public_key()

    assert check_public_key(key, frozenset({algorithm})) == algorithm


def test_generate_private_key_names_what_it_knows():
    with pytest.raises(ValueError, match=r"rsa-1024.*Use one of ec-p256"):
        generate_private_key("rsa-1024")


@pytest.mark.parametrize(
    ("key", "name"),
    [
        (rsa.generate_private_key(65537, 1024).public_key(), "rsa-1024"),
        (rsa_key((1 << 16383) + 1), "rsa-16384"),
        (rsa_key((1 << 2048) + 1), "rsa-2049"),
        (ec.generate_private_key(ec.SECP224R1()).public_key(), "ec-secp224r1"),
        (ec.generate_private_key(ec.SECP256K1()).public_key(), "ec-secp256k1"),
        (ec.generate_private_key(ec.BrainpoolP256R1()).public_key(), "ec-brainpoolP256r1"),
        (ed25519.Ed25519PrivateKey.generate().public_key(), "ed25519"),
    ],
)
def test_T10_other_algorithms_and_sizes_are_refused_by_name(key, name):
    with pytest.raises(CSRRejected) as refusal:
        check_public_key(key, ALL)

    assert refusal.value.reason is Reason.KEY_NOT_ALLOWED
    assert key_algorithm_name(key) == name
    assert f"The key is {name}." in refusal.value.message


def test_T10_algorithm_outside_the_profile_is_refused_and_the_allowed_ones_named():
    with pytest.raises(CSRRejected) as refusal:
        check_public_key(make_key("ec-p384").public_key(), frozenset({"rsa-2048", "ec-p256"}))

    assert refusal.value.reason is Reason.KEY_NOT_ALLOWED
    assert "The profile allows ec-p256, rsa-2048" in refusal.value.message


@pytest.mark.parametrize("exponent", [3, 17, 65539, (1 << 2000) + 1])
def test_T10_exponents_other_than_65537_are_refused(exponent):
    with pytest.raises(CSRRejected) as refusal:
        check_public_key(rsa_key(rsa_modulus(), exponent), ALL)

    assert refusal.value.reason is Reason.KEY_NOT_ALLOWED
    assert "Make a key with 65537" in refusal.value.message
    assert len(refusal.value.message) < 200


def modulus_with_factor(prime):
    cofactor = (1 << 2047) // prime | 1
    while has_small_factor(cofactor) or (cofactor * prime).bit_length() != 2048:
        cofactor += 2
    return cofactor * prime


@pytest.mark.parametrize(
    ("modulus", "weakness"),
    [
        (modulus_with_factor(3), "divisible by a small prime"),
        (modulus_with_factor(751), "divisible by a small prime"),
        (modulus_with_factor(4999), "divisible by a small prime"),
        (close_primes_modulus(), "close to each other"),
        (close_primes_modulus(1 << 500), "close to each other"),
        (make_key("rsa-2048").private_numbers().p ** 2, "close to each other"),
        (math.prod(roca_primes()), "ROCA"),
    ],
    ids=["3", "751", "4999", "neighbours", "close", "square", "roca"],
)
def test_T10_breakable_rsa_key_is_refused(modulus, weakness):
    with pytest.raises(CSRRejected) as refusal:
        check_public_key(rsa_key(modulus), ALL)

    assert refusal.value.reason is Reason.KEY_WEAK
    assert weakness in refusal.value.message


def test_T10_weak_key_is_refused_although_its_owner_proves_possession():
    p, q = roca_primes()
    d = pow(65537, -1, (p - 1) * (q - 1))
    key = rsa.RSAPrivateNumbers(
        p=p,
        q=q,
        d=d,
        dmp1=rsa.rsa_crt_dmp1(d, p),
        dmq1=rsa.rsa_crt_dmq1(d, q),
        iqmp=rsa.rsa_crt_iqmp(p, q),
        public_numbers=rsa.RSAPublicNumbers(65537, p * q),
    ).private_key()

    with pytest.raises(CSRRejected) as refusal:
        check_csr(make_csr(key=key), CSRRules())

    assert refusal.value.reason is Reason.KEY_WEAK


def test_sound_moduli_have_none_of_the_weaknesses():
    for bits in (2048, 3072, 4096):
        modulus = rsa_modulus(bits)

        assert not has_small_factor(modulus)
        assert not has_close_factors(modulus)
        assert not has_roca_fingerprint(modulus)


def test_fermat_agrees_with_the_plain_method_on_small_numbers():
    """The table of squares is a shortcut: it may never hide a square."""

    def plain(modulus):
        a = math.isqrt(modulus - 1) + 1
        return any(
            math.isqrt(square) ** 2 == square
            for square in ((a + step) ** 2 - modulus for step in range(110))
        )

    source = random.Random(7)
    moduli = [source.getrandbits(40) | 1 for _ in range(500)] + list(range(3, 400, 2))

    assert [has_close_factors(n) for n in moduli] == [plain(n) for n in moduli]


def test_roca_fingerprint_is_rare_among_chance_numbers():
    source = random.Random(7)

    assert not any(has_roca_fingerprint(source.getrandbits(2048) | 1) for _ in range(5000))


def test_W28_key_digest_is_of_the_subject_public_key_info():
    key = make_key().public_key()
    spki = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )

    assert public_key_sha256(key) == hashlib.sha256(spki).hexdigest()
    assert public_key_sha256(key) != public_key_sha256(make_key(index=1).public_key())
