"""The tree of a client's DER is bounded, and shows every value."""

import datetime
from contextlib import suppress

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given, settings

from pki.encoding.asn1_tree import MOST_DEPTH, MOST_LINES, asn1_lines
from pki.encoding.der import SEQUENCE, tlv
from pki.encoding.lint import lint
from pki.encoding.nodes import NotDER
from pki.encoding.reading import UNREADABLE, read_certificate
from tests.support.builders import make_ca, make_certificate, make_csr, make_key
from tests.support.mutations import mutations


def test_every_value_of_a_csr_has_its_line():
    lines = asn1_lines(make_csr("sensor-1"))

    said = [(line.depth, line.name, line.value) for line in lines]
    assert said[0][:2] == (0, "SEQUENCE")
    assert (5, "OBJECT IDENTIFIER", "2.5.4.3 (commonName)") in said
    assert (5, "UTF8String", "sensor-1") in said
    assert any(name == "[0]" for _, name, _ in said)


def test_what_a_string_wraps_is_stepped_into():
    ca = make_ca("Root")
    lines = asn1_lines(ca.certificate.public_bytes(Encoding.DER))

    boolean = next(index for index, line in enumerate(lines) if line.value == "TRUE")
    assert [line.name for line in lines[boolean + 1 : boolean + 4]] == [
        "OCTET STRING", "SEQUENCE", "BOOLEAN",
    ]  # fmt: skip
    assert lines[boolean + 2].depth == lines[boolean + 1].depth + 1
    assert all(line.offset < 2**16 for line in lines)


@pytest.mark.parametrize("der", [b"", b"\x30", b"\x30\x05\x02\x01\x01", b"\x30\x00\x00"])
def test_what_is_not_der_is_refused(der):
    with pytest.raises(NotDER):
        asn1_lines(der)


def test_depth_and_lines_are_bounded():
    deep = b"\x05\x00"
    for _ in range(200):
        deep = tlv(SEQUENCE, deep)
    wide = tlv(SEQUENCE, b"\x05\x00" * 20_000)

    assert max(line.depth for line in asn1_lines(deep)) == MOST_DEPTH
    assert len(asn1_lines(wide)) == MOST_LINES


SEEDS = [
    make_csr("sensor-1", key=make_key()),
    make_ca("Root").certificate.public_bytes(Encoding.DER),
]


@settings(max_examples=150, deadline=None)
@given(mutations(SEEDS))
def test_T09_mutated_der_gives_lines_or_a_refusal_and_lint_only_findings(der):
    with suppress(NotDER):
        assert len(asn1_lines(der)) <= MOST_LINES
    try:
        certificate = read_certificate(der)
    except UNREADABLE:
        return
    assert all(each.sentence.endswith(".") for each in lint(certificate, None))


def test_lint_finds_that_another_ca_signed():
    root = make_ca("Root")
    certificate = make_certificate(root, "device", public_key=make_key().public_key())

    assert lint(certificate, root.certificate) == lint(certificate, None)
    said = [each.sentence for each in lint(certificate, make_ca("Other").certificate)]
    assert "The CA on record did not sign it." in said


def test_lint_finds_a_ca_without_the_usages_of_a_client():
    ca = make_ca("Root").certificate

    said = [each.sentence for each in lint(ca, None)]

    assert "It says that it is a CA." in said
    assert any("digitalSignature" in sentence for sentence in said)


def test_lint_finds_the_wrong_extended_usage_and_an_unknown_critical_extension():
    root, key = make_ca("Root"), make_key()
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "device")]))
        .issuer_name(root.certificate.subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=36500))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00"),
            critical=True,
        )
        .sign(root.key, root.certificate.signature_hash_algorithm)
    )

    said = " ".join(each.sentence for each in lint(certificate, root.certificate))

    assert "lacks clientAuth" in said
    assert "1.3.6.1.4.1.99999.1 is critical" in said
    assert "its CA only until" in said
    assert "no authority key identifier" in said
