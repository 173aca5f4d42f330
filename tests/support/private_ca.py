"""AWS Private CA as its documentation describes it, on a port of loopback.

moto has the service too, but moto's certificates are valid for a year and lack the extensions of
most templates, and a repeated request gets another certificate. A signer cannot be tested with
that. This server answers the four operations that a signer calls, by AWS's JSON protocol, so that
botocore checks every parameter against the service's model, and tests/support/aws_faults.py works.
"""

import base64
import datetime
import http.server
import itertools
import json
import threading
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.support.builders import BuiltCA, make_certificate

ACCOUNT = "arn:aws:acm-pca:eu-central-1:123456789012:certificate-authority"
ARN = f"{ACCOUNT}/11111111-2222-3333-4444-555555555555"
TEMPLATES = "arn:aws:acm-pca:::template"

_USAGES = {
    "EndEntityCertificate": [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH],
    "EndEntityClientAuthCertificate": [ExtendedKeyUsageOID.CLIENT_AUTH],
}


class Refusal(Exception):
    """An error of the service, with its code and text."""


@dataclass
class Issued:
    """A certificate, and the parameters of the call that asked for it."""

    certificate: x509.Certificate
    asked: dict
    looks: int = 0
    """How often GetCertificate asked for it."""


class PrivateCA:
    """One private CA, its state, and its certificates by ARN."""

    def __init__(self, ca: BuiltCA, *, chain=()):
        self.ca = ca
        self.chain = list(chain)
        self.status = "ACTIVE"
        self.slowness = 0
        """How often a request for a new certificate is answered with "in progress"."""
        self.issued: dict[str, Issued] = {}
        self._by_token: dict[str, str] = {}
        self._numbers = itertools.count()
        private_ca = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                parameters = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                operation = self.headers["X-Amz-Target"].rpartition(".")[2]
                try:
                    status, answer = 200, private_ca.answer(operation, parameters)
                except Refusal as refusal:
                    code, text = refusal.args
                    status, answer = 400, {"__type": code, "message": text}
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=[0.01], daemon=True).start()

    def stop(self):
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()

    def forget_tokens(self):
        """Forget the idempotency tokens, as AWS does after five minutes."""
        self._by_token.clear()

    def answer(self, operation, parameters):
        """Return the service's answer; raises ``Refusal``."""
        if parameters["CertificateAuthorityArn"] != ARN:
            raise Refusal("ResourceNotFoundException", "Could not find Certificate Authority.")
        if operation == "DescribeCertificateAuthority":
            return {"CertificateAuthority": {"Arn": ARN, "Status": self.status}}
        if self.status != "ACTIVE":
            text = f"The certificate authority is in state {self.status}"
            raise Refusal("InvalidStateException", text)
        return getattr(self, f"_{operation}")(parameters)

    def _GetCertificateAuthorityCertificate(self, _):
        answer = {"Certificate": _pem(self.ca.certificate)}
        if self.chain:
            answer["CertificateChain"] = "".join(map(_pem, self.chain))
        return answer

    def _IssueCertificate(self, asked):
        token = asked["IdempotencyToken"]
        if token not in self._by_token:
            arn = f"{ARN}/certificate/{next(self._numbers):032x}"
            self.issued[arn] = Issued(self._certificate(asked), asked)
            self._by_token[token] = arn
        return {"CertificateArn": self._by_token[token]}

    def _GetCertificate(self, asked):
        issued = self.issued[asked["CertificateArn"]]
        issued.looks += 1
        if issued.looks <= self.slowness:
            raise Refusal("RequestInProgressException", "The request is in progress.")
        return {"Certificate": _pem(issued.certificate)}

    def _certificate(self, asked):
        csr = x509.load_pem_x509_csr(base64.b64decode(asked["Csr"]))
        template = asked["TemplateArn"].removeprefix(f"{TEMPLATES}/").removesuffix("/V1")
        name, _, variant = template.partition("_")
        given = asked.get("ApiPassthrough", {}) if variant == "APIPassthrough" else {}
        not_after = _moment(asked["Validity"])
        if not_after > self.ca.certificate.not_valid_after_utc:
            raise Refusal("InvalidArgsException", "The validity exceeds the CA's.")
        return make_certificate(
            self.ca,
            public_key=csr.public_key(),
            subject=_subject(given) or csr.subject,
            san=_san(given) or _requested_san(csr),
            not_before=_moment(asked["ValidityNotBefore"]),
            not_after=not_after,
            extensions=[
                (x509.BasicConstraints(ca=False, path_length=None), False),
                (x509.ExtendedKeyUsage(_USAGES[name]), False),
            ],
            hash_algorithm=getattr(hashes, asked["SigningAlgorithm"].partition("WITH")[0])(),
        )


def _pem(certificate):
    return certificate.public_bytes(Encoding.PEM).decode()


def _moment(validity):
    assert validity["Type"] == "ABSOLUTE"
    return datetime.datetime.fromtimestamp(validity["Value"], datetime.UTC)


def _subject(given):
    attributes = given.get("Subject", {}).get("CustomAttributes", [])
    return x509.Name(
        x509.NameAttribute(x509.ObjectIdentifier(one["ObjectIdentifier"]), one["Value"])
        for one in attributes
    )


def _san(given):
    names = given.get("Extensions", {}).get("SubjectAlternativeNames", [])
    kinds = {"DnsName": x509.DNSName, "UniformResourceIdentifier": x509.UniformResourceIdentifier}
    return [kinds[kind](value) for name in names for kind, value in name.items()]


def _requested_san(csr):
    try:
        return list(csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return None
