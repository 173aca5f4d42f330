"""Checks of access: TLS, the client's certificate, the default endpoint and the admin."""

import time

from estserver.operations.report_rows import EXPIRY_DAYS, Row
from estserver.smoke.wire import Credentials, HandshakeRefused, Server, Unreachable, Untrusted

CACERTS = "/.well-known/est/cacerts"
DAY = 86_400  # seconds
HANDSHAKE_ADVICE = (
    "Check that the client's CA is in the truststore (aws_truststore lists them), that the "
    "client's certificate has not expired, and that the server speaks TLS 1.2 or 1.3 on this port."
)


def tls(server: Server, client: Credentials) -> Row:
    """Check the version of TLS, and that the server's certificate chains to a trusted CA.

    Raises Unreachable.
    """
    name = "TLS"
    try:
        session = server.handshake(client)
    except Untrusted as error:
        anchor = server.ca_file or "this machine's CAs"
        return Row(
            name,
            "FAIL",
            f"The server's certificate is not trusted ({error}), so nothing was sent.",
            f"The trusted CAs were {anchor}. Name the CA of the certificate with --ca, and check "
            "that the certificate is for this name.",
        )
    except HandshakeRefused as error:
        return Row(
            name,
            "FAIL",
            f"The TLS handshake failed: {error}.",
            HANDSHAKE_ADVICE,
        )
    agreed = f"{session.version} with {session.cipher}. The server's certificate chains to a CA"
    days = int((session.expires_at - time.time()) / DAY)
    if days < EXPIRY_DAYS:
        finding = f"{agreed}, and expires in {days} days."
        return Row(name, "WARN", finding, "Check its renewal in ACM.")
    return Row(name, "OK", f"{agreed}, and is valid for {days} days.")


def client_certificate(server: Server, client: Credentials) -> Row:
    """Check that TLS accepts the client's certificate. Raises Unreachable."""
    name = "client certificate"
    try:
        reply = server.ask("GET", "/healthz", client=client)
    except HandshakeRefused as error:
        return Row(
            name,
            "FAIL",
            f"The server refused it in the TLS handshake: {error}.",
            HANDSHAKE_ADVICE,
        )
    if reply.status == 403:
        return Row(
            name,
            "FAIL",
            f"The gateway refused it: {reply.says}.",
            "See error and clientSubject in the API's access log. aws_truststore lists the trusted "
            "CAs.",
        )
    return Row(name, "OK", "The server accepted it in the TLS handshake.")


def page(server: Server, client: Credentials, path: str) -> Row:
    """Check ``/healthz`` or ``/readyz``. Raises Unreachable."""
    try:
        reply = server.ask("GET", path, client=client)
    except HandshakeRefused as error:
        return Row(path, "FAIL", f"No answer came: {error}.", "See the function's log.")
    if reply.status == 200:
        return Row(path, "OK", f"The answer is {reply.brief}.")
    advice = {
        404: "Another server answers here, or the domain is not mapped to the API at its root.",
        502: "The function failed to start or to answer. See its log.",
        503: "The database or the CA's key cannot be reached. The function's log says which.",
        504: "The function took too long. See its log, and its connection to the database.",
    }.get(reply.status, "See the function's log.")
    return Row(path, "FAIL", f"The answer is {reply.says}.", advice)


def default_endpoint(server: Server) -> Row:
    """Check that API Gateway refuses the API's own name, which has no mutual TLS."""
    name = "execute-api"
    lockdown = "Run aws_deploy --finish est, which closes it."
    try:
        reply = server.ask("GET", CACERTS)
    except HandshakeRefused as error:
        return Row(name, "OK", f"It is closed: {error}.")
    except (Unreachable, Untrusted) as error:
        return Row(name, "WARN", f"It cannot be reached: {error}.", "Check the URL.")
    if reply.status == 403 and not reply.headers.get("content-type", "").startswith("text/plain"):
        return Row(name, "OK", "It is closed: API Gateway answers 403.")
    if reply.status == 403:
        finding = f"It is open, and only the function refuses: {reply.says}."
        return Row(name, "FAIL", finding, lockdown)
    return Row(name, "FAIL", f"It is open. The answer is {reply.status}.", lockdown)


def admin(server: Server) -> Row:
    """Check that the admin asks for a login, and serves no EST."""
    name = "admin"
    try:
        login = server.ask("GET", "/admin/login/")
        est = server.ask("GET", CACERTS)
    except (HandshakeRefused, Unreachable, Untrusted) as error:
        return Row(name, "FAIL", f"It cannot be reached: {error}.", "Check the URL and aws_status.")
    if login.status == 403:
        return Row(
            name,
            "WARN",
            f"It refused the request: {login.says}.",
            "Check that your address is among adminAllowedNetworks.",
        )
    if login.status != 200 or b"csrfmiddlewaretoken" not in login.body:
        return Row(
            name,
            "FAIL",
            f"There is no login at /admin/login/. The answer is {login.status}.",
            "See the admin function's log.",
        )
    if est.status == 200:
        return Row(name, "FAIL", "It serves EST too.", "Check the stage's Django settings.")
    return Row(name, "OK", "It asks for a login, and serves no EST.")
