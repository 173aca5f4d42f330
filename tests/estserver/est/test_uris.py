"""Paths and methods: what is there, what isn't, and that nothing is ever redirected."""

import pytest

from pki.models import IssuedCertificate
from pki.operators.errors import OperatorError
from tests.support.builders import make_csr
from tests.support.est_client import BASE
from tests.support.transports import through_socket

METHOD_OF = {
    "cacerts": "GET",
    "csrattrs": "GET",
    "simpleenroll": "POST",
    "simplereenroll": "POST",
    "serverkeygen": "POST",
    "fullcmc": "POST",
}
ALLOWED = {"GET": "GET, HEAD", "POST": "POST"}
METHODS = [
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "PROPFIND",
    "BREW",
]

NOWHERE = [
    f"{BASE}/{{op}}/",
    f"{BASE}/{{op}}//",
    f"{BASE}//{{op}}",
    f"/{BASE}/{{op}}",
    "/.well-known//est/{op}",
    f"{BASE}/./{{op}}",
    f"{BASE}/../est/{{op}}",
    f"{BASE}/%2e%2e/est/{{op}}",
    f"{BASE}/%2e/{{op}}",
    f"{BASE}/%252e%252e/{{op}}",
    "/%252ewell-known/est/{op}",
    "/x/../.well-known/est/{op}",
    "/.WELL-KNOWN/est/{op}",
    "/.well-known/EST/{op}",
    "/well-known/est/{op}",
    "/est/{op}",
    "/{op}",
    f"{BASE}/{{op}}%0a",
    f"{BASE}/{{op}}%0d%0aX-Injected:1",
    f"{BASE}/{{op}}%00",
    f"{BASE}/{{op}}%20",
    f"{BASE}/%20{{op}}",
    f"{BASE}/{{op}}.json",
    f"{BASE}/{{op}};jsessionid=1",
    f"{BASE}/{{op}};",
    f"{BASE}/{{op}}%3Fx",
    f"{BASE}/{{op}}%23x",
    f"{BASE}\\{{op}}",
    f"{BASE}/%5c{{op}}",
    f"{BASE}/{{op}}%c0%af",
    f"{BASE}/{{op}}%ff%fe",
    f"{BASE}/{{op}}%e2%80%ae",
    f"{BASE}/{{OP}}",
    f"{BASE}/{{op}}x",
    f"{BASE}/a/b/{{op}}",
    f"{BASE}/Label/{{op}}",
    f"{BASE}/la bel/{{op}}",
    f"{BASE}/-label/{{op}}",
    f"{BASE}/label-/{{op}}",
    f"{BASE}/%2elabel/{{op}}",
    f"{BASE}/{'l' * 41}/{{op}}",
    f"{BASE}/l%C3%A4bel/{{op}}",
    f"{BASE}/label%0a/{{op}}",
    f"{BASE}/{{op}}/label",
    f"{BASE}/https://elsewhere.example/{{op}}",
]
OF_NO_OPERATION = ["/", "//", BASE, f"{BASE}/", "/.well-known/", "/admin/", "/admin/login/", "/est"]
SAME_PATH = ["/%2ewell-known/est/{op}", f"{BASE}/%63acerts", f"{BASE}%2fcacerts"]


def test_T37_a_path_that_is_not_an_operations_answers_404(est_client):
    paths = [
        (METHOD_OF[op], trick.format(op=op, OP=op.upper())) for op in METHOD_OF for trick in NOWHERE
    ]
    paths += [(method, path) for path in OF_NO_OPERATION for method in ("GET", "POST")]
    assert len(paths) > 280

    wrong = []
    for method, path in paths:
        for response in (
            est_client.request(method, path),
            through_socket(method, path, certificate=est_client.certificate),
        ):
            if response.status_code != 404 or response.body.count(b"\n") != 1:
                wrong.append((method, path, response.status_code))

    assert wrong == []
    assert not IssuedCertificate.objects.exclude(operation="client").exists()


def test_T37_percent_encoding_is_undone_once_before_a_path_is_looked_up(stranger):
    for path in SAME_PATH:
        assert stranger.request("GET", path.format(op="cacerts")).status_code == 200, path


@pytest.mark.parametrize("operation", METHOD_OF)
def test_W4_a_wrong_method_answers_405_with_allow_before_anyone_is_asked_who_he_is(
    stranger, operation
):
    for method in METHODS:
        if method in ALLOWED[METHOD_OF[operation]].split(", "):
            continue
        response = stranger.request(method, stranger.url(operation))

        assert response.status_code == 405, method
        assert response["Allow"] == ALLOWED[METHOD_OF[operation]]
        assert response.reason == ("" if method == "HEAD" else "method-not-allowed")


@pytest.mark.parametrize("path", [f"{BASE}/cacerts", f"{BASE}/csrattrs", "/crl/device-ca.crl"])
@pytest.mark.parametrize("through", ["lambda", "socket"])
def test_W4_head_is_answered_like_get_without_a_body(
    stranger, device_ca, change_default_profile, path, through
):
    change_default_profile(csrattrs=["1.2.840.10045.4.3.2"])
    path = path.replace("device-ca", device_ca.name)
    ask = stranger.request if through == "lambda" else through_socket

    got, head = ask("GET", path), ask("HEAD", path)

    assert (head.status_code, head.body) == (200, b"")
    assert len(got.body) == int(got["Content-Length"]) > 0
    assert head.headers == got.headers


