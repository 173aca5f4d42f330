"""Who lets in whom: TLS, the client's certificate, the default endpoint, the admin."""

import time

from estserver.deploy.status import EXPIRY_DAYS, Row
from estserver.smoke.wire import Credentials, HandshakeRefused, Server, Unreachable, Untrusted

CACERTS = "/.well-known/est/cacerts"
DAY = 86_400  # seconds
TURNED_AWAY = (
    "see whether the client's CA is in the truststore (aws_truststore lists them), whether the "
    "client's certificate has expired, and whether the server speaks TLS 1.2 or 1.3 on this port"
)


def tls(server: Server, client: Credentials) -> Row:
    """The version, and whether the server's certificate chains to whom we trust.

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
            f"the server's certificate isn't trusted: {error}",
            f"trusted were {anchor}; name the CA that signed it with --ca, and see whether the "
            "certificate is for this name. Nothing was sent",
        )
    except HandshakeRefused as error:
        return Row(
            name,
            "FAIL",
            f"no handshake took place: {error}",
            TURNED_AWAY,
        )
    found = f"{session.version}, {session.cipher}; the server's certificate chains"
    days = int((session.expires_at - time.time()) / DAY)
    if days < EXPIRY_DAYS:
        return Row(name, "WARN", f"{found}, and expires in {days} days", "see its renewal in ACM")
    return Row(name, "OK", f"{found}, and is valid for {days} days")


def client_certificate(server: Server, client: Credentials) -> Row:
    """Whether TLS takes the client's certificate. Raises Unreachable."""
    name = "client certificate"
    try:
        reply = server.ask("GET", "/healthz", client=client)
    except HandshakeRefused as error:
        return Row(
            name,
            "FAIL",
            f"refused in the handshake: {error}",
            TURNED_AWAY,
        )
    if reply.status == 403:
        return Row(
            name,
            "FAIL",
            f"refused: {reply.says}",
            "see error and clientSubject in the API's access log; aws_truststore lists the CAs "
            "that are trusted",
        )
    return Row(name, "OK", "accepted in the handshake")


def page(server: Server, client: Credentials, path: str) -> Row:
    """``/healthz`` or ``/readyz``. Raises Unreachable."""
    try:
        reply = server.ask("GET", path, client=client)
    except HandshakeRefused as error:
        return Row(path, "FAIL", f"no answer: {error}", "see the function's log")
    if reply.status == 200:
        return Row(path, "OK", reply.brief)
    advice = {
        404: "another server answers here, or the domain isn't mapped to the API at its root",
        502: "the function failed to start or to answer: see its log",
        503: "the database or the CA's key is out of reach: the function's log says which",
        504: "the function took too long: see its log, and its way to the database",
    }.get(reply.status, "see the function's log")
    return Row(path, "FAIL", f"the answer is {reply.says}", advice)


def default_endpoint(server: Server) -> Row:
    """The API's own name, where no mutual TLS takes place: API Gateway must refuse it."""
    name = "execute-api"
    lockdown = "run aws_deploy --finish est, which closes it"
    try:
        reply = server.ask("GET", CACERTS)
    except HandshakeRefused as error:
        return Row(name, "OK", f"closed: {error}")
    except (Unreachable, Untrusted) as error:
        return Row(name, "WARN", f"can't be asked: {error}", "see the URL")
    if reply.status == 403 and not reply.headers.get("content-type", "").startswith("text/plain"):
        return Row(name, "OK", "API Gateway answers 403")
    if reply.status == 403:
        return Row(
            name, "FAIL", f"it is open, and only the function refuses: {reply.says}", lockdown
        )
    return Row(name, "FAIL", f"it is open: the answer is {reply.status}", lockdown)


def admin(server: Server) -> Row:
    """People's door: the login, and no EST behind it."""
    name = "admin"
    try:
        login = server.ask("GET", "/admin/login/")
        est = server.ask("GET", CACERTS)
    except (HandshakeRefused, Unreachable, Untrusted) as error:
        return Row(name, "FAIL", f"can't be reached: {error}", "see the URL, and aws_status")
    if login.status == 403:
        return Row(
            name,
            "WARN",
            f"refused: {login.says}",
            "see whether your address is among adminAllowedNetworks",
        )
    if login.status != 200 or b"csrfmiddlewaretoken" not in login.body:
        return Row(
            name,
            "FAIL",
            f"no login at /admin/login/: the answer is {login.status}",
            "see the admin function's log",
        )
    if est.status == 200:
        return Row(name, "FAIL", "EST is served there too", "see which settings the stage runs on")
    return Row(name, "OK", "asks for a login, and serves no EST")
