"""How a CSR may be written in a request, and how a reply is written."""

import base64
import textwrap

import pytest

from estserver.est import renderers
from estserver.est.chunked import MAX_BODY_BYTES
from pki.models import IssuedCertificate
from tests.support.builders import make_csr, make_key
from tests.support.est_client import BASE
from tests.support.transports import through_socket

CSR = make_csr("sensor-1")
BASE64 = base64.b64encode(CSR)
PKCS10 = {"Content-Type": "application/pkcs10"}


def wrapped(width, end):
    lines = textwrap.wrap(BASE64.decode(), width)
    return (end.join(lines) + end).encode()


def pem(label, end="\n"):
    body = wrapped(64, end).decode()
    return f"-----BEGIN {label}-----{end}{body}-----END {label}-----{end}".encode()


TEXT_FORMS = {
    "one line": BASE64,
    "one line with its end": BASE64 + b"\n",
    "wrapped": wrapped(64, "\n"),
    "wrapped at 76 with CRLF": wrapped(76, "\r\n"),
    "white space everywhere": b" \t\r\n" + b" ".join(BASE64[i : i + 5] for i in range(0, 2000, 5)),
    "PEM": pem("CERTIFICATE REQUEST"),
    "PEM with CRLF": pem("CERTIFICATE REQUEST", "\r\n"),
    "PEM as old tools wrote it": pem("NEW CERTIFICATE REQUEST"),
    "PEM on one line, as curl --data sends it": pem("CERTIFICATE REQUEST", ""),
    "PEM with text around it": b"Subject: CN=x\n" + pem("CERTIFICATE REQUEST") + b"\nbye\n",
    "PEM after a byte order mark": b"\xef\xbb\xbf" + pem("CERTIFICATE REQUEST"),
    "PEM with the NUL of a C string": pem("CERTIFICATE REQUEST") + b"\0",
    "base64 with the NUL of a C string": BASE64 + b"\n\0",
    "base64 after a byte order mark": b"\xef\xbb\xbf" + BASE64,
    "base64 of PEM": base64.b64encode(pem("CERTIFICATE REQUEST")),
    "base64 of PEM with all of it": base64.b64encode(
        b"\xef\xbb\xbfSubject: x\r\n" + pem("CERTIFICATE REQUEST", "\r\n") + b"\0"
    ),
}


@pytest.mark.parametrize("form", TEXT_FORMS)
@pytest.mark.parametrize("is_base64", [True, False])
def test_W10_W11_text_is_taken_whether_or_not_the_gateway_encoded_it(est_client, form, is_base64):
    response = est_client.request(
        "POST", est_client.url("simpleenroll"), TEXT_FORMS[form], PKCS10, is_base64=is_base64
    )

    assert (
        response.certificate.public_key()
        == IssuedCertificate.objects.get(common_name="sensor-1").to_x509().public_key()
    )


def test_W11_raw_der_comes_encoded_by_the_gateway_and_is_decoded_exactly_once(est_client):
    response = est_client.request("POST", est_client.url("simpleenroll"), CSR, PKCS10)

    assert response.status_code == 200


def test_W11_raw_der_that_the_gateway_took_for_text_is_refused_in_one_line(est_client):
    event = est_client.event("POST", est_client.url("simpleenroll"), CSR, PKCS10)
    mangled = base64.b64decode(event["body"]).decode(errors="replace").encode()

    response = est_client.request(
        "POST", est_client.url("simpleenroll"), mangled, PKCS10, is_base64=False
    )

    assert (response.status_code, response.reason) == (400, "csr-malformed")


def test_W11_a_body_that_is_base64_twice_is_not_decoded_twice(est_client):
    response = est_client.request(
        "POST", est_client.url("simpleenroll"), base64.b64encode(BASE64), PKCS10
    )

    assert (response.status_code, response.reason) == (400, "csr-malformed")


