"""An EST client that sends API Gateway events to the Lambda handler of the EST side."""

import base64
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.support.transports import response_of, through_lambda

BASE = "/.well-known/est"
DOMAIN = "est.example.com"

_response = response_of  # the state tests use this name


@dataclass(frozen=True)
class ESTClient:
    """A client that sends REST API events, or HTTP API events with ``version="2.0"``."""

    certificate: x509.Certificate | None = None
    label: str = ""
    domain: str = DOMAIN
    version: str = "1.0"
    headers: dict = field(default_factory=dict)

    @classmethod
    def from_files(cls, path: Path):
        return cls(x509.load_pem_x509_certificate(path.read_bytes()))

    def using(self, certificate):
        """Return the same client with another certificate."""
        return replace(self, certificate=certificate)

    def at(self, label):
        """Return the same client at another label."""
        return replace(self, label=label)

    def url(self, operation):
        return f"{BASE}/{self.label}/{operation}" if self.label else f"{BASE}/{operation}"

    def cacerts(self):
        return self.request("GET", self.url("cacerts"))

    def csrattrs(self):
        return self.request("GET", self.url("csrattrs"))

    def simpleenroll(self, csr_der, **kwargs):
        return self._post("simpleenroll", csr_der, **kwargs)

    def simplereenroll(self, csr_der, **kwargs):
        return self._post("simplereenroll", csr_der, **kwargs)

    def _post(self, operation, csr_der, *, query=""):
        return self.request(
            "POST",
            self.url(operation) + query,
            base64.encodebytes(csr_der),
            {"Content-Type": "application/pkcs10"},
        )

    def request(self, method, url, body=b"", headers=None, *, is_base64=True):
        """Send one request through the handler; return its response."""
        return through_lambda(self.event(method, url, body, headers, is_base64=is_base64))

    def event(self, method, url, body=b"", headers=None, *, is_base64=True):
        """Return the event that API Gateway would send."""
        parts = urlsplit(url)
        headers = {"Host": self.domain, **self.headers, **(headers or {})}
        text = base64.b64encode(body).decode() if is_base64 else body.decode()
        make = _rest_event if self.version == "1.0" else _http_event
        event = make(method, parts, headers, self._client_certificate(), self.domain)
        return {**event, "body": text or None, "isBase64Encoded": is_base64 and bool(body)}

    def _client_certificate(self):
        if self.certificate is None:
            return None
        return {
            "clientCertPem": self.certificate.public_bytes(Encoding.PEM).decode(),
            "subjectDN": self.certificate.subject.rfc4514_string(),
            "issuerDN": self.certificate.issuer.rfc4514_string(),
            "serialNumber": str(self.certificate.serial_number),
            "validity": {"notBefore": "...", "notAfter": "..."},
        }


def _rest_event(method, parts, headers, certificate, domain):
    query = parse_qsl(parts.query, keep_blank_values=True)
    identity = {"sourceIp": "192.0.2.10", "userAgent": headers.get("User-Agent")}
    if certificate:
        identity["clientCert"] = certificate
    return {
        "version": "1.0",
        "resource": "/{proxy+}",
        "path": parts.path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": dict(query) or None,
        "multiValueQueryStringParameters": {name: [value] for name, value in query} or None,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "a1b2c3d4e5",
            "domainName": domain,
            "stage": "est",
            "requestId": "11111111-2222-3333-4444-555555555555",
            "identity": identity,
            "httpMethod": method,
            "path": parts.path,
            "protocol": "HTTP/1.1",
        },
    }


def _http_event(method, parts, headers, certificate, domain):
    context = {
        "accountId": "123456789012",
        "apiId": "a1b2c3d4e5",
        "domainName": domain,
        "stage": "$default",
        "requestId": "JKJaXmPLvHcESHA=",
        "http": {
            "method": method,
            "path": parts.path,
            "protocol": "HTTP/1.1",
            "sourceIp": "192.0.2.10",
            "userAgent": headers.get("User-Agent", ""),
        },
    }
    if certificate:
        context["authentication"] = {"clientCert": certificate}
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": parts.path,
        "rawQueryString": parts.query,
        "headers": {name.lower(): value for name, value in headers.items()},
        "requestContext": context,
    }
