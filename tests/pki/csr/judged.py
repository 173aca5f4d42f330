"""CSRs made by hand, and what is said of them."""

import base64

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AttributeOID

from pki.csr.check import CSRRules, check_csr
from pki.csr.subjects import SUBJECT_ATTRIBUTES
from pki.exceptions import CSRRejected
from tests.support.builders import make_key, make_name

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
CHALLENGE = [(AttributeOID.CHALLENGE_PASSWORD, b"c2VjcmV0")]
DNS, URI = x509.DNSName, x509.UniformResourceIdentifier
