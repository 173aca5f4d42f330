"""CSRs as they come in: one that is taken, and what isn't exactly one."""

import hashlib
import subprocess
import sys
import warnings
from dataclasses import FrozenInstanceError

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pki.csr import reading as csr_module
from pki.csr.check import MAX_ATTRIBUTES, MAX_EXTENSIONS, CSRRules, check_csr
from pki.csr.reading import MAX_CSR_BYTES, parse_csr
from pki.csr.san import MAX_SAN_ENTRIES
from pki.csr.subjects import SUBJECT_ATTRIBUTES
from pki.exceptions import CSRRejected
from pki.reasons import Reason
from tests.pki.csr.judged import (
    ANYTHING,
    CHALLENGE,
    DNS,
    ECDSA_SHA1,
    URI,
    der_tlv,
    judge,
    reason_of,
    refusal_of,
    request_by_hand,
    signed_by_hand,
)
from tests.support.builders import make_csr, make_key, make_name
from tests.support.mutations import mutations

# The module ignores cryptography's warning about lengths of names, which it checks itself;
# pytest's own filters come first.
pytestmark = pytest.mark.filterwarnings("ignore:Attribute's length must be:UserWarning")


def test_W19_checked_csr_says_all_that_may_enter_a_certificate():
    key = make_key()
    der = make_csr("sensor-1", key=key, serial_number="SN-1", san=[x509.DNSName("sensor-1.a.com")])

    parsed = check_csr(der, ANYTHING)

    spki = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert parsed.der == der
    assert parsed.csr.public_key() == key.public_key()
    assert (parsed.common_name, parsed.device_serial) == ("sensor-1", "SN-1")
    assert parsed.subject == make_name("sensor-1", serial_number="SN-1")
    assert parsed.san == x509.SubjectAlternativeName([x509.DNSName("sensor-1.a.com")])
    assert parsed.key_sha256 == hashlib.sha256(spki).hexdigest()
    assert parsed.key_algorithm == "ec-p256"
    assert parsed.carries_challenge_password is False
    with pytest.raises(FrozenInstanceError):
        parsed.common_name = "sensor-2"


def test_W19_plain_csr_passes_the_default_rules():
    parsed = check_csr(make_csr(), CSRRules())

    assert (parsed.device_serial, parsed.san) == ("", None)


@pytest.mark.parametrize("algorithm", ["ec-p384", "ec-p521", "rsa-2048", "rsa-3072", "rsa-4096"])
def test_W19_every_allowed_algorithm_passes(algorithm):
    rules = CSRRules(key_algorithms=frozenset({algorithm}))

    assert check_csr(make_csr(key=make_key(algorithm)), rules).key_algorithm == algorithm


@pytest.mark.parametrize(
    "hash_algorithm", [hashes.SHA224(), hashes.SHA384(), hashes.SHA512(), hashes.SHA3_256()]
)
def test_W19_signature_hashes_that_are_sound_pass(hash_algorithm):
    assert check_csr(make_csr(hash_algorithm=hash_algorithm), ANYTHING).common_name == "sensor-1"


# --- reading


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"\x30",
        b"\x30\x00",
        b"hello",
        b"\x30\x80" + b"\x30\x80" * 4000,
        b"\x30\x84\xff\xff\xff\xff",
        make_csr()[:-1],
        make_csr() + b"\0",
        make_csr() + make_csr(),
    ],
)
def test_T09_what_is_not_exactly_one_csr_is_refused(junk):
    with pytest.raises(CSRRejected) as refusal:
        parse_csr(junk)

    assert refusal.value.reason is Reason.CSR_MALFORMED
    assert "structure" in refusal.value.message


def test_T09_too_many_bytes_are_refused_before_they_are_parsed(monkeypatch):
    monkeypatch.setattr(csr_module.x509, "load_der_x509_csr", lambda der: pytest.fail("parsed"))

    assert reason_of(bytes(MAX_CSR_BYTES + 1)) is Reason.BODY_TOO_LARGE


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("name", "30023100"),  # an RDN without attributes
        ("name", "300d310b300906035504030c02c328"),  # UTF8String that isn't
        ("name", "300c310a30080603550403130124"),  # '$' in a PrintableString
        ("attributes", "a00f300d06092a864886f70d0109073100"),  # without a value
        ("attributes", "a013301106092a864886f70d01090731040c000c00"),  # with two
        ("attributes", "a011300f06092a864886f70d01090e31020500"),  # no extensions
    ],
)
def test_T09_part_that_only_fails_when_it_is_looked_at_is_malformed(part, value):
    der = signed_by_hand(request_by_hand(**{part: bytes.fromhex(value)}))

    assert reason_of(der) is Reason.CSR_MALFORMED


def test_T09_hand_made_csr_is_as_good_as_a_library_s():
    assert check_csr(signed_by_hand(request_by_hand()), ANYTHING).common_name == "sensor-1"