def test_W4_head_is_refused_like_get_without_a_body(stranger):
    for path in (f"{BASE}/simpleenroll", "/nowhere", f"{BASE}/no-such-label/cacerts"):
        got, head = stranger.request("GET", path), stranger.request("HEAD", path)

        assert (head.status_code, head.body) == (got.status_code, b"")


@pytest.mark.parametrize("operation", METHOD_OF)
def test_T37_no_header_or_parameter_overrides_the_method(stranger, operation):
    wanted = METHOD_OF[operation]
    other = "GET" if wanted == "POST" else "POST"
    for header in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
        response = stranger.request(other, stranger.url(operation), headers={header: wanted})
        assert response.status_code == 405
    query = stranger.url(operation) + f"?_method={wanted}&format=json"
    assert stranger.request(other, query).status_code == 405


def test_W1_every_operation_answers_without_and_with_a_label(est_client, add_label):
    add_label("line-2")
    for client in (est_client, est_client.at("line-2")):
        assert client.cacerts().status_code == 200
        assert client.csrattrs().status_code == 204
        first = client.simpleenroll(make_csr("sensor-1")).certificate
        assert client.using(first).simplereenroll(make_csr("sensor-1")).status_code == 200


def test_W1_a_label_cannot_be_an_operations_name(add_label):
    for operation in METHOD_OF:
        with pytest.raises(OperatorError, match="is an EST operation"):
            add_label(operation)


@pytest.mark.parametrize("label", ["unknown", "cacerts", "simpleenroll", "0", "a.b_c-d", "l" * 40])
def test_W3_an_unknown_label_answers_404(est_client, label):
    client = est_client.at(label)
    for response in (
        client.cacerts(),
        client.csrattrs(),
        client.simpleenroll(make_csr("sensor-1")),
        client.simplereenroll(make_csr("sensor-1")),
    ):
        assert (response.status_code, response.reason) == (404, "label-unknown")


@pytest.mark.parametrize("operation", ["serverkeygen", "fullcmc"])
def test_W3_W50_an_operation_that_is_not_offered_answers_501_with_a_sentence(stranger, operation):
    response = stranger.request("POST", stranger.url(operation), make_csr())

    assert response.status_code == 501
    assert response.reason == "not-implemented"
    assert "simpleenroll" in response.text


@pytest.mark.parametrize(
    "query",
    [
        "?",
        "?x=1",
        "?tenant-id=",
        "?tenant-id=%00%0a",
        "?tenant-id=%ff",
        "?format=json",
        "?" + "a&" * 1500,
        "?a=%",
        "?;;&&==",
        "?tenant-id=" + "t" * 3000,
    ],
)
def test_W6_no_query_string_fails_a_request(est_client, query):
    for send in (est_client.cacerts, est_client.csrattrs):
        assert send().status_code in (200, 204)
    assert est_client.request("GET", est_client.url("cacerts") + query).status_code == 200
    assert est_client.simpleenroll(make_csr("sensor-1"), query=query).status_code == 200

    response = through_socket(
        "POST",
        f"{BASE}/simpleenroll{query}",
        certificate=est_client.certificate,
        headers={"Content-Type": "application/pkcs10"},
        body=make_csr("sensor-1"),
    )
    assert response.status_code == 200


@pytest.mark.parametrize(
    "accept",
    [
        None,
        "*/*",
        "",
        "application/pkcs7-mime",
        "application/pkcs7-mime; smime-type=certs-only; q=0.1",
        "application/json",
        "text/html;q=1.0, image/*",
        "nonsense",
        ";;;q=,",
        "application/x-x509-ca-cert\u00ff",
    ],
)
def test_W7_any_accept_gets_the_same_answer(est_client, accept):
    headers = {} if accept is None else {"Accept": accept}
    plain = est_client.cacerts()

    response = est_client.request("GET", est_client.url("cacerts"), headers=headers)
    enrolled = est_client.request(
        "POST",
        est_client.url("simpleenroll"),
        make_csr("sensor-1"),
        {"Content-Type": "application/pkcs10", **headers},
    )

    assert (response.status_code, response.body) == (200, plain.body)
    assert response.headers == plain.headers
    assert enrolled.status_code == 200


def test_replies_carry_no_header_that_est_has_no_use_for(est_client):
    expected = {"content-type", "content-length", "content-transfer-encoding", "vary"}
    first = est_client.simpleenroll(make_csr("sensor-1"))
    for response in (est_client.cacerts(), first):
        assert set(response.headers) == expected
        assert int(response["Content-Length"]) == len(response.body)
        # strongSwan reads a response's head into 1 KiB.
        assert sum(len(f"{k}: {v}\r\n") for k, v in response.headers.items()) < 512
    refused = est_client.simpleenroll(b"")
    assert set(refused.headers) == {"content-type", "content-length"}
    assert int(refused["Content-Length"]) == len(refused.body)
