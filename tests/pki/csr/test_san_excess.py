"""Requested alternative names that a profile does not allow: left out, or refused."""

import ipaddress

import pytest
from cryptography import x509

from pki.csr.check import CSRRules, check_csr
from pki.csr.san import MAX_SAN_ENTRIES, CheckedSAN, name_texts, renewed_san
from pki.reasons import Reason
from tests.pki.csr.judged import DNS, URI, der_tlv, reason_of, request_by_hand, signed_by_hand
from tests.support.builders import make_csr, make_name

OWN = frozenset({"est.example.com"})
OTHERS = [
    DNS("est.example.com"),
    DNS("sensor-2"),
    DNS("*.example.com"),
    URI("https://est.example.com/sensor-2"),
    x509.IPAddress(ipaddress.ip_address("192.0.2.7")),
    x509.RFC822Name("sensor-1@example.com"),
    x509.OtherName(x509.ObjectIdentifier("1.2.3"), b"\x05\x00"),
    x509.DirectoryName(make_name("sensor-1")),
    x509.RegisteredID(x509.ObjectIdentifier("1.2.3")),
]


def checked(*names, rule="own-name", excess="drop", own_names=OWN):
    rules = CSRRules(san_rule=rule, san_excess=excess, own_names=own_names)
    return check_csr(make_csr("sensor-1", san=list(names)), rules).names


def san(*names):
    return x509.SubjectAlternativeName(names)


@pytest.mark.parametrize("name", OTHERS, ids=lambda name: type(name).__name__)
@pytest.mark.parametrize("rule", ["none", "own-name"])
def test_a_name_that_is_not_allowed_is_left_out_alone(name, rule):
    own = DNS("sensor-1.example.com")

    found = checked(own, name, rule=rule)

    if rule == "none":
        assert found == CheckedSAN(None, (own, name))
    else:
        assert found == CheckedSAN(san(own), (name,))


@pytest.mark.parametrize("name", OTHERS, ids=lambda name: type(name).__name__)
def test_refuse_refuses_the_same_names(name):
    rules = CSRRules(san_rule="own-name", san_excess="refuse", own_names=OWN)

    assert reason_of(make_csr("sensor-1", san=[name]), rules) is Reason.SAN_NOT_ALLOWED


@pytest.mark.parametrize("excess", ["drop", "refuse"])
@pytest.mark.parametrize(
    "name",
    [
        DNS("est.example.com"),
        DNS("EST.Example.com"),
        URI("https://est.example.com/x"),
        URI("coaps://user@EST.example.COM:8443"),
    ],
)
def test_the_servers_own_name_is_not_certified_under_any_rule(name, excess):
    other = DNS("www.example.com")

    assert checked(name, other, rule="any", excess=excess) == CheckedSAN(san(other), (name,))
    for rule in ("none", "own-name"):
        assert checked(name, rule=rule).san is None


def test_the_servers_own_name_is_no_common_name_either():
    rules = CSRRules(own_names=frozenset({"localhost"}))

    assert reason_of(make_csr("LocalHost"), rules) is Reason.COMMON_NAME_NOT_ALLOWED
    assert check_csr(make_csr("localhost-1"), rules).common_name == "localhost-1"


def test_a_thing_of_the_servers_first_label_keeps_its_names():
    """Only the very name is the server's: a device may be called as its first label is."""
    own = DNS("est.fleet.example.com")
    rules = CSRRules(san_rule="own-name", san_excess="refuse", own_names=OWN)

    assert check_csr(make_csr("est", san=[own]), rules).san == san(own)


@pytest.mark.parametrize("excess", ["drop", "refuse"])
def test_what_cannot_be_judged_is_refused_whatever_the_setting(excess):
    rules = CSRRules(san_rule="any", san_excess=excess)
    many = [DNS(f"a{number}.example.com") for number in range(MAX_SAN_ENTRIES + 1)]
    undecodable = der_tlv(0x30, der_tlv(0x87, b"\x01\x02\x03"))  # an address of three bytes
    extension = der_tlv(0x30, bytes.fromhex("0603551d11") + der_tlv(0x04, undecodable))
    attribute = der_tlv(
        0x30,
        bytes.fromhex("06092a864886f70d01090e") + der_tlv(0x31, der_tlv(0x30, extension)),
    )

    assert reason_of(make_csr(san=many), rules) is Reason.CSR_TOO_COMPLEX
    assert reason_of(make_csr(san=[]), rules) is Reason.SAN_NOT_ALLOWED
    der = signed_by_hand(request_by_hand(attributes=der_tlv(0xA0, attribute)))
    assert reason_of(der, rules) is Reason.CSR_MALFORMED


def test_a_renewal_keeps_every_name_on_file_and_none_beside_them():
    on_file = san(DNS("www.example.com"), URI("urn:a:sensor-1"))
    requested = CheckedSAN(
        san(URI("urn:a:sensor-1")), (DNS("WWW.example.com"), DNS("est.example.com"))
    )

    asked, kept = renewed_san(requested, on_file, OWN)

    assert kept == on_file
    assert set(asked.san) == {URI("urn:a:sensor-1"), DNS("WWW.example.com")}
    assert asked.left_out == (DNS("est.example.com"),)


def test_a_renewal_loses_the_servers_name_alone():
    on_file = san(DNS("est.example.com"), DNS("www.example.com"))

    asked, kept = renewed_san(CheckedSAN(san(DNS("www.example.com")), ()), on_file, OWN)

    assert kept == asked.san == san(DNS("www.example.com"))
    assert asked.left_out == (DNS("est.example.com"),)
    assert renewed_san(CheckedSAN(None, ()), san(DNS("est.example.com")), OWN)[1] is None


def test_names_in_a_log_are_one_line_of_ascii():
    texts = name_texts([DNS("a\nb"), x509.DirectoryName(make_name("é")), *OTHERS])

    assert texts[0] == r"DNSName 'a\nb'"
    assert all(text.isascii() and text.isprintable() for text in texts)