@pytest.mark.parametrize("form", ["DER", *TEXT_FORMS])
def test_W10_W11_the_tls_server_takes_the_same_forms(est_client, form):
    body = CSR if form == "DER" else TEXT_FORMS[form]

    response = through_socket(
        "POST",
        f"{BASE}/simpleenroll",
        certificate=est_client.certificate,
        headers=PKCS10,
        body=body,
    )

    assert response.status_code == 200


@pytest.mark.parametrize(
    "value", [None, "base64", "BASE64", "binary", "7bit", "quoted-printable", "", "x, y"]
)
def test_W9_content_transfer_encoding_of_a_request_is_ignored(est_client, value):
    headers = PKCS10 if value is None else {**PKCS10, "Content-Transfer-Encoding": value}
    for body in (BASE64, CSR):
        response = est_client.request("POST", est_client.url("simpleenroll"), body, headers)
        assert response.status_code == 200


NOT_A_CSR = {
    "nothing": (b"", 400, "body-empty"),
    "only white space": (b" \r\n\t \n", 400, "body-empty"),
    "not base64": (b"MII!" + BASE64, 400, "body-not-base64"),
    "base64url": (b"MI-_" + BASE64, 400, "body-not-base64"),
    "padding in the middle": (b"MA==" + BASE64, 400, "body-not-base64"),
    "cut off": (BASE64[:-3], 400, "body-not-base64"),
    "base64 of something else": (base64.b64encode(b"hello"), 400, "csr-malformed"),
    "DER cut off": (CSR[:-1], 400, "csr-malformed"),
    "a byte after the DER": (CSR + b"\0", 400, "csr-malformed"),
    "a byte after the DER, in base64": (base64.b64encode(CSR + b"\0"), 400, "csr-malformed"),
    "PEM of a certificate": (pem("CERTIFICATE"), 400, "body-not-base64"),
    "two PEM blocks": (pem("CERTIFICATE REQUEST") * 2, 400, "body-not-base64"),
    "a key beside the CSR": (
        pem("EC PRIVATE KEY") + pem("CERTIFICATE REQUEST"),
        400,
        "body-not-base64",
    ),
    "thousands of PEM blocks": (b"-----BEGIN X-----" * 1900, 400, "body-not-base64"),
    "PEM without its end": (pem("CERTIFICATE REQUEST")[:-40], 400, "body-not-base64"),
    "base64 of PEM of a certificate": (
        base64.b64encode(pem("CERTIFICATE")),
        400,
        "body-not-base64",
    ),
    "base64 of base64 of PEM": (
        base64.b64encode(base64.b64encode(pem("CERTIFICATE REQUEST"))),
        400,
        "csr-malformed",
    ),
    "PEM labels that differ": (
        pem("CERTIFICATE REQUEST").replace(b"END C", b"END NEW C"),
        400,
        "body-not-base64",
    ),
    "NUL": (b"\0" * 100, 400, "body-not-base64"),
    "JSON": (b'{"csr": "..."}', 400, "body-not-base64"),
    "a form": (b"csr=" + BASE64, 400, "body-not-base64"),
    "UTF-16": (BASE64.decode().encode("utf-16"), 400, "body-not-base64"),
}


@pytest.mark.parametrize("what", NOT_A_CSR)
def test_W13_a_body_that_is_no_csr_gets_a_4xx_that_says_what_it_is(est_client, what):
    body, status, reason = NOT_A_CSR[what]
    for operation in ("simpleenroll", "simplereenroll"):
        response = est_client.request("POST", est_client.url(operation), body, PKCS10)

        assert (response.status_code, response.reason) == (status, reason)
        assert response["Content-Type"] == "text/plain; charset=utf-8"


