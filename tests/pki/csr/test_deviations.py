"""CSRs as devices in the field encode them: a closed list is taken, all else is named."""

import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pki.csr.check import CSRRules, check_csr
from pki.csr.subjects import SUBJECT_ATTRIBUTES
from pki.encoding import deviations
from pki.encoding.deviations import normal_csr
from pki.encoding.nodes import children, whole
from pki.exceptions import CSRRejected
from pki.reasons import Reason
from tests.pki.csr.judged import (
    ANYTHING,
    OID_ECDSA_SHA256,
    der_tlv,
    judge,
    refusal_of,
    request_by_hand,
    signed_by_hand,
)
from tests.support.builders import make_csr, make_key
from tests.support.mutations import mutations

CASES = Path(__file__).parents[2] / "cases"
RULES = CSRRules(subject_attributes=frozenset(SUBJECT_ATTRIBUTES), pop_linking="ignore")


def case(name):
    return (CASES / f"{name}.der").read_bytes()


TAKEN = {
    "csr-ecdsa-null": "kit-null-1",
    "csr-printable-underscore": "MP_kit_01",
    "csr-printable-bang": "kit-bang-1",
    "csr-critical-false": "kit-cf-1",
}


def name_with(tag, text):
    """A name of one CN, whose string has the tag and the bytes."""
    attribute = der_tlv(0x30, bytes.fromhex("0603550403") + der_tlv(tag, text))
    return der_tlv(0x30, der_tlv(0x31, attribute))


@pytest.mark.parametrize(("name", "common_name"), TAKEN.items())
def test_T09_a_deviation_on_the_list_is_taken_and_leaves_no_trace(name, common_name):
    der = case(name)

    parsed = check_csr(der, RULES)

    assert parsed.common_name == common_name
    assert parsed.der == parsed.csr.public_bytes(Encoding.DER) == der
    assert parsed.csr.tbs_certrequest_bytes in der
    # The subject is our encoding of it: the library reads it, which refused theirs.
    assert x509.Name.from_bytes(parsed.subject.public_bytes()) == parsed.subject


def test_T09_a_csr_with_a_deviation_is_passed_on_as_it_came():
    csr = check_csr(case("csr-ecdsa-null"), RULES).csr

    pem = csr.public_bytes(Encoding.PEM).decode()

    asked = subprocess.run(
        ["openssl", "req", "-verify", "-noout", "-subject"],
        input=pem,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "kit-null-1" in asked.stdout
    with pytest.raises(ValueError, match="parsing asn1"):
        x509.load_pem_x509_csr(pem.encode())
    assert csr == check_csr(case("csr-ecdsa-null"), RULES).csr
    assert csr != check_csr(case("csr-critical-false"), RULES).csr
    assert len({csr, check_csr(case("csr-ecdsa-null"), RULES).csr}) == 1


@pytest.mark.parametrize("character", "_!&#@*")
def test_T09_each_character_on_the_list_may_be_in_a_printable_string(character):
    text = f"a{character}b"
    name = der_tlv(
        0x30,
        name_with(0x0C, b"sensor-1")[2:]
        + der_tlv(
            0x31,
            der_tlv(0x30, bytes.fromhex("060355040a") + der_tlv(0x13, text.encode())),
        ),
    )

    parsed = check_csr(signed_by_hand(request_by_hand(name=name)), RULES)

    assert [attribute.value for attribute in parsed.subject] == ["sensor-1", text]


@pytest.mark.parametrize("character", ["$", "%", '"', ";", "<", "\\", "~", "\0", "\n"])
def test_T09_other_characters_in_a_printable_string_are_named(character):
    name = name_with(0x13, f"a{character}".encode())

    refusal = refusal_of(signed_by_hand(request_by_hand(name=name)))

    assert refusal.reason is Reason.CSR_MALFORMED
    assert refusal.message == (
        "The CSR's subject has the commonName as a PrintableString with the character "
        f"{character!a}. Write the attribute as a UTF8String."
    )


def test_T09_a_t61_string_is_read_as_latin1():
    name = der_tlv(
        0x30,
        name_with(0x0C, b"sensor-1")[2:]
        + der_tlv(
            0x31,
            der_tlv(0x30, bytes.fromhex("060355040a") + der_tlv(0x14, b"W\xe4rme")),
        ),
    )

    parsed = check_csr(signed_by_hand(request_by_hand(name=name)), RULES)

    assert parsed.subject.rfc4514_string() == "O=Wärme,CN=sensor-1"


@pytest.mark.parametrize("name", TAKEN)
@pytest.mark.parametrize("position", [-1, 40])
def test_T11_no_deviation_skips_the_signature(name, position):
    der = bytearray(case(name))
    der[position] ^= 1

    assert isinstance(judge(bytes(der), RULES), CSRRejected)


def test_T11_a_signature_over_the_rewritten_bytes_proves_nothing():
    """Who signs what the server makes of a request, instead of the request, is refused."""
    key = make_key()
    sent = request_by_hand(name=name_with(0x13, b"MP_kit_01"))
    whole_request = signed_by_hand(sent)
    rewritten = children(whole(normal_csr(whole_request)))[0].encoded
    assert rewritten != sent
    signature = key.sign(rewritten, ec.ECDSA(SHA256()))
    forged = der_tlv(
        0x30, sent + der_tlv(0x30, OID_ECDSA_SHA256) + der_tlv(0x03, b"\0" + signature)
    )

    assert check_csr(whole_request, RULES).common_name == "MP_kit_01"
    assert refusal_of(forged, RULES).reason is Reason.PROOF_OF_POSSESSION_FAILED


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("csr-no-attributes", "The CSR's attributes field is missing. Write it even if"),
        ("csr-version-1", "The CSR's version is 1. Write INTEGER 0"),
        ("csr-attributes-unsorted", "The CSR's attributes are not in the order of a DER SET OF."),
        ("csr-extreq-empty-set", "The CSR's attribute extensionRequest is empty. Leave"),
        ("csr-rdn-unsorted", "The subject has a part that joins 2 attributes with '+'. Send each"),
    ],
)
def test_T09_what_is_not_on_the_list_is_refused_by_its_part(name, said):
    refusal = refusal_of(case(name), RULES)

    assert refusal.reason in (Reason.CSR_MALFORMED, Reason.SUBJECT_NOT_ALLOWED)
    assert refusal.message.startswith(said)
    assert refusal.message.endswith(".")
    assert "openssl req" not in str(refusal)


