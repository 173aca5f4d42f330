"""Subjects, as they may be asked for and as we write them; when two names are the same."""

import re
import unicodedata

import pytest
from cryptography import x509
from cryptography.x509.name import _ASN1Type as ASN1Type
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from pki.csr.san import sans_equal
from pki.csr.subjects import MAX_RDNS, SUBJECT_ATTRIBUTES, check_subject
from pki.csr.thing_names import check_common_name, fold_name, shown
from pki.encoding.names import names_equal
from pki.exceptions import CSRRejected
from pki.reasons import Reason

ALL = frozenset(SUBJECT_ATTRIBUTES)

# Names too long for a certificate are built here on purpose; cryptography warns of them.
pytestmark = pytest.mark.filterwarnings("ignore:Attribute's length must be:UserWarning")
CN = NameOID.COMMON_NAME
O = NameOID.ORGANIZATION_NAME  # noqa: E741 - the attribute's own short name
OU = NameOID.ORGANIZATIONAL_UNIT_NAME
C = NameOID.COUNTRY_NAME
SERIAL = NameOID.SERIAL_NUMBER


def attribute(oid, value, string_type=None):
    return x509.NameAttribute(oid, value, string_type, _validate=False)


def name(*attributes):
    return x509.Name([attribute(*parts) for parts in attributes])


def refusal_of(subject, *, allowed=ALL):
    with pytest.raises(CSRRejected) as refusal:
        check_subject(subject, allowed=allowed)
    return refusal.value


@pytest.mark.parametrize("good", ["a", "sensor-1", "00:11:22:AA_bb", "x" * 64])
def test_T15_thing_names_pass(good):
    assert check_common_name(good) is None


@pytest.mark.parametrize(
    "look_alike",
    [
        "",
        "sensor-1\n",
        "\nsensor-1",
        "sensor-1 ",
        " sensor-1",
        "sensor 1",
        "sensor-1\0",
        "sens\u043er-1",  # Cyrillic o
        "sensor-\uff11",  # full-width 1
        "sensor\u20111",  # non-breaking hyphen
        "sensor-1\u200b",  # zero-width space
        "\u202esensor-1",  # right-to-left override
        "se\u0301nsor-1",  # combining accent
        "sensor-\u0661",  # Arabic-Indic 1: \d would take it
        "sensor-1/../2",
        "sensor+1",
        "sensor#1",
        "sensor.1",
        "x" * 65,
    ],
)
def test_T15_look_alike_is_refused_and_shown_escaped(look_alike):
    with pytest.raises(CSRRejected) as refusal:
        check_common_name(look_alike)

    assert refusal.value.reason is Reason.COMMON_NAME_NOT_ALLOWED
    assert refusal.value.message.isascii()
    assert refusal.value.message.isprintable()


def test_T15_spellings_that_differ_in_case_fold_to_one():
    assert fold_name("Sensor-1") == fold_name("SENSOR-1") == fold_name("sensor-1")


@given(st.text())
def test_T15_folding_twice_is_folding_once(text):
    assert fold_name(fold_name(text)) == fold_name(text)


@given(st.text(max_size=200))
def test_shown_text_is_one_short_line_of_visible_ascii(text):
    assert shown(text).isascii()
    assert shown(text).isprintable()
    assert len(shown(text)) <= 64 * len("\\U0001f600") + len("''...")


def test_T14_subject_is_encoded_by_us_in_the_order_it_came():
    odd = name(
        (SERIAL, "SN 1", ASN1Type.UTF8String),
        (C, "DE", ASN1Type.UTF8String),
        (CN, "sensor-1", ASN1Type.BMPString),
        (O, "Bäckerei", ASN1Type.T61String),
    )

    checked = check_subject(odd, allowed=ALL)

    assert checked.common_name == "sensor-1"
    assert checked.device_serial == "SN 1"
    assert checked.name.public_bytes() == (
        name(
            (SERIAL, "SN 1", ASN1Type.PrintableString),
            (C, "DE", ASN1Type.PrintableString),
            (CN, "sensor-1", ASN1Type.UTF8String),
            (O, "Bäckerei", ASN1Type.UTF8String),
        ).public_bytes()
    )


