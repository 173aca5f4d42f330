"""Client certificates and CA files of any bytes: a refusal, and no other exception."""

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pki.encoding.ca_files import read_ca_certificates
from pki.encoding.der import BIT_STRING, SEQUENCE, tlv
from pki.encoding.nodes import NotDER, children, whole
from pki.encoding.pem import pem_text
from pki.exceptions import ClientRefused
from pki.issuance.client_authentication import _read
from pki.models import CertificateAuthority
from pki.record.snapshot import AuthoritySnapshot, CASnapshot
from tests.support.builders import make_ca, make_certificate, make_name
from tests.support.by_hand import (
    ALGORITHM,
    ECDSA_SHA256,
    ECDSA_SHA256_NULL,
    SUBJECT,
    printable,
    resigned,
)
from tests.support.mutations import mutations

CASES = Path(__file__).parents[2] / "cases"
FACTORY = make_ca("Factory CA")
PEM = FACTORY.certificate.public_bytes(Encoding.PEM).decode()
SNAPSHOT = CASnapshot(0, (AuthoritySnapshot(CertificateAuthority(name="factory", pem=PEM)),))
LEAF = make_certificate(FACTORY, "dev-01", san=[x509.DNSName("dev-01.example.com")])
LATIN1 = bytes.fromhex("300f310d300b0603550403140457e46d65")
"""A name whose CN is the T61String ``Wäme``."""
SEEDS = [
    LEAF.public_bytes(Encoding.DER),
    resigned(LEAF, FACTORY.key, {ALGORITHM: ECDSA_SHA256_NULL}, outside=ECDSA_SHA256_NULL),
    resigned(LEAF, FACTORY.key, {SUBJECT: printable(make_name("dev_01").public_bytes())}),
    resigned(LEAF, FACTORY.key, {SUBJECT: LATIN1}),
]


def read(der, chain=()):
    """Return what is read of a certificate, or the refusal; any other exception fails the test."""
    try:
        return _read.__wrapped__(der, chain, SNAPSHOT)
    except ClientRefused as refusal:
        outcome = refusal
    assert outcome.message.isprintable()
    return outcome


@pytest.mark.parametrize("der", SEEDS)
def test_T09_the_seeds_are_clients_of_the_factory(der):
    assert read(der).authority.row.name == "factory"


@given(der=mutations(SEEDS))
@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
def test_T09_a_mutated_client_certificate_raises_nothing_but_a_refusal(der):
    read(der)
    read(SEEDS[0], (SEEDS[0], der))


@given(data=st.data())
@settings(deadline=None, max_examples=300)
def test_T09_one_that_a_ca_signed_again_raises_nothing_but_a_refusal(data):
    """What a CA signs gets past the signature, so each part is looked at."""
    signed = bytearray(children(whole(data.draw(st.sampled_from(SEEDS))))[0].encoded)
    position = data.draw(st.integers(0, len(signed) - 1))
    signed[position] = data.draw(st.integers(0, 255))
    outside = data.draw(st.sampled_from([ECDSA_SHA256, ECDSA_SHA256_NULL]))
    signature = FACTORY.key.sign(bytes(signed), ec.ECDSA(SHA256()))

    read(tlv(SEQUENCE, bytes(signed) + outside + tlv(BIT_STRING, b"\0" + signature)))


@given(data=st.data())
@settings(deadline=None, max_examples=150)
def test_T09_a_mutated_ca_file_is_read_or_refused_in_a_sentence(data):
    der = bytearray(data.draw(st.sampled_from(SEEDS)))
    position = data.draw(st.integers(0, len(der) - 1))
    der[position] = data.draw(st.integers(0, 255))
    text = (PEM + pem_text(bytes(der), "CERTIFICATE")).encode()

    try:
        count, said = len(read_ca_certificates(text)), ""
    except ValueError as error:
        count, said = 2, str(error)
    assert count == 2
    assert not said or (said.startswith("The second certificate ") and said.endswith("."))
    assert said.isprintable()


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_T09_the_walker_ends_at_any_bytes(data):
    try:
        node = whole(data)
        assert node.encoded == data
        assert b"".join(child.encoded for child in children(node)) == node.content
    except NotDER:
        assert len(data) < 2 or data != b"\x30\x00"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "too early"),
        (b"\x30", "too early"),
        (b"\x30\x80\x00\x00", "not one of DER"),
        (b"\x30\x85\x00\x00\x00\x00\x01\x00", "not one of DER"),
        (b"\x30\x81\x01\x00", "more bytes than it needs"),
        (b"\x30\x82\x00\x81" + bytes(0x81), "more bytes than it needs"),
        (b"\x1f\x22\x00", "more than one byte"),
        (b"\x30\x05\x00", "larger than what follows"),
        (b"\x30\x00\x00", "after the end"),
        (bytes(64 * 1024 + 1), "at most 65536"),
    ],
)
def test_T09_the_walker_says_what_is_not_der(data, said):
    with pytest.raises(NotDER, match=said):
        whole(data)