def test_W13_a_body_up_to_the_bound_is_read_and_one_byte_more_is_413(est_client):
    filled = BASE64 + b"\n" * (MAX_BODY_BYTES - len(BASE64))
    url = est_client.url("simpleenroll")

    assert est_client.request("POST", url, filled, PKCS10).status_code == 200
    response = est_client.request("POST", url, filled + b"\n", PKCS10)

    assert (response.status_code, response.reason) == (413, "body-too-large")


def test_W13_a_der_csr_above_its_own_bound_is_413_too(est_client):
    large = b"\x30\x82\x7f\x00" + bytes(20_000)

    response = est_client.simpleenroll(large)

    assert (response.status_code, response.reason) == (413, "body-too-large")


class CountingStream:
    """A body without end, which counts what is taken from it."""

    taken = 0

    def read(self, size=-1):
        assert size >= 0, "the whole of it was asked for"
        self.taken += size
        return b"A" * size

    readline = read


@pytest.mark.parametrize("has_certificate", [True, False])
def test_W13_a_huge_body_is_refused_without_being_read(est_client, has_certificate):
    stream = CountingStream()

    response = through_socket(
        "POST",
        f"{BASE}/simpleenroll",
        certificate=est_client.certificate if has_certificate else None,
        headers=PKCS10,
        body=stream,
        length=10**12,
    )

    assert response.status_code == (413 if has_certificate else 401)
    assert stream.taken <= (MAX_BODY_BYTES + 1 if has_certificate else 0)


class BrokenStream:
    """A body whose sender hangs up."""

    def read(self, size=-1):
        raise ConnectionResetError

    readline = read


def test_a_client_that_hangs_up_in_the_middle_is_no_failure_of_ours(est_client, caplog):
    response = through_socket(
        "POST",
        f"{BASE}/simpleenroll",
        certificate=est_client.certificate,
        headers=PKCS10,
        body=BrokenStream(),
        length=500,
    )

    assert response.status_code == 400
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("length", ["", "abc", "-1", "0", "1e3"])
def test_a_length_that_is_no_number_counts_as_no_body(est_client, length):
    response = through_socket(
        "POST",
        f"{BASE}/simpleenroll",
        certificate=est_client.certificate,
        headers=PKCS10,
        body=BASE64,
        length=length,
    )

    assert (response.status_code, response.reason) == (400, "body-empty")


RIGHT_TYPES = [
    "application/pkcs10",
    "APPLICATION/PKCS10",
    "application/pkcs10; charset=utf-8",
    "application/pkcs10;smime-type=x",
    " application/pkcs10 ",
    "application/pkcs10; x*=bogus''y",
    "application/pkcs10; " + "x" * 12_000,
]
WRONG_TYPES = [
    None,
    "",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "multipart/form-data",
    "application/pkcs7-mime",
    "application/pkcs10x",
    "text/plain",
    "*/*",
    "application",
    "/",
    "application/json; x*=bogus''y",
    "\u00ff",
]


def post_with_type(client, media_type):
    headers = {} if media_type is None else {"Content-Type": media_type}
    return client.request("POST", client.url("simpleenroll"), BASE64, headers)


@pytest.mark.parametrize("media_type", RIGHT_TYPES)
@pytest.mark.parametrize("is_strict", [True, False])
def test_W12_a_media_type_is_compared_without_case_and_parameters(
    est_client, settings, media_type, is_strict
):
    settings.EST_API_STRICT_HEADERS_CHECK = is_strict

    assert post_with_type(est_client, media_type).status_code == 200


@pytest.mark.parametrize("media_type", WRONG_TYPES)
def test_W12_a_wrong_or_missing_type_answers_415_when_headers_are_checked(
    est_client, settings, media_type
):
    settings.EST_API_STRICT_HEADERS_CHECK = True

    response = post_with_type(est_client, media_type)

    assert (response.status_code, response.reason) == (415, "media-type-wrong")
    assert not IssuedCertificate.objects.filter(common_name="sensor-1").exists()


