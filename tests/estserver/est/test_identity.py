"""Who is calling: API Gateway's event or the TLS socket, never a header."""

import copy
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from pki.models import IssuedCertificate
from tests.support.builders import make_csr
from tests.support.est_client import BASE, DOMAIN
from tests.support.transports import through_lambda, through_socket, through_zappa

PKCS10 = {"Content-Type": "application/pkcs10"}
URL = f"{BASE}/simpleenroll"
TRANSPORTS = [through_lambda, through_zappa]


def issued():
    return IssuedCertificate.objects.exclude(operation="client")


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("send", TRANSPORTS)
def test_W54_rest_and_http_api_events_say_who_is_calling(est_client, send, version):
    client = replace(est_client, version=version)

    response = send(client.event("POST", URL, make_csr("sensor-1"), PKCS10))

    assert response.certificate == issued().get().to_x509()
    row = issued().get()
    assert row.client_fingerprint == row.client_fingerprint.lower()
    assert row.client_subject == "CN=test-client"
    assert row.source_ip == "192.0.2.10"
    expected = {"1.0": "11111111-2222-3333-4444-555555555555", "2.0": "JKJaXmPLvHcESHA="}
    assert row.request_id == expected[version]


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("send", TRANSPORTS)
def test_W54_T01_an_event_without_certificate_is_nobodys(est_client, send, version):
    client = replace(est_client, version=version, certificate=None)

    response = send(client.event("POST", URL, make_csr("sensor-1"), PKCS10))

    assert (response.status_code, response.reason) == (401, "client-certificate-missing")


@pytest.mark.parametrize("send", TRANSPORTS)
def test_T01_W54_no_header_however_spelled_becomes_an_identity(stranger, forged_headers, send):
    assert len(forged_headers) > 200
    accepted = []
    for headers in forged_headers:
        event = stranger.event("POST", URL, make_csr("sensor-1"), {**PKCS10, **headers})
        for name, value in headers.items():
            event["multiValueHeaders"][name] = [value, value]
        if send(event).status_code not in (401, 403):
            accepted.append(headers)

    assert accepted == []
    assert not issued().exists()


def test_T01_W54_no_header_becomes_an_identity_at_the_tls_server(installation, forged_headers):
    for headers in forged_headers:
        response = through_socket(
            "POST", URL, headers={**PKCS10, **headers}, body=make_csr("sensor-1")
        )
        assert response.status_code == 401, headers
    assert not issued().exists()


def test_T01_a_forged_header_beside_a_real_certificate_changes_nothing(
    est_client, make_client_certificate
):
    mine = est_client.using(make_client_certificate("mine"))
    headers = {"X-SSL-Client-Cert": est_client.certificate.public_bytes(Encoding.PEM).decode()}

    response = mine.request("POST", URL, make_csr("sensor-1"), {**PKCS10, **headers})

    assert response.status_code == 200
    assert issued().get().client_subject == "CN=mine"


@pytest.mark.parametrize("send", TRANSPORTS)
@pytest.mark.parametrize("forged", ["203.0.113.9", "203.0.113.9, 198.51.100.1", "10.0.0.1, x"])
def test_the_source_address_is_the_gateways_not_a_headers(est_client, send, forged):
    headers = {**PKCS10, "X-Forwarded-For": forged, "X-Real-Ip": forged}

    assert send(est_client.event("POST", URL, make_csr("sensor-1"), headers)).status_code == 200
    assert issued().get().source_ip == "192.0.2.10"


def elsewhere(event):
    """Events of the same request that came by other ways into the same function."""
    rest = event["requestContext"]

    def with_context(**changes):
        other = copy.deepcopy(event)
        other["requestContext"] |= changes
        return other

    alb = copy.deepcopy(event)
    target_group = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/x/1"
    alb["requestContext"] = {"elb": {"targetGroupArn": target_group}}
    alb["headers"]["x-amzn-mtls-clientcert"] = rest["identity"]["clientCert"]["clientCertPem"]
    lying_alb = copy.deepcopy(alb)
    lying_alb["requestContext"]["identity"] = rest["identity"]
    host = "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com"
    url = "abcdefghijklmnop.lambda-url.eu-central-1.on.aws"
    return {
        "execute-api": with_context(domainName=host, domainPrefix="a1b2c3d4e5"),
        "function URL in REST form": with_context(domainName=url),
        "console test": with_context(
            domainName="testPrefix.testapigateway.com",
            identity={**rest["identity"], "sourceIp": "test-invoke-source-ip"},
        ),
        "ALB": alb,
        "ALB with an identity": lying_alb,
        "no domain": with_context(domainName=None),
        "domain in capitals": with_context(domainName=DOMAIN.upper()),
        "a subdomain": with_context(domainName=f"x.{DOMAIN}"),
        "a longer domain": with_context(domainName=f"{DOMAIN}.attacker.example"),
        "no API": with_context(apiId=None),
        "no context": {**copy.deepcopy(event), "requestContext": {}},
        "a null context": {**copy.deepcopy(event), "requestContext": None},
    }