def test_T09_extension_asked_for_twice_is_malformed():
    extension = bytes.fromhex("30090603551d1104023000")
    extensions = der_tlv(0x31, der_tlv(0x30, extension + extension))
    attribute = der_tlv(0x30, bytes.fromhex("06092a864886f70d01090e") + extensions)

    der = signed_by_hand(request_by_hand(attributes=der_tlv(0xA0, attribute)))

    assert reason_of(der) is Reason.CSR_MALFORMED


def test_T09_name_of_a_wrong_length_is_refused_without_a_word_on_stderr():
    der = make_csr(subject=long_country())

    assert reason_of(der) is Reason.SUBJECT_NOT_ALLOWED
    # As a server has it, where no pytest sets the filters: the module's own one must match.
    program = (
        "import sys, warnings; from pki.csr.check import *; "
        "from pki.csr.subjects import SUBJECT_ATTRIBUTES as names\n"
        "rules = CSRRules(subject_attributes=frozenset(names))\n"
        "try: check_csr(sys.stdin.buffer.read(), rules)\n"
        "except CSRRejected as refusal: print(refusal.reason)"
    )
    run = subprocess.run([sys.executable, "-c", program], input=der, capture_output=True)
    assert (run.stdout.decode().strip(), run.stderr.decode()) == ("subject-not-allowed", "")


def test_T09_name_of_a_wrong_length_is_refused_also_when_warnings_are_errors():
    der = make_csr(subject=long_country())

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert reason_of(der) is Reason.CSR_MALFORMED


def long_country():
    country = x509.NameAttribute(NameOID.COUNTRY_NAME, "DEU", _validate=False)
    return x509.Name([country, *make_name()])


def test_T09_too_many_attributes_or_extensions_or_names_are_refused():
    private = [x509.ObjectIdentifier(f"1.3.6.1.4.1.99999.{n}") for n in range(MAX_EXTENSIONS + 1)]
    attributes = [(oid, b"x") for oid in private[: MAX_ATTRIBUTES + 1]]
    extensions = [x509.UnrecognizedExtension(oid, b"\5\0") for oid in private]
    names = [x509.DNSName(f"a{number}.example.com") for number in range(MAX_SAN_ENTRIES + 1)]

    assert reason_of(make_csr(attributes=attributes)) is Reason.CSR_TOO_COMPLEX
    assert reason_of(make_csr(extensions=extensions)) is Reason.CSR_TOO_COMPLEX
    assert reason_of(make_csr(san=names)) is Reason.CSR_TOO_COMPLEX
    check_csr(make_csr(attributes=attributes[1:]), ANYTHING)
    check_csr(make_csr(extensions=extensions[2:], san=names[1:]), ANYTHING)


# --- anything at all


LAX = CSRRules(
    key_algorithms=frozenset({"ec-p256", "ec-p384", "rsa-2048"}),
    subject_attributes=frozenset(SUBJECT_ATTRIBUTES),
    san_rule="any",
    pop_linking="ignore",
)


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_T09_junk_raises_nothing_but_a_refusal(junk):
    refusal_of(junk, LAX)


RICH = {
    "serial_number": "SN-1",
    "san": [DNS("sensor-1.example.com"), URI("urn:thing:sensor-1")],
    "extensions": [x509.BasicConstraints(ca=True, path_length=1)],
}
SEEDS = [
    make_csr(),
    make_csr(**RICH, attributes=CHALLENGE),
    make_csr(key=make_key("rsa-2048")),
    make_csr(key=make_key("ec-p384"), subject=make_name(organization="Example", country="DE")),
    ECDSA_SHA1,
]
SEED_REQUESTS = [
    x509.load_der_x509_csr(der).tbs_certrequest_bytes
    for der in (make_csr(), make_csr(**RICH, attributes=CHALLENGE))
]


@given(der=mutations(SEEDS))
@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
def test_T09_mutated_csr_raises_nothing_but_a_refusal(der):
    """Spliced, cut and overwritten; then every part is looked at, signature valid or not."""
    outcome = judge(der, LAX)

    assert not isinstance(outcome, CSRRejected) or outcome.message.isprintable()


@given(data=st.data())
@settings(deadline=None, max_examples=300)
def test_T09_mutated_and_signed_again_raises_nothing_but_a_refusal(data):
    """The hard case: what a client signs itself gets past the proof of possession."""
    request = bytearray(data.draw(st.sampled_from(SEED_REQUESTS)))
    position = data.draw(st.integers(0, len(request) - 1))
    request[position] = data.draw(st.integers(0, 255))

    outcome = judge(signed_by_hand(bytes(request)), LAX)

    if isinstance(outcome, CSRRejected):
        assert outcome.message.isprintable()
    else:
        assert outcome.csr.public_key() == make_key().public_key()
