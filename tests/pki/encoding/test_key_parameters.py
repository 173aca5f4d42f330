"""A curve is found spelled out by where its parameters stand, whatever else a CSR says."""

import pytest

from pki.encoding.der import SEQUENCE, tlv
from pki.encoding.key_parameters import csr_has_explicit_curve
from pki.encoding.nodes import children, whole
from tests.support.builders import make_csr

EC_KEY = bytes.fromhex("06072a8648ce3d0201")
NAMED, SPELLED_OUT = bytes.fromhex("06082a8648ce3d030107"), tlv(SEQUENCE, b"\x02\x01\x01")
OCTETS, ATTRIBUTES = b"\x04", b"\xa0"


def csr(parameters, *, also_says=b""):
    """A CSR whose key has these parameters, and that has other bytes among its attributes."""
    request, *rest = children(whole(make_csr("sensor-1")))
    version, subject, key, _ = children(request)
    _, point = children(key)
    its_key = tlv(SEQUENCE, tlv(SEQUENCE, EC_KEY + parameters) + point.encoded)
    attributes = tlv(ATTRIBUTES, tlv(OCTETS, also_says))
    request = tlv(SEQUENCE, version.encoded + subject.encoded + its_key + attributes)
    return tlv(SEQUENCE, request + b"".join(one.encoded for one in rest))


@pytest.mark.parametrize(
    "also_says",
    [b"", EC_KEY + NAMED, EC_KEY + SPELLED_OUT],
    ids=["nothing else", "and a named one", "and one spelled out"],
)
@pytest.mark.parametrize("parameters", [NAMED, SPELLED_OUT], ids=["named", "spelled out"])
def test_T10_the_keys_own_parameters_decide(parameters, also_says):
    der = csr(parameters, also_says=also_says)

    assert csr_has_explicit_curve(der) == (parameters == SPELLED_OUT)
