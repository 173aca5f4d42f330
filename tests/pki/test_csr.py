"""CSRs as they come in: what is refused, for which reason, and what may leave a CSR."""

import base64
import hashlib
import subprocess
import sys
import warnings
from dataclasses import FrozenInstanceError

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.name import _ASN1Type as ASN1Type
from cryptography.x509.oid import AttributeOID, ExtendedKeyUsageOID, NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pki import csr as csr_module
from pki.csr import (
    CHANGE_SUBJECT_NAME,
    MAX_ATTRIBUTES,
    MAX_CSR_BYTES,
    MAX_EXTENSIONS,
    CSRRules,
    asks_to_change_subject,
    check_csr,
    parse_csr,
)
from pki.exceptions import CSRRejected
from pki.names import SUBJECT_ATTRIBUTES
from pki.reasons import Reason
from pki.san import MAX_SAN_ENTRIES
from tests.builders import make_csr, make_key, make_name

# The module ignores cryptography's warning about lengths of names, which it checks itself;
# pytest's own filters come first.
pytestmark = pytest.mark.filterwarnings("ignore:Attribute's length must be:UserWarning")

ANYTHING = CSRRules(
    key_algorithms=frozenset({"ec-p256"}),
    subject_attributes=frozenset(SUBJECT_ATTRIBUTES),
    san_rule="any",
    pop_linking="ignore",
)


def judge(der, rules=ANYTHING):
    """Return what check_csr returns, or its refusal; any other exception fails the test."""
    try:
        return check_csr(der, rules)
    except CSRRejected as refusal:
        return refusal


def refusal_of(der, rules=ANYTHING):
    with pytest.raises(CSRRejected) as refusal:
        check_csr(der, rules)
    return refusal.value


def reason_of(der, rules=ANYTHING):
    return refusal_of(der, rules).reason


def der_tlv(tag, content):
    length = len(content)
    if length < 128:
        return bytes([tag, length]) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def signed_by_hand(request, key=None):
    """Sign a CertificationRequestInfo (RFC 2986 4.1) that no library would build."""
    signature = (key or make_key()).sign(request, ec.ECDSA(hashes.SHA256()))
    algorithm = der_tlv(0x30, OID_ECDSA_SHA256)
    return der_tlv(0x30, request + algorithm + der_tlv(0x03, b"\0" + signature))


def request_by_hand(*, name=None, spki=None, attributes=b"\xa0\x00"):
    """Join the parts, in DER, to a CertificationRequestInfo; the defaults are sound."""
    name = make_name().public_bytes() if name is None else name
    spki = spki or make_key().public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return der_tlv(0x30, b"\x02\x01\x00" + name + spki + attributes)


# Made with OpenSSL 3.0, since cryptography signs none of these any more.
ECDSA_SHA1 = base64.b64decode(
    "MIHEMG4CAQAwDDEKMAgGA1UEAwwBeDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABAy/8JENI4VzL11gXWqauFO2"
    "jtVVrCBzyk+QAuJi91IdoN9FMNTvexNbdufWbhufUJXkaRmDZbyCSaNHDXJiN6ygADAJBgcqhkjOPQQBA0cAMEQC"
    "IH6vSfoQQsmtilIyZHxUGhTWRPz3eWCiPvEbvF5Ty2wDAiBNqEsmrypzIPD/ZLdPPLX/2RHDaqvApRlLKmWwikNL"
    "yA=="
)
EC_SECT233K1 = base64.b64decode(
    "MIG4MGcCAQAwDDEKMAgGA1UEAwwBeDBSMBAGByqGSM49AgEGBSuBBAAaAz4ABACIGjAwEeWb7hf/Jean5Wp+sw8K"
    "Qx3W21HXEAgJAQH5KfOm83gBMnuYYagxhmHJCxPEi9gRPJ7MSsyNDqAAMAoGCCqGSM49BAMCA0EAMD4CHXLhRi7z"
    "cg+slJe5s01Sur0LOyNRmkbDefQb8hmuAh1ROUsFRL354uX5tlRxjCwjBlP7fOPVRpTbTNdF+Q=="
)
OID_RSASSA_PSS = bytes.fromhex("06092a864886f70d01010a")
OID_ECDSA_SHA256 = bytes.fromhex("06082a8648ce3d040302")


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
        ("name", "300c310a3008060355040313015f"),  # '_' in a PrintableString
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
        "import sys, warnings; from pki.csr import *; "
        "from pki.names import SUBJECT_ATTRIBUTES as names\n"
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


