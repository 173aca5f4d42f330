"""What must be refused: nobody's request, a forged header, a body of the wrong type."""

from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from django.utils import timezone

from estserver.deploy.status import Row
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
"""Headers in which proxies hand on a client's certificate; here they mean nothing."""

REMAPPED = "x-amzn-remapped-www-authenticate"


def all_of_them(server: Server, client: Credentials) -> Iterator[Row]:
    """A row for each refusal. Raises Unreachable."""
    nobody = _ask(server, None)
    yield _without_certificate(nobody)
    yield _forged_by_nobody(server, client)
    yield _forged_beside_ours(server, client)
    yield _wrong_type(server, client)
    if isinstance(nobody, Reply) and nobody.status == 401:
        yield _challenge(nobody)


def _ask(
    server: Server, client: Credentials | None, headers: dict[str, str] | None = None
) -> Reply | str:
    """The answer to an enrollment with something else than a CSR; or why there was none."""
    try:
        return server.ask(
            "POST", ENROLL, client=client, headers={**PKCS10, **(headers or {})}, body=NO_CSR
        )
    except HandshakeRefused as error:
        return f"refused in the handshake: {error}"


def _is_refusal(answer: Reply | str) -> bool:
    return isinstance(answer, str) or answer.status in (401, 403)


def _said(answer: Reply | str) -> str:
    return answer if isinstance(answer, str) else f"the answer is {answer.says}"


def _briefly(answer: Reply | str) -> str:
    return answer if isinstance(answer, str) else f"the answer is {answer.brief}"


def _without_certificate(answer: Reply | str) -> Row:
    name = "no client certificate"
    if _is_refusal(answer):
        return Row(name, "OK", _briefly(answer))
    return Row(
        name,
        "FAIL",
        f"not refused: {_said(answer)}",
        "see whether the domain has mutual TLS (aws_status), and whether this is its domain",
    )


def _forged_by_nobody(server: Server, client: Credentials) -> Row:
    """A good certificate in headers, and none in TLS."""
    name = "forged header"
    ours = x509.load_pem_x509_certificate(client.certificate.read_bytes())
    answer = _ask(server, None, _claiming(ours))
    if _is_refusal(answer):
        return Row(name, "OK", f"in place of a certificate: {_briefly(answer)}")
    return Row(
        name,
        "FAIL",
        f"a header counts as a client certificate: {_said(answer)}",
        "something in front of the server believes it; take the domain out of service",
    )


def _forged_beside_ours(server: Server, client: Credentials) -> Row:
    """A stranger's certificate in headers, ours in TLS: the answer must be what it is without."""
    name = "forged header"
    plain, forged = _ask(server, client), _ask(server, client, _claiming(_stranger()))
    is_same = (
        isinstance(plain, Reply) and isinstance(forged, Reply) and plain.status == forged.status
    )
    if is_same:
        return Row(name, "OK", f"beside a certificate it changes nothing: {_briefly(forged)}")
    if isinstance(forged, Reply) and forged.status == 403 and b'"message"' in forged.body:
        return Row(name, "OK", "beside a certificate: refused before it reaches the server")
    return Row(
        name,
        "FAIL",
        f"with it {_said(forged)}; without it {_said(plain)}",
        "a header must not say who is calling; see what stands in front of the server",
    )


def _wrong_type(server: Server, client: Credentials) -> Row:
    name = "wrong Content-Type"
    answer = _ask(server, client, {"Content-Type": "text/plain"})
    if isinstance(answer, Reply) and answer.status == 415:
        return Row(name, "OK", _briefly(answer))
    if isinstance(answer, Reply) and answer.status == 400:
        return Row(name, "WARN", _said(answer), "apiStrictHeadersCheck seems to be false")
    return Row(name, "FAIL", f"{_said(answer)}, wanted 415", "see the function's log")


def _challenge(reply: Reply) -> Row:
    """API Gateway renames the header, so that a client that waits for a challenge sees none.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
    """
    name = "WWW-Authenticate"
    if reply.headers.get("www-authenticate"):
        return Row(name, "OK", "comes with the 401")
    if reply.headers.get(REMAPPED):
        return Row(
            name,
            "WARN",
            "API Gateway renames it to X-Amzn-Remapped-WWW-Authenticate",
            "clients must send what they have without being asked",
        )
    return Row(name, "WARN", "is missing in a 401", "see what stands in front of the server")


def _claiming(certificate: x509.Certificate) -> dict[str, str]:
    return dict.fromkeys(FORGEABLE, quote(certificate.public_bytes(Encoding.PEM).decode()))


def _stranger() -> x509.Certificate:
    """A certificate that no CA of anybody's signed."""
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
