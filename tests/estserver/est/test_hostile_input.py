"""Whatever a client sends, it gets one line of text and a 4xx: never a 5xx, never a redirect."""

import base64
import re
import warnings

import pytest
from cryptography import x509
from cryptography.x509.oid import AttributeOID, NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.builders import make_csr, make_key, make_name
from tests.support.est_client import BASE
from tests.support.transports import through_lambda, through_socket

LINE = re.compile(rb"[a-z0-9-]+: [\x20-\x7e]+\n")
QUICK = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SEEDS = [
    make_csr("sensor-1"),
    make_csr("sensor-1", key=make_key("rsa-2048")),
    make_csr(
        subject=make_name("sensor-1", organization="Example", country="DE", serial_number="1"),
        san=[x509.DNSName("sensor-1"), x509.UniformResourceIdentifier("urn:thing:sensor-1")],
        attributes=[(AttributeOID.CHALLENGE_PASSWORD, b"secret")],
    ),
]


def check(response, method="POST"):
    """A certificate, or a refusal in one line, which HEAD leaves out (RFC 9110 9.3.2)."""
    assert response.status_code in (200, 204) or 400 <= response.status_code < 500, response
    assert "set-cookie" not in response.headers
    assert "location" not in response.headers
    if response.status_code >= 400 and method == "HEAD":
        assert response.body == b""
    elif response.status_code >= 400:
        assert LINE.fullmatch(response.body), response.body
        assert int(response["Content-Length"]) == len(response.body)


@st.composite
def mutated_csrs(draw):
    """A CSR with bytes flipped, cut out, doubled or put in."""
    der = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(der) - 1, 0)))
        length = draw(st.integers(1, 12))
        how = draw(st.sampled_from(["flip", "cut", "double", "insert", "length", "tail"]))
        if how == "flip" and der:
            der[at] ^= draw(st.integers(1, 255))
        elif how == "cut":
            del der[at : at + length]
        elif how == "double":
            der[at:at] = der[at : at + length]
        elif how == "insert":
            der[at:at] = draw(st.binary(min_size=1, max_size=12))
        elif how == "length" and der:
            der[at] = draw(st.sampled_from([0x00, 0x7F, 0x80, 0x81, 0x82, 0x84, 0xFF, 0x1F, 0x30]))
        else:
            del der[at:]
    return bytes(der)


@given(der=mutated_csrs(), operation=st.sampled_from(["simpleenroll", "simplereenroll"]))
@QUICK
def test_T09_mutated_csrs(est_client, der, operation):
    check(getattr(est_client, operation)(der))


@given(
    body=st.binary(max_size=300)
    | st.text(max_size=100).map(str.encode)
    | st.binary(max_size=200).map(base64.b64encode)
    | st.binary(max_size=200).map(lambda junk: b"\x30" + junk)
    | st.text("A=\n\r +/-_", max_size=200).map(str.encode),
    is_encoded=st.booleans(),
)
@QUICK
def test_T09_junk_bodies(est_client, body, is_encoded):
    url, headers = est_client.url("simpleenroll"), {"Content-Type": "application/pkcs10"}
    if not is_encoded:
        body = body.decode(errors="replace").encode()

    check(est_client.request("POST", url, body, headers, is_base64=is_encoded))