def test_every_subject_attribute_can_be_allowed():
    for kind in SUBJECT_ATTRIBUTES.values():
        subject = name((CN, "sensor-1"), (kind.oid, "DE"))

        assert check_subject(subject, allowed={kind.name}).name == subject
        assert refusal_of(subject, allowed=ALL - {kind.name}).reason is Reason.SUBJECT_NOT_ALLOWED


def test_T14_subject_without_common_name_is_refused():
    assert refusal_of(x509.Name([])).reason is Reason.COMMON_NAME_MISSING
    assert refusal_of(name((O, "Example"))).reason is Reason.COMMON_NAME_MISSING


def test_T14_two_common_names_are_refused_even_when_equal():
    assert refusal_of(name((CN, "a"), (CN, "b"))).reason is Reason.COMMON_NAME_AMBIGUOUS
    assert refusal_of(name((CN, "a"), (CN, "a"))).reason is Reason.COMMON_NAME_AMBIGUOUS


@pytest.mark.parametrize(
    "attributes", [[(CN, "a"), (CN, "b")], [(CN, "a"), (SERIAL, "1")], [(O, "a"), (OU, "b")]]
)
def test_T14_multi_valued_rdn_is_refused(attributes):
    joined = x509.RelativeDistinguishedName([attribute(*parts) for parts in attributes])
    subject = x509.Name([joined, x509.RelativeDistinguishedName([attribute(CN, "c")])])

    assert refusal_of(subject).reason is Reason.SUBJECT_NOT_ALLOWED


def test_T14_a_second_serial_number_is_refused_and_a_second_unit_is_not():
    two_serials = name((CN, "a"), (SERIAL, "1"), (SERIAL, "2"))
    two_units = name((CN, "a"), (OU, "1"), (OU, "2"))

    assert "more than one serialNumber" in refusal_of(two_serials).message
    assert check_subject(two_units, allowed=ALL).name == two_units


@pytest.mark.parametrize(
    "bad",
    [
        (O, ""),
        (O, "   "),
        (O, "a\0b"),
        (O, "a\nb"),
        (O, "a\x1b[31m"),
        (O, "a\u202eb"),
        (O, "a\u2066b"),
        (O, "a\u200db"),
        (O, "a\u2028b"),
        (O, "a\ue000b"),
        (O, "a" * 65),
        (NameOID.LOCALITY_NAME, "a" * 129),
        (NameOID.USER_ID, "a" * 257),
        (C, "D1"),
        (C, "\u00b5"),  # two bytes, one letter
        (SERIAL, "SN_1", ASN1Type.UTF8String),
        (SERIAL, "a" * 65),
        (NameOID.EMAIL_ADDRESS, "\u00fc@example.com", ASN1Type.UTF8String),
        (NameOID.X500_UNIQUE_IDENTIFIER, b"\1", ASN1Type.BitString),
        (NameOID.TITLE, "not on the list"),
        (x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), "private"),
    ],
)
def test_T14_attribute_that_may_not_stand_in_a_certificate_is_refused(bad):
    refusal = refusal_of(name((CN, "sensor-1"), bad))

    assert refusal.reason is Reason.SUBJECT_NOT_ALLOWED
    assert refusal.message.isascii()
    assert refusal.message.isprintable()


def test_T14_refusal_of_an_attribute_says_which_are_allowed():
    refusal = refusal_of(name((CN, "a"), (O, "b")), allowed={"serialNumber", "countryName"})

    assert "organizationName" in refusal.message
    assert "The profile allows commonName, countryName, serialNumber" in refusal.message


def test_T09_subject_with_too_many_parts_is_refused():
    units = [(OU, str(number)) for number in range(MAX_RDNS)]

    assert refusal_of(name((CN, "a"), *units)).reason is Reason.CSR_TOO_COMPLEX
    assert check_subject(name((CN, "a"), *units[1:]), allowed=ALL).common_name == "a"


STRING_TYPES = [
    ASN1Type.UTF8String,
    ASN1Type.PrintableString,
    ASN1Type.BMPString,
    ASN1Type.UniversalString,
    ASN1Type.T61String,
    ASN1Type.IA5String,
]


