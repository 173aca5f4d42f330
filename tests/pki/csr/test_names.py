"""The names in a CSR: subject and SAN."""

import pytest
from cryptography import x509
from cryptography.x509.name import _ASN1Type as ASN1Type
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from pki.csr.check import CSRRules, check_csr
from pki.exceptions import CSRRejected
from pki.reasons import Reason
from tests.pki.csr.judged import ANYTHING, DNS, URI, judge, reason_of, refusal_of
from tests.support.builders import make_csr, make_name

# The module ignores cryptography's warning about lengths of names, which it checks itself;
# pytest's own filters come first.
pytestmark = pytest.mark.filterwarnings("ignore:Attribute's length must be:UserWarning")


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
