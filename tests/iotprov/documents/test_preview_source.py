"""What preview_iot takes: a certificate or a CSR, as enrollment would take it."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from iotprov.documents.preview import parse_source
from pki.encoding.pem import pem_text
from pki.encoding.reading import is_certificate
from pki.operators.errors import OperatorError
from tests.support.builders import make_ca, make_csr

CASES = Path(__file__).parents[2] / "cases"


@pytest.mark.parametrize("name", ["csr-ecdsa-null.der", "csr-printable-bang.der"])
def test_a_csr_is_taken_with_a_deviation_in_either_form(name):
    der = (CASES / name).read_bytes()

    for content in (der, pem_text(der, "CERTIFICATE REQUEST").encode()):
        source = parse_source(content, "x")
        assert not is_certificate(source)
        assert source.public_bytes(Encoding.DER) == der


@pytest.mark.parametrize("name", ["client-null.pem", "client-t61.pem"])
def test_a_certificate_is_taken_with_a_deviation_in_either_form(name):
    source = parse_source((CASES / name).read_bytes(), "x")

    assert is_certificate(source)
    assert parse_source(source.public_bytes(Encoding.DER), "x") == source


def test_plain_input_is_taken_and_junk_refused_by_its_name():
    ca = make_ca("x").certificate

    assert parse_source(ca.public_bytes(Encoding.PEM), "x") == ca
    csr = make_csr()
    assert parse_source(csr, "x").public_bytes(Encoding.DER) == csr
    with pytest.raises(OperatorError, match=r"^x\.pem is neither a certificate nor a CSR"):
        parse_source(b"junk", "x.pem")