HEADER_NAMES = st.sampled_from(
    [
        *("Content-Type", "Accept", "Content-Encoding", "Content-Length", "Transfer-Encoding"),
        *("Host", "Cookie", "Authorization", "Expect", "Range", "If-None-Match", "Origin"),
        *("User-Agent", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded"),
        *("X-HTTP-Method-Override", "Accept-Language", "Referer", "X-CSRFToken", "Upgrade"),
        *("Content-Transfer-Encoding", "Connection", "Date", "Via", "X-Forwarded-Port"),
    ]
)
HEADER_VALUES = st.text(st.characters(max_codepoint=255), max_size=60) | st.sampled_from(
    [
        *("*/*", "gzip", "base64", "chunked", "-1", "0", "99999999999", "bytes=0-", 'W/"x"'),
        *('application/pkcs10; charset="', "text/html; charset=nonsense", "a/b; x*=y''z", "\0"),
        *("multipart/form-data; boundary=" + "b" * 500, "Basic =", "Bearer x", "a" * 5000),
    ]
)


@given(
    headers=st.dictionaries(HEADER_NAMES, HEADER_VALUES, max_size=6),
    operation=st.sampled_from(["cacerts", "csrattrs", "simpleenroll", "simplereenroll", "fullcmc"]),
    method=st.sampled_from(["GET", "POST", "PUT", "HEAD"]),
)
@QUICK
def test_T09_hostile_headers(est_client, headers, operation, method):
    url = f"{BASE}/{operation}"
    for response in (
        est_client.request(method, url, SEEDS[0], headers),
        through_socket(
            method, url, certificate=est_client.certificate, headers=headers, body=SEEDS[0]
        ),
    ):
        if response.status_code != 501:
            check(response, method)


@given(
    path=st.text(st.characters(max_codepoint=255), max_size=60)
    | st.text("./%2e0a;?#\\*~", max_size=30).map(lambda tail: f"{BASE}/{tail}"),
    query=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60),
    method=st.sampled_from(["GET", "POST", "DELETE", "OPTIONS"]),
)
@QUICK
def test_T09_T37_hostile_paths(est_client, path, query, method):
    event = est_client.event(method, "/", SEEDS[0])
    event["path"] = f"/{path.lstrip('/')}"
    event["multiValueQueryStringParameters"] = {query: [query, query]}
    response = through_lambda(event)
    if response.status_code != 200:  # /healthz and the like
        check(response)


@given(
    cn=st.text(max_size=70),
    organization=st.text(max_size=70),
    san=st.lists(st.text(st.characters(max_codepoint=126), max_size=30), max_size=4),
)
@QUICK
def test_T09_any_names(est_client, cn, organization, san):
    names = ((NameOID.ORGANIZATION_NAME, organization), (NameOID.COMMON_NAME, cn))
    with warnings.catch_warnings():  # of lengths: ours here, and the server's, which ignores them
        warnings.simplefilter("ignore")
        subject = x509.Name([x509.NameAttribute(*name, _validate=False) for name in names])
        try:
            csr = make_csr(subject=subject, san=[x509.DNSName(name) for name in san])
        except ValueError:  # what the library itself can't write
            return

        check(est_client.simpleenroll(csr))


BOMBS = {
    "deep nesting": b"\x30\x80" * 8000,
    "deep sequences": b"".join(
        b"\x30\x82" + (16_000 - 4 * depth).to_bytes(2, "big") for depth in range(3900)
    ),
    "a length that lies": b"\x30\x84\xff\xff\xff\xff" + b"A" * 100,
    "an indefinite length": b"\x30\x80\x02\x01\x00\x00\x00",
    "an endless OID": b"\x30\x82\x10\x04\x06\x82\x10\x00" + b"\x81" * 4096,
    "a huge integer": b"\x30\x82\x30\x04\x02\x82\x30\x00" + b"\x7f" * 12288,
    "only zeroes": b"\x30" + bytes(16_000),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_T09_asn1_bombs(est_client, bomb):
    response = est_client.simpleenroll(BOMBS[bomb])

    check(response)
    assert response.status_code in (400, 413)


def test_T09_too_many_of_anything(est_client):
    many_names = [x509.DNSName(f"n{n}.example.com") for n in range(400)]
    many_parts = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, f"u{n}") for n in range(200)]
    )
    many_extensions = [
        x509.UnrecognizedExtension(x509.ObjectIdentifier(f"1.3.6.1.4.1.99999.{n}"), b"x")
        for n in range(100)
    ]
    for csr in (
        make_csr("sensor-1", san=many_names),
        make_csr(subject=many_parts),
        make_csr("sensor-1", extensions=many_extensions),
    ):
        response = est_client.simpleenroll(csr)
        assert (response.status_code, response.reason) == (400, "csr-too-complex")