# --- proof of possession and key


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
    assert "doesn't know" in refusal.message


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


# --- subject


def test_T14_common_name_reasons():
    two = x509.Name([*make_name("a"), *make_name("b")])

    assert reason_of(make_csr(subject=x509.Name([]))) is Reason.COMMON_NAME_MISSING
    assert reason_of(make_csr(subject=two)) is Reason.COMMON_NAME_AMBIGUOUS
    assert reason_of(make_csr("sensor 1")) is Reason.COMMON_NAME_NOT_ALLOWED


def test_T14_common_name_longer_than_x520_allows_is_refused():
    long_name = x509.NameAttribute(NameOID.COMMON_NAME, "x" * 65, _validate=False)

    assert reason_of(make_csr(subject=x509.Name([long_name]))) is Reason.COMMON_NAME_NOT_ALLOWED


def test_serial_number_is_demanded_and_then_also_allowed():
    rules = CSRRules(serial_number_required=True)

    assert reason_of(make_csr(), rules) is Reason.SERIAL_NUMBER_REQUIRED
    assert check_csr(make_csr(serial_number="SN-1"), rules).device_serial == "SN-1"
    assert reason_of(make_csr(serial_number="SN-1"), CSRRules()) is Reason.SUBJECT_NOT_ALLOWED


STRING_TYPES = (ASN1Type.UTF8String, ASN1Type.BMPString, ASN1Type.UniversalString, None)
OIDS = (
    NameOID.COMMON_NAME,
    NameOID.COUNTRY_NAME,
    NameOID.ORGANIZATION_NAME,
    NameOID.SERIAL_NUMBER,
    NameOID.EMAIL_ADDRESS,
    NameOID.TITLE,
)
TEXTS = st.one_of(
    st.from_regex(r"[a-zA-Z0-9:_-]{1,64}", fullmatch=True),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=70),
)


@st.composite
def subjects(draw):
    parts = draw(
        st.lists(st.tuples(st.sampled_from(OIDS), TEXTS, st.sampled_from(STRING_TYPES)), max_size=4)
    )
    first = draw(st.sampled_from([[(NameOID.COMMON_NAME, "sensor-1", None)], []]))
    attributes = [
        x509.NameAttribute(oid, text, string_type, _validate=False)
        for oid, text, string_type in first + parts
    ]
    return x509.Name(attributes)


@given(subjects())
@settings(deadline=None)
def test_T14_accepted_subject_reads_the_same_wherever_it_is_read(subject):
    try:
        der = make_csr(subject=subject)
    except ValueError:  # a text that its string type can't hold
        return
    parsed = judge(der)
    if isinstance(parsed, CSRRejected):
        assert parsed.message.isascii()
        assert parsed.message.isprintable()
        return
    read_back = x509.Name.from_bytes(parsed.subject.public_bytes())
    (common_name,) = read_back.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert common_name.value == parsed.common_name
    assert [(a.oid, a.value) for a in read_back] == [(a.oid, a.value) for a in subject]


# --- SAN

DNS, URI = x509.DNSName, x509.UniformResourceIdentifier


def test_no_san_is_allowed_by_rule_none():
    rules = CSRRules(san_rule="none")

    assert check_csr(make_csr(), rules).san is None
    assert reason_of(make_csr(san=[DNS("sensor-1")]), rules) is Reason.SAN_NOT_ALLOWED


def test_empty_san_is_refused_by_every_rule():
    for rule in ("none", "own-name", "any"):
        assert reason_of(make_csr(san=[]), CSRRules(san_rule=rule)) is Reason.SAN_NOT_ALLOWED


@pytest.mark.parametrize(
    "name",
    [
        DNS("sensor-1"),
        DNS("SENSOR-1.example.com"),
        DNS("sensor-1.a.b.example.com"),
        URI("urn:thing:sensor-1"),
        URI("https://example.com/things/sensor-1"),
    ],
)
def test_own_name_in_the_san_is_allowed(name):
    parsed = check_csr(make_csr("sensor-1", san=[name]), CSRRules(san_rule="own-name"))

    assert list(parsed.san) == [name]