WAYS = [
    *("execute-api", "function URL in REST form", "console test", "ALB", "ALB with an identity"),
    *("no domain", "domain in capitals", "a subdomain", "a longer domain", "no API"),
    *("no context", "a null context"),
]


@pytest.mark.parametrize("way", WAYS)
def test_T02_W54_only_an_event_of_an_est_domain_passes(est_client, way):
    for url, method in ((URL, "POST"), (f"{BASE}/cacerts", "GET"), ("/healthz", "GET")):
        event = elsewhere(est_client.event(method, url, make_csr("sensor-1"), PKCS10))[way]

        response = through_lambda(event)

        assert (response.status_code, response.reason) == (403, "endpoint-not-allowed")
        assert response.body.count(b"\n") == 1
    assert not issued().exists()


@pytest.mark.parametrize("domain", ["a1b2.execute-api.eu-central-1.amazonaws.com", "x.on.aws"])
@pytest.mark.parametrize("send", TRANSPORTS)
def test_T02_W54_an_http_api_event_of_another_domain_is_refused(est_client, send, domain):
    client = replace(est_client, version="2.0")
    event = client.event("POST", URL, make_csr("sensor-1"), PKCS10)
    event["requestContext"]["domainName"] = domain

    response = send(event)

    assert (response.status_code, response.reason) == (403, "endpoint-not-allowed")


def test_T02_without_a_configured_domain_no_event_passes(est_client, settings):
    settings.EST_DOMAIN_NAMES = frozenset()

    response = est_client.simpleenroll(make_csr("sensor-1"))

    assert (response.status_code, response.reason) == (403, "endpoint-not-allowed")


def test_T02_a_forged_host_header_does_not_make_an_est_domain(est_client):
    event = est_client.event("POST", URL, make_csr("sensor-1"), PKCS10)
    event["requestContext"]["domainName"] = "a1b2.execute-api.eu-central-1.amazonaws.com"
    assert event["headers"]["Host"] == DOMAIN

    assert through_lambda(event).status_code == 403


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "est.example.com.evil.example", "est.example.com@evil.example", "[::1"),
        *("est.example.com:80:80", "est.example.com/evil", "", " ", "est.example.com\u00ff"),
        *("evil.example, est.example.com", "*", "est.example.com:port", "..", "a" * 3000),
    ],
)
def test_T04_a_wrong_host_answers_400(est_client, host):
    for method, path in (("GET", f"{BASE}/cacerts"), ("POST", URL), ("GET", "/nowhere")):
        event = est_client.event(method, path, make_csr(), {**PKCS10, "Host": host})
        socket = through_socket(
            method, path, certificate=est_client.certificate, headers={"Host": host}
        )
        for response in (through_lambda(event), socket):
            if host == "" and response is socket:
                continue  # an empty Host is none: the server's own name takes its place
            assert (response.status_code, response.reason) == (400, "host-not-allowed")
            assert host.strip() == "" or host not in response.text


def test_T04_x_forwarded_host_is_nothing(est_client):
    headers = {"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}

    assert est_client.request("GET", f"{BASE}/cacerts", headers=headers).status_code == 200


def test_T03_the_device_side_has_no_admin_and_the_people_side_no_est(est_client, client):
    from django.contrib import admin
    from django.urls import URLPattern, get_resolver

    def paths(patterns, prefix=""):
        for one in patterns:
            path = prefix + str(one.pattern)
            yield from [path] if isinstance(one, URLPattern) else paths(one.url_patterns, path)

    crawled = {f"/{path}".split("<")[0] for path in paths(get_resolver().url_patterns)}
    crawled -= {"/healthz", "/readyz"}
    assert len(crawled) > 10
    assert admin.site.urls
    for path in sorted(crawled):
        for method in ("GET", "POST"):
            assert est_client.request(method, path).status_code == 404, path
    for operation in ("cacerts", "simpleenroll", "simplereenroll", "csrattrs"):
        response = client.get(f"{BASE}/{operation}", follow=False)
        assert response.status_code == 404, operation


def test_T02_on_the_bootstrap_domain_a_certificate_makes_nobody(est_client, settings):
    """API Gateway does no mutual TLS there, so what looks like its word isn't."""
    settings.EST_BOOTSTRAP_DOMAIN_NAME = "bootstrap.example.com"
    settings.EST_DOMAIN_NAMES = settings.EST_DOMAIN_NAMES | {"bootstrap.example.com"}

    def send(method, url, *body):
        event = est_client.event(method, url, *body)
        event["requestContext"]["domainName"] = "bootstrap.example.com"
        return through_lambda(event)

    assert send("GET", f"{BASE}/cacerts").status_code == 200
    assert send("POST", URL, make_csr("sensor-1"), PKCS10).status_code == 401
    assert not issued().exists()
