"""The key of a CSR, and the proof that the client has it."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from pki.csr import reading as csr_module
from pki.csr.check import CSRRules, check_csr
from pki.csr.reading import parse_csr
from pki.exceptions import CSRRejected
from pki.reasons import Reason
from tests.pki.csr.judged import (
    ANYTHING,
    EC_SECT233K1,
    ECDSA_SHA1,
    OID_ECDSA_SHA256,
    OID_RSASSA_PSS,
    der_tlv,
    judge,
    reason_of,
    refusal_of,
    request_by_hand,
    signed_by_hand,
)
from tests.support.builders import make_csr, make_key, make_name

# The module ignores cryptography's warning about lengths of names, which it checks itself;
# pytest's own filters come first.
pytestmark = pytest.mark.filterwarnings("ignore:Attribute's length must be:UserWarning")


def test_T11_csr_signed_by_another_key_is_refused():
    ours = make_csr(key=make_key())
    theirs = make_csr(key=make_key(index=1))
    key = public_bytes_of(make_key())
    swapped = theirs.replace(public_bytes_of(make_key(index=1)), key)

    assert key in ours
    assert key in swapped
    assert reason_of(swapped) is Reason.PROOF_OF_POSSESSION_FAILED


def public_bytes_of(key):
    return key.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )


@pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF])
def test_T11_no_changed_byte_gets_anything_else_signed(flip):
    good = make_csr(san=[x509.DNSName("sensor-1")])
    requested = parse_csr(good).tbs_certrequest_bytes
    accepted = []
    for position in range(len(good)):
        tampered = bytearray(good)
        tampered[position] ^= flip
        outcome = judge(bytes(tampered))
        if not isinstance(outcome, CSRRejected):
            accepted.append(outcome)

    # The count of unused bits in the signature's BIT STRING may be 1 when its last bit is 0:
    # the one byte that neither the key nor the request depends on.
    assert len(accepted) <= 1
    assert all(parsed.csr.tbs_certrequest_bytes == requested for parsed in accepted)


def test_T11_signature_over_sha1_is_refused_and_named():
    refusal = refusal_of(ECDSA_SHA1)

    assert refusal.reason is Reason.PROOF_OF_POSSESSION_FAILED
    assert "SHA1" in refusal.message


def test_T11_signature_of_an_unknown_algorithm_is_refused():
    unknown = make_csr().replace(OID_ECDSA_SHA256, OID_ECDSA_SHA256[:-1] + b"\x63")

    refusal = refusal_of(unknown)

    assert refusal.reason is Reason.PROOF_OF_POSSESSION_FAILED
    assert "does not know" in refusal.message


def test_T10_unknown_curve_is_a_key_that_is_not_allowed():
    assert reason_of(EC_SECT233K1) is Reason.KEY_NOT_ALLOWED


def test_T10_key_outside_the_profile_is_refused():
    assert reason_of(make_csr(key=make_key("ec-p384"))) is Reason.KEY_NOT_ALLOWED


def test_T10_key_that_x509_knows_and_we_do_not_is_refused():
    builder = x509.CertificateSigningRequestBuilder().subject_name(make_name())
    csr = builder.sign(ed25519.Ed25519PrivateKey.generate(), None)

    refusal = refusal_of(csr.public_bytes(serialization.Encoding.DER))

    assert refusal.reason is Reason.KEY_NOT_ALLOWED
    assert "ed25519" in refusal.message


def test_W21_rsa_key_bound_to_pss_is_refused_for_it_would_change_on_the_way():
    rules = CSRRules(key_algorithms=frozenset({"rsa-2048"}))
    numbers = (
        make_key("rsa-2048")
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    )
    spki = der_tlv(0x30, der_tlv(0x30, OID_RSASSA_PSS) + der_tlv(0x03, b"\0" + numbers))
    der = signed_by_hand(request_by_hand(spki=spki))

    refusal = refusal_of(der, rules)

    assert refusal.reason is Reason.KEY_NOT_ALLOWED
    assert "id-RSASSA-PSS" in refusal.message


def test_T10_key_is_judged_before_its_signature_is_verified():
    """A costly key costs nothing: the signature isn't looked at."""
    tampered = bytearray(make_csr(key=make_key("rsa-4096")))
    tampered[-1] ^= 1

    assert reason_of(bytes(tampered)) is Reason.KEY_NOT_ALLOWED


def test_hot_path_verifies_the_signature_and_parses_once(monkeypatch):
    calls = []
    load = x509.load_der_x509_csr

    class Counted:
        def __init__(self, csr):
            self.csr = csr

        def __getattr__(self, attribute):
            calls.append(attribute)
            return getattr(self.csr, attribute)

    monkeypatch.setattr(csr_module.x509, "load_der_x509_csr", lambda der: Counted(load(der)))

    check_csr(make_csr(), ANYTHING)

    assert {name: calls.count(name) for name in calls} == {
        "public_key": 1,
        "public_key_algorithm_oid": 1,
        "signature_hash_algorithm": 1,
        "is_signature_valid": 1,
        "subject": 1,
        "extensions": 1,
        "attributes": 1,
    }
