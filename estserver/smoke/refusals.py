"""Checks that the server refuses: no certificate, a forged header, a wrong Content-Type."""

from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from django.utils import timezone

from estserver.operations.report_rows import Row
from estserver.smoke.wire import Credentials, HandshakeRefused, Reply, Server

ENROLL = "/.well-known/est/simpleenroll"
NO_CSR = b"bm90IGEgQ1NS"
PKCS10 = {"Content-Type": "application/pkcs10"}

FORGEABLE = (
    "X-SSL-Client-Cert",
    "SSL-Client-Cert",
    "X-Client-Cert",
    "X-Amzn-Mtls-Clientcert",
    "X-Forwarded-Client-Cert",
)
"""Headers in which proxies pass on a client's certificate. An EST server must ignore them."""

REMAPPED = "x-amzn-remapped-www-authenticate"


def all_of_them(server: Server, client: Credentials) -> Iterator[Row]:
    """Yield a row for each refusal. Raises Unreachable."""
    anonymous = _ask(server, None)
    yield _without_certificate(anonymous)
    yield _forged_in_place_of_certificate(server, client)
    yield _forged_beside_certificate(server, client)
    yield _wrong_type(server, client)
    if isinstance(anonymous, Reply) and anonymous.status == 401:
        yield _challenge(anonymous)


def _ask(
    server: Server, client: Credentials | None, headers: dict[str, str] | None = None
) -> Reply | str:
    """Return the answer to an enrollment without a valid CSR, or why there was no answer."""
    try:
        return server.ask(
            "POST", ENROLL, client=client, headers={**PKCS10, **(headers or {})}, body=NO_CSR
        )
    except HandshakeRefused as error:
        return f"The server refused it in the TLS handshake: {error}."


def _is_refusal(answer: Reply | str) -> bool:
    return isinstance(answer, str) or answer.status in (401, 403)


def _said(answer: Reply | str) -> str:
    return answer if isinstance(answer, str) else f"The answer is {answer.says}."


def _briefly(answer: Reply | str) -> str:
    return answer if isinstance(answer, str) else f"The answer is {answer.brief}."


def _without_certificate(answer: Reply | str) -> Row:
    name = "no client certificate"
    if _is_refusal(answer):
        return Row(name, "OK", _briefly(answer))
    return Row(
        name,
        "FAIL",
        f"The server did not refuse it. {_said(answer)}",
        "Check that the domain has mutual TLS (aws_status), and that this is its domain.",
    )


def _forged_in_place_of_certificate(server: Server, client: Credentials) -> Row:
    """Send a valid certificate in headers, and none in TLS."""
    name = "forged header"
    certificate = x509.load_pem_x509_certificate(client.certificate.read_bytes())
    answer = _ask(server, None, _claiming(certificate))
    if _is_refusal(answer):
        return Row(name, "OK", f"In place of a certificate it is no use. {_briefly(answer)}")
    return Row(
        name,
        "FAIL",
        f"A header counts as a client certificate. {_said(answer)}",
        "Take the domain out of service. Something in front of the server trusts the header.",
    )


def _forged_beside_certificate(server: Server, client: Credentials) -> Row:
    """Send a foreign certificate in headers beside the client's: the answer must stay the same."""
    name = "forged header"
    plain, forged = _ask(server, client), _ask(server, client, _claiming(_stranger()))
    is_same = (
        isinstance(plain, Reply) and isinstance(forged, Reply) and plain.status == forged.status
    )
    if is_same:
        return Row(name, "OK", f"Beside a certificate it changes nothing. {_briefly(forged)}")
    if isinstance(forged, Reply) and forged.status == 403 and b'"message"' in forged.body:
        return Row(name, "OK", "Beside a certificate it is refused before it reaches the server.")
    return Row(
        name,
        "FAIL",
        f"It changes the answer. With it: {_said(forged)} Without it: {_said(plain)}",
        "Check what stands in front of the server. A header must not say who is calling.",
    )


def _wrong_type(server: Server, client: Credentials) -> Row:
    name = "wrong Content-Type"
    answer = _ask(server, client, {"Content-Type": "text/plain"})
    if isinstance(answer, Reply) and answer.status == 415:
        return Row(name, "OK", _briefly(answer))
    if isinstance(answer, Reply) and answer.status == 400:
        return Row(name, "WARN", _said(answer), "apiStrictHeadersCheck seems to be false.")
    return Row(name, "FAIL", f"{_said(answer)} It must be 415.", "See the function's log.")


def _challenge(reply: Reply) -> Row:
    """Check the challenge of a 401, whose header API Gateway renames.

    A client that waits for a challenge then finds none.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
    """
    name = "WWW-Authenticate"
    if reply.headers.get("www-authenticate"):
        return Row(name, "OK", "The 401 has it.")
    if reply.headers.get(REMAPPED):
        return Row(
            name,
            "WARN",
            "API Gateway renames it to X-Amzn-Remapped-WWW-Authenticate.",
            "Clients must send their credentials without a challenge.",
        )
    return Row(name, "WARN", "A 401 is without it.", "Check what stands in front of the server.")


def _claiming(certificate: x509.Certificate) -> dict[str, str]:
    return dict.fromkeys(FORGEABLE, quote(certificate.public_bytes(Encoding.PEM).decode()))


def _stranger() -> x509.Certificate:
    """Return a self-signed certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "est-smoke-stranger")])
    now = timezone.now()
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, SHA256())
    )