@pytest.mark.parametrize("media_type", WRONG_TYPES)
def test_W12_a_wrong_or_missing_type_is_accepted_when_headers_are_not_checked(
    est_client, settings, media_type
):
    settings.EST_API_STRICT_HEADERS_CHECK = False

    assert post_with_type(est_client, media_type).status_code == 200


@pytest.mark.parametrize("is_sent", [True, False])
def test_W9_W10_replies_are_one_line_of_base64_with_the_header_as_configured(
    est_client, settings, is_sent
):
    settings.EST_CONTENT_TRANSFER_ENCODING_HEADER = is_sent
    for response in (est_client.cacerts(), est_client.simpleenroll(CSR)):
        assert response.status_code == 200
        assert response.body.count(b"\n") == 1
        assert response.body.endswith(b"\n")
        base64.b64decode(response.body.removesuffix(b"\n"), validate=True)
        assert response.headers.get("content-transfer-encoding") == ("base64" if is_sent else None)


LIBEST = ["Cisco EST client 1.0", "Cisco EST client", "libest 3.2.0", "libest"]
OTHERS = ["curl/8.0", "", "cisco est client", "LibEST", " libest", "strongSwan/6 libest", "-"]


def every_base64_reply(client, user_agent):
    """What a client of that name gets from cacerts, csrattrs, simpleenroll and simplereenroll."""
    named = {"User-Agent": user_agent}
    yield client.request("GET", client.url("cacerts"), headers=named)
    yield client.request("GET", client.url("csrattrs"), headers=named)
    for number, operation in enumerate(("simpleenroll", "simplereenroll"), start=1):
        body = base64.encodebytes(make_csr("sensor-1", key=make_key("ec-p256", number)))
        headers = {"Content-Type": "application/pkcs10", **named}
        reply = client.request("POST", client.url(operation), body, headers)
        yield reply
        client = client.using(reply.certificate)


@pytest.mark.parametrize("user_agent", LIBEST)
def test_W10_every_base64_reply_has_short_lines_for_libest(
    est_client, change_default_profile, user_agent
):
    change_default_profile(csrattrs=["1.2.840.10045.4.3.2"])
    for reply in every_base64_reply(est_client, user_agent):
        assert reply.status_code == 200, reply.text
        *full, last, end = reply.body.split(b"\n")
        assert {64} >= {*map(len, full)}
        assert 0 < len(last) <= 64
        assert end == b""
        assert int(reply["Content-Length"]) == len(reply.body)
        assert reply["Vary"] == "User-Agent"


@pytest.mark.parametrize("user_agent", OTHERS)
def test_W10_every_base64_reply_is_one_line_for_others(
    est_client, change_default_profile, user_agent
):
    change_default_profile(csrattrs=["1.2.840.10045.4.3.2"])
    for reply in every_base64_reply(est_client, user_agent):
        assert reply.status_code == 200, reply.text
        assert reply.body.count(b"\n") == 1
        assert reply["Vary"] == "User-Agent"


def test_W10_nothing_but_line_breaks_depends_on_the_user_agent(stranger):
    url = stranger.url("cacerts")

    plain = stranger.request("GET", url, headers={"User-Agent": "curl/8.0"})
    libest = stranger.request("GET", url, headers={"User-Agent": "libest"})

    assert libest.body.replace(b"\n", b"") == plain.body.rstrip(b"\n")
    assert {**libest.headers, "content-length": ""} == {**plain.headers, "content-length": ""}


@pytest.mark.parametrize("length", [1, 47, 48, 49, 1368, 1695])  # the last: two CAs of RSA 4096
def test_W10_lines_are_full_and_none_is_empty_for_any_length(length):
    der = bytes(range(256)) * 7
    reply = renderers.ca_certificates(der[:length], with_smime_type=False, user_agent="libest")

    assert all(reply.content.removesuffix(b"\n").split(b"\n"))
    assert base64.b64decode(reply.content) == der[:length]