@pytest.mark.parametrize(
    "name",
    [
        DNS("sensor-2"),
        DNS("sensor-11"),
        DNS("a.sensor-1"),
        DNS("sensor-1."),
        DNS("sensor-1..com"),
        DNS("sensor-1.exa mple.com"),
        DNS("sensor-1.example.com\n"),
        DNS("*.sensor-1"),
        DNS("sensor-1.*"),
        URI("urn:thing:sensor-2"),
        URI("urn:thing:xsensor-1"),
        URI("urn:thing:SENSOR-1"),
        URI("https://example.com/sensor-2?x=/sensor-1"),
        URI("https://example.com/sensor-2#/sensor-1"),
        URI("sensor-1"),
        URI("//example.com/sensor-1"),
        URI("urn:thing:\x00:sensor-1"),
        x509.RFC822Name("sensor-1@example.com"),
        x509.OtherName(x509.ObjectIdentifier("1.2.3"), b"\x05\x00"),
    ],
)
def test_other_names_in_the_san_are_refused_by_rule_own_name(name):
    refusal = refusal_of(make_csr("sensor-1", san=[name]), CSRRules(san_rule="own-name"))

    assert refusal.reason is Reason.SAN_NOT_ALLOWED
    assert refusal.message.isprintable()


def test_every_name_in_the_san_is_checked():
    der = make_csr("sensor-1", san=[DNS("sensor-1"), DNS("sensor-2")])

    assert reason_of(der, CSRRules(san_rule="own-name")) is Reason.SAN_NOT_ALLOWED


def test_rule_any_takes_well_formed_dns_names_and_uris_of_others():
    good = [DNS("other.example.com"), URI("https://example.com/?q=1#x")]

    assert list(check_csr(make_csr(san=good), ANYTHING).san) == good


@pytest.mark.parametrize(
    "name",
    [
        DNS("-a.example.com"),
        DNS("a_b.example.com"),
        DNS("a" * 64 + ".com"),
        DNS(".".join(["a" * 50] * 6)),
        DNS("*.example.com"),
        DNS(""),
        URI("no-scheme"),
        URI("https://example.com/<script>"),
        URI("https://example.com/" + "a" * 255),
        x509.RFC822Name("a@example.com"),
    ],
)
def test_rule_any_refuses_names_that_are_not_well_formed(name):
    assert reason_of(make_csr(san=[name])) is Reason.SAN_NOT_ALLOWED


# --- attributes and extensions


def test_T34_requested_extensions_are_left_behind():
    wishes = [
        x509.BasicConstraints(ca=True, path_length=None),
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]),
        x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\5\0"),
    ]

    plain, wishful = (check_csr(make_csr(extensions=e), CSRRules()) for e in ([], wishes))

    assert len(wishful.csr.extensions) == 3
    assert wishful.san is None
    assert wishful.subject.public_bytes() == plain.subject.public_bytes()


CHALLENGE = [(AttributeOID.CHALLENGE_PASSWORD, b"c2VjcmV0")]


def test_W49_challenge_password_is_refused_by_default():
    refusal = refusal_of(make_csr(attributes=CHALLENGE), CSRRules())

    assert refusal.reason is Reason.POP_LINKING_UNVERIFIABLE
    assert "c2VjcmV0" not in refusal.message


def test_W49_challenge_password_is_reported_when_it_is_let_pass():
    parsed = check_csr(make_csr(attributes=CHALLENGE), CSRRules(pop_linking="ignore"))

    assert parsed.carries_challenge_password is True


def test_W26_change_subject_name_is_noticed():
    asking = parse_csr(make_csr(attributes=[(CHANGE_SUBJECT_NAME, b"x")]))

    assert asks_to_change_subject(asking)
    assert not asks_to_change_subject(parse_csr(make_csr(attributes=CHALLENGE)))


# --- rules


@pytest.mark.parametrize(
    ("rules", "complaint"),
    [
        ({"key_algorithms": frozenset({"rsa-1024"})}, "key algorithm 'rsa-1024'.*ec-p256"),
        ({"key_algorithms": frozenset()}, "no CSR could pass"),
        ({"subject_attributes": frozenset({"CN"})}, "subject attribute 'CN'.*countryName"),
        ({"san_rule": "all"}, "SAN rule 'all'.*own-name"),
        ({"pop_linking": "verify"}, "POP linking rule 'verify'.*refuse"),
    ],
)
def test_rules_with_unknown_words_are_refused_at_once(rules, complaint):
    with pytest.raises(ValueError, match=complaint):
        CSRRules(**rules)


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


@given(data=st.data())
@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
def test_T09_mutated_csr_raises_nothing_but_a_refusal(data):
    """Spliced, cut and overwritten; then every part is looked at, signature valid or not."""
    der = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(der) - 1))
        length = data.draw(st.integers(0, 3))
        der[start : start + length] = data.draw(st.binary(max_size=4))
        if not der:
            return
    outcome = judge(bytes(der), LAX)

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