@pytest.mark.parametrize("string_type", STRING_TYPES)
def test_W27_string_types_make_no_difference(string_type):
    ours = name((O, "Example"), (CN, "sensor-1"))
    theirs = name((O, "Example", string_type), (CN, "sensor-1", string_type))
    reread = x509.Name.from_bytes(theirs.public_bytes())

    assert names_equal(ours, reread)
    assert check_subject(reread, allowed=ALL).name.public_bytes() == ours.public_bytes()


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Example  Org", "example org"),
        (" Example Org ", "Example Org"),
        ("Stra\u00dfe", "STRASSE"),
        ("caf\u00e9", "cafe\u0301"),
        ("\uff21", "a"),
    ],
)
def test_W27_case_spaces_and_unicode_forms_make_no_difference(left, right):
    assert names_equal(name((O, left), (CN, "a")), name((O, right), (CN, "a")))


@pytest.mark.parametrize(
    "other",
    [
        name((CN, "sensor-1"), (O, "Example")),  # order
        name((O, "Example"), (CN, "sensor-2")),
        name((O, "Example")),
        name((O, "Example"), (CN, "sensor-1"), (OU, "x")),
        name((OU, "Example"), (CN, "sensor-1")),
        name((O, "Exam ple"), (CN, "sensor-1")),
        x509.Name([]),
    ],
)
def test_W27_names_that_differ_are_told_apart(other):
    ours = name((O, "Example"), (CN, "sensor-1"))

    assert not names_equal(ours, other)
    assert not names_equal(other, ours)


def test_W27_within_an_rdn_the_order_of_attributes_makes_no_difference():
    def joined(*attributes):
        rdn = x509.RelativeDistinguishedName([attribute(*parts) for parts in attributes])
        return x509.Name([rdn])

    unique_id = (NameOID.X500_UNIQUE_IDENTIFIER, b"\1", ASN1Type.BitString)

    assert names_equal(joined((CN, "a"), (O, "b")), joined((O, "B"), (CN, "A")))
    assert names_equal(joined((CN, "a"), unique_id), joined(unique_id, (CN, "a")))
    assert not names_equal(joined((CN, "a"), (O, "b")), name((CN, "a"), (O, "b")))
    assert not names_equal(joined((CN, "a"), (CN, "A")), name((CN, "a")))


@given(st.text(min_size=1, max_size=40))
def test_W27_a_name_equals_itself_folded_and_decomposed(text):
    other = unicodedata.normalize("NFD", text.casefold())

    assert names_equal(name((O, text)), name((O, other)))


def test_W26_sans_are_compared_as_sets_and_dns_names_without_case():
    dns, other_dns = x509.DNSName("sensor-1.example.com"), x509.DNSName("b.example.com")
    uri = x509.UniformResourceIdentifier("urn:thing:sensor-1")
    san = x509.SubjectAlternativeName

    assert sans_equal(None, None)
    assert sans_equal(san([dns, uri]), san([uri, x509.DNSName("SENSOR-1.Example.com")]))
    assert not sans_equal(san([dns]), None)
    assert not sans_equal(san([dns, uri]), san([dns]))
    assert not sans_equal(san([dns]), san([other_dns]))
    assert not sans_equal(san([uri]), san([x509.UniformResourceIdentifier("urn:THING:sensor-1")]))
    assert not sans_equal(san([x509.DNSName("a")]), san([x509.UniformResourceIdentifier("a")]))


@given(st.one_of(st.text(min_size=1), st.from_regex(r"[a-zA-Z0-9:_-]{1,70}", fullmatch=True)))
def test_T14_accepted_common_name_is_what_the_certificate_will_say(text):
    subject = x509.Name([x509.NameAttribute(CN, text, ASN1Type.UTF8String, _validate=False)])
    is_accepted = re.fullmatch("[a-zA-Z0-9:_-]{1,64}", text) is not None
    if not is_accepted:
        assert refusal_of(subject).reason is Reason.COMMON_NAME_NOT_ALLOWED
        return
    checked = check_subject(subject, allowed=ALL)
    (read_back,) = x509.Name.from_bytes(checked.name.public_bytes())
    assert checked.common_name == read_back.value == text