def test_T09_rsa_keeps_its_null_and_other_parameters_are_no_deviation():
    """Only ECDSA loses NULL, and only NULL is lost."""
    rsa = make_csr(key=make_key("rsa-2048"))
    algorithm = der_tlv(0x30, OID_ECDSA_SHA256 + b"\x05\x00")
    other = der_tlv(0x30, OID_ECDSA_SHA256 + b"\x02\x01\x00")

    assert normal_csr(rsa) == rsa
    good = make_csr()
    null = good.replace(der_tlv(0x30, OID_ECDSA_SHA256), algorithm)
    assert children(whole(normal_csr(_fitted(null))))[1].content == OID_ECDSA_SHA256
    odd = _fitted(good.replace(der_tlv(0x30, OID_ECDSA_SHA256), other))
    assert normal_csr(odd) == odd
    assert refusal_of(odd).reason is Reason.CSR_MALFORMED


def _fitted(der):
    """The bytes with the length of the outermost value made right."""
    return der_tlv(0x30, der[2:] if der[1] < 0x80 else der[2 + der[1] - 0x80 :])


def test_T09_good_input_never_loads_what_rewrites():
    program = (
        "import sys; from pki.csr.check import *; from tests.support.builders import make_csr\n"
        "check_csr(make_csr(), CSRRules())\n"
        "print([name for name in sys.modules if name in "
        "('pki.encoding.as_sent', 'pki.encoding.deviations', 'pki.encoding.faults')])"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=CASES.parents[1]
    )

    assert run.stdout.strip() == "[]", run.stderr


# --- anything at all

SEEDS = [case(name) for name in TAKEN] + [
    signed_by_hand(request_by_hand(name=name_with(0x14, b"W\xe4rme")))
]


@given(der=mutations(SEEDS))
@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
def test_T09_a_mutated_deviation_raises_nothing_but_a_refusal(der):
    outcome = judge(der, RULES)

    if isinstance(outcome, CSRRejected):
        assert outcome.message.isprintable()


@given(data=st.data())
@settings(deadline=None, max_examples=300)
def test_T09_a_deviation_changed_and_signed_again_raises_nothing_but_a_refusal(data):
    """What a client signs itself gets past the proof of possession."""
    name = name_with(data.draw(st.sampled_from([0x13, 0x14])), data.draw(st.binary(max_size=12)))
    extension = der_tlv(
        0x30,
        bytes.fromhex("0603551d0f")
        + data.draw(st.sampled_from([b"", deviations.CRITICAL_FALSE, b"\x01\x01\x01"]))
        + data.draw(st.sampled_from([b"\x04\x04\x03\x02\x07\x80", b"\x04\x00", b""])),
    )
    attribute = der_tlv(
        0x30, deviations.EXTENSION_REQUEST + der_tlv(0x31, der_tlv(0x30, extension))
    )
    attributes = der_tlv(0xA0, data.draw(st.sampled_from([b"", attribute, attribute * 2])))

    outcome = judge(signed_by_hand(request_by_hand(name=name, attributes=attributes)), ANYTHING)

    if isinstance(outcome, CSRRejected):
        assert outcome.message.isprintable()
    else:
        assert outcome.csr.public_key() == make_key().public_key()
