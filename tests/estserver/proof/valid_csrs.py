"""The CSRs that are mutated: each kind of key, and all that may be in one."""

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AttributeOID

from tests.estserver.proof.der_trees import tlv
from tests.support.builders import make_csr, make_key, make_name

_RICH = {
    "serial_number": "SN-1",
    "san": [
        x509.DNSName("sensor-1.example.com"),
        x509.UniformResourceIdentifier("urn:thing:sensor-1"),
        x509.RFC822Name("a@example.com"),
    ],
    "extensions": [
        x509.BasicConstraints(ca=True, path_length=1),
        x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.CLIENT_AUTH]),
    ],
    "attributes": [(AttributeOID.CHALLENGE_PASSWORD, b"c2VjcmV0")],
}
CSRS = [
    make_csr(),
    make_csr(**_RICH),
    make_csr(key=make_key("rsa-2048")),
    make_csr(key=make_key("ec-p384"), subject=make_name(organization="Example", country="DE")),
    make_csr(san=[x509.DNSName(f"a{number}.example.com") for number in range(20)]),
]
REQUEST_INFOS = [
    x509.load_der_x509_csr(der).tbs_certrequest_bytes
    for der in (make_csr(), make_csr(**_RICH), make_csr(subject=make_name(country="DE")))
]
_SIGNATURE_ALGORITHM = bytes.fromhex("300a06082a8648ce3d040302")  # ecdsa-with-SHA256, RFC 5758


def signed(request_info: bytes) -> bytes:
    """Return a CSR with a good signature over any bytes (RFC 2986 4.2), as a client can make it."""
    signature = make_key().sign(request_info, ec.ECDSA(hashes.SHA256()))
    assert isinstance(signature, bytes)
    bits = b"\0" + signature
    return tlv(0x30, request_info + _SIGNATURE_ALGORITHM + tlv(0x03, bits))
