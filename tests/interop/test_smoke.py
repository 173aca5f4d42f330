"""`manage.py smoke`: against the real server, and against servers with one fault each."""

import base64
import io
import json
import shlex
import ssl
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs7,
)
from django.core.management import CommandError, call_command

from estserver.config import PROJECT_ROOT
from tests.support.builders import make_ca, make_certificate, make_key

pytestmark = pytest.mark.interop

EST = "/.well-known/est"
CACERTS = f"{EST}/cacerts"
ENROLL = f"{EST}/simpleenroll"
GATEWAY_403 = (403, {"Content-Type": "application/json"}, b'{"message":"Forbidden"}')


class Smoke(NamedTuple):
    """What the command said, and its exit code."""

    exit_code: int
    printed: str
    complaint: str

    @property
    def rows(self):
        """The checks by name; of two with a name, the later one."""
        return {row["name"]: row for row in json.loads(self.printed)["checks"]}

    @property
    def levels(self):
        return [row["level"] for row in json.loads(self.printed)["checks"]]

    @property
    def failed(self):
        return [row["name"] for row in json.loads(self.printed)["checks"] if row["level"] == "FAIL"]


def run(url, credentials, *options):
    """The command, in this process."""
    printed, complaint, code = io.StringIO(), "", 0
    certificate, key = credentials
    try:
        call_command(
            *("smoke", url, f"--cert={certificate}", f"--key={key}", *options), stdout=printed
        )
    except CommandError as error:
        complaint, code = str(error), error.returncode
    return Smoke(code, printed.getvalue(), complaint)


def saved(directory, certificate, key, encryption=None):
    """Files with a certificate and its key."""
    pem, key_path = directory / "smoke.pem", directory / "smoke.key"
    pem.write_bytes(certificate.public_bytes(Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())
    )
    return pem, key_path


@pytest.fixture
def smoke(server):
    """The command against the real server, with its test client."""
    url = f"https://localhost:{server.port}"

    def ask(*options, credentials=None):
        return run(url, credentials or server.test_client, f"--ca={server.server_ca}", *options)

    return ask


# The real server


def test_a_server_that_works_is_all_ok(server, smoke):
    done = smoke("--json")

    assert set(done.levels) == {"OK"}, done.printed
    assert done.exit_code == 0
    assert list(done.rows) == [
        *("TLS", "client certificate", "/healthz", "/readyz", "cacerts", "csrattrs"),
        *("no client certificate", "forged header", "wrong Content-Type", "WWW-Authenticate"),
        *("simpleenroll", "simplereenroll"),
    ]
    said = json.loads(done.printed)
    assert len(set(said["certificates"])) == 2
    assert (
        server.ask(f"""
        from pki.models import IssuedCertificate
        rows = IssuedCertificate.objects.filter(fingerprint_sha256__in={said["certificates"]!r})
        answer = [row.common_name for row in rows]
    """)
        == [said["thing"]] * 2
    )


@pytest.mark.parametrize("option", ["", "--cn-only"])
def test_it_enrolls_what_the_template_makes_a_thing_of_unless_told_otherwise(server, smoke, option):
    template = json.loads(
        (PROJECT_ROOT / "config" / "iot_template_with_serial_number.json").read_text()
    )
    wanted = {name.removeprefix("AWS::IoT::Certificate::") for name in template["Parameters"]}

    said = json.loads(smoke("--json", *filter(None, [option])).printed)

    subject = server.ask(f"""
        from pki.models import IssuedCertificate
        row = IssuedCertificate.objects.get(fingerprint_sha256={said["certificates"][-1]!r})
        answer = [attribute.rfc4514_string() for attribute in row.to_x509().subject]
    """)
    names = {"CN": "CommonName", "2.5.4.5": "SerialNumber", "C": "Country"}
    asked_for = {names[text.partition("=")[0]] for text in subject}
    assert asked_for == ({"CommonName"} if option else {"CommonName", *wanted - {"Id"}})


def test_the_command_that_it_prints_takes_back_what_it_enrolled(server, smoke):
    done = smoke("--name=smoke-taken-back")

    command = done.printed.splitlines()[-1].strip()
    assert command.startswith("manage.py deny name smoke-taken-back")
    assert server.manage(*shlex.split(command)[1:]).endswith("live certificates revoked: 2\n")

    again = smoke("--name=smoke-taken-back", "--json")

    assert again.failed == ["simpleenroll"]
    assert "device-denied" in again.rows["simpleenroll"]["finding"]
    assert again.exit_code == 1
    assert json.loads(again.printed)["thing"] is None


def test_a_line_a_check_and_exit_code_1_as_a_shell_sees_it(server):
    certificate, key = server.test_client
    done = subprocess.run(
        [
            *(sys.executable, "manage.py", "smoke", f"https://localhost:{server.port}"),
            *("--cert", certificate, "--key", key),
        ],
        env=server.environment,
        capture_output=True,
        text=True,
        timeout=60,
    )

    (line,) = done.stdout.splitlines()
    assert line.startswith("FAIL  TLS ")
    assert done.stderr.strip() == "CommandError: 1 of 1 checks failed."
    assert done.returncode == 1


def test_nothing_is_sent_to_a_server_that_another_ca_vouches_for(server, tmp_path):
    other, _ = saved(tmp_path, make_ca("Another CA").certificate, make_key())

    done = run(f"https://localhost:{server.port}", server.test_client, f"--ca={other}", "--json")

    assert done.failed == list(done.rows) == ["TLS"]
    assert "issuer" in done.rows["TLS"]["finding"]
    assert "--ca" in done.rows["TLS"]["advice"]
    assert done.exit_code == 1


def test_a_client_of_another_ca_is_refused_and_told_where_to_look(smoke, tmp_path):
    stranger = make_certificate(make_ca("Another CA"), "stranger")

    done = smoke("--json", credentials=saved(tmp_path, stranger, make_key()))

    assert done.failed == ["client certificate"]
    assert list(done.rows)[-1] == "client certificate"
    assert "truststore" in done.rows["client certificate"]["advice"]
    assert done.exit_code == 1


def test_nobody_there_is_exit_code_3(server):
    done = run("https://localhost:1", server.test_client, "--json")

    assert done.failed == ["connection"]
    assert done.exit_code == 3


@pytest.mark.parametrize("url", ["http://localhost", "localhost:8443", "https://", "https://a:b"])
def test_a_url_that_is_none_is_refused(server, url):
    done = run(url, server.test_client)

    assert done.complaint == f"{url!r} is not a URL such as https://est.example.com."
    assert done.exit_code == 1


def test_a_name_that_cannot_be_a_thing_is_refused(smoke):
    assert smoke("--name=a thing").complaint.startswith(
        "'a thing' cannot be a thing name. Give up to"
    )


def test_a_key_with_a_password_is_refused_and_not_asked_for(smoke, server, tmp_path):
    certificate = make_certificate(make_ca("Another CA"), "client")
    credentials = saved(tmp_path, certificate, make_key(), BestAvailableEncryption(b"password"))

    done = smoke(credentials=credentials)

    assert "without a password" in done.complaint
    assert done.printed == ""


# Servers with a fault


class Faulty:
    """A TLS server that asks nobody for a certificate, and answers as it is told."""

    def __init__(self, files):
        self.answers = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                status, headers, body = outer.answer(self)
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.do_GET()

            def log_message(self, *args):
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files / "server.pem", files / "server.key")
        self.httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.httpd.handle_error = lambda *args: None  # clients that turn away end their handshake
        self.httpd.socket = context.wrap_socket(self.httpd.socket, server_side=True)
        self.thread = threading.Thread(target=self.httpd.serve_forever, daemon=True)
        self.thread.start()

    @property
    def url(self):
        return f"https://localhost:{self.httpd.server_port}"

    def answer(self, request):
        given = self.answers.get(request.path, (404, {}, b"no such page\n"))
        return given(request) if callable(given) else given

    def stop(self):
        self.httpd.shutdown()
        self.httpd.server_close()
        self.thread.join()


@pytest.fixture
def faulty(server):
    """A server whose pages a test gives it; what it isn't given is 404."""
    made = Faulty(server.data_dir)
    made.answers |= {"/healthz": (200, {}, b"ok\n"), "/readyz": (200, {}, b"ready\n")}
    yield made
    made.stop()


@pytest.fixture
def look(faulty, server):
    """The command against the faulty server."""

    def ask(*options):
        trusted = f"--ca={server.server_ca}"
        return run(faulty.url, server.test_client, trusted, "--json", *options)

    return ask


def est_body(der, media_type="application/pkcs7-mime", **headers):
    return 200, {"Content-Type": media_type, **headers}, base64.b64encode(der) + b"\n"


def certs_only(*certificates):
    return est_body(pkcs7.serialize_certificates(list(certificates), Encoding.DER))


def test_a_server_without_the_routes_fails_at_each_of_them(faulty, look):
    faulty.answers.clear()

    done = look()

    assert {"/healthz", "/readyz", "cacerts", "csrattrs", "simpleenroll"} <= {*done.failed}
    assert "mapped to the API at its root" in done.rows["/healthz"]["advice"]
    assert done.exit_code == 1


def test_a_server_that_is_up_and_not_ready_fails(faulty, look):
    faulty.answers["/readyz"] = (503, {}, b"not ready\n")

    assert look().rows["/readyz"]["finding"] == "The answer is 503 not ready."


def test_a_truststore_without_the_client_is_named_when_the_gateway_answers_403(faulty, look):
    faulty.answers["/healthz"] = GATEWAY_403

    done = look()

    assert done.failed == ["client certificate"]
    assert "access log" in done.rows["client certificate"]["advice"]


def test_a_domain_that_lets_in_nobody_in_particular_fails(faulty, look):
    faulty.answers[ENROLL] = (400, {}, b"csr-malformed: it isn't a CSR\n")

    done = look()

    assert {"no client certificate", "forged header"} <= {*done.failed}


def test_a_server_that_believes_a_header_fails(faulty, look):
    def believe(request):
        return (400 if request.headers.get("X-SSL-Client-Cert") else 401), {}, b"said\n"

    faulty.answers[ENROLL] = believe

    done = look()

    assert "forged header" in done.failed
    assert "no client certificate" not in done.failed


def test_a_firewall_that_refuses_forged_headers_is_fine(faulty, look):
    def refuse(request):
        return GATEWAY_403 if request.headers.get("X-SSL-Client-Cert") else (401, {}, b"who\n")

    faulty.answers[ENROLL] = refuse

    assert "before it reaches the server" in look().rows["forged header"]["finding"]


def test_lenient_about_content_types_is_a_warning(faulty, look):
    faulty.answers[ENROLL] = (400, {}, b"csr-malformed\n")

    row = look().rows["wrong Content-Type"]

    assert row["level"] == "WARN"
    assert "apiStrictHeadersCheck" in row["advice"]


def test_a_challenge_that_the_gateway_renamed_is_a_warning(faulty, look):
    renamed = {"X-Amzn-Remapped-WWW-Authenticate": 'Basic realm="est"'}
    faulty.answers[ENROLL] = (401, renamed, b"client-certificate-missing\n")

    row = look().rows["WWW-Authenticate"]

    assert row["level"] == "WARN"
    assert "X-Amzn-Remapped-WWW-Authenticate" in row["finding"]


ROOT = make_ca("Smoke Root")
DER = pkcs7.serialize_certificates([ROOT.certificate], Encoding.DER)


@pytest.mark.parametrize(
    ("answer", "finding"),
    [
        (est_body(DER, "text/plain"), "Content-Type is text/plain"),
        ((200, {"Content-Type": "application/pkcs7-mime"}, DER), "is not one line of base64"),
        (
            (200, {"Content-Type": "application/pkcs7-mime"}, base64.encodebytes(DER)),
            "is not one line of base64",
        ),
        (est_body(DER, **{"Content-Encoding": "gzip"}), "compressed on the way"),
        (est_body(DER[:-9]), "is not a certs-only PKCS #7"),
        (est_body(DER, **{"Content-Length": "99999"}), "Content-Length is 99999"),
    ],
)
def test_a_body_that_changed_on_the_way_fails(faulty, look, answer, finding):
    faulty.answers[CACERTS] = answer

    row = look().rows["cacerts"]

    assert row["level"] == "FAIL"
    assert finding in row["finding"]


def test_cacerts_without_a_root_is_a_warning(faulty, look):
    faulty.answers[CACERTS] = certs_only(make_ca("Intermediate", issuer=ROOT).certificate)

    row = look().rows["cacerts"]

    assert row["level"] == "WARN"
    assert "CN=Intermediate" in row["finding"]


def test_a_certificate_for_another_key_and_of_another_ca_fails_and_is_to_be_cleaned_up(
    faulty, look
):
    faulty.answers[CACERTS] = certs_only(ROOT.certificate)
    other = make_certificate(make_ca("Another CA"), "sensor-1")
    faulty.answers[ENROLL] = certs_only(other)

    done = look("--name=sensor-1")

    finding = done.rows["simpleenroll"]["finding"]
    assert "has another key" in finding
    assert "No CA of cacerts signed it." in finding
    assert json.loads(done.printed)["thing"] == "sensor-1"


# The other doors


@pytest.fixture
def trusted_here(server, monkeypatch):
    """This machine trusts the server's CA, as it would trust Amazon's."""
    monkeypatch.setenv("SSL_CERT_FILE", str(server.server_ca))


@pytest.mark.parametrize(
    ("answer", "level", "finding"),
    [
        (GATEWAY_403, "OK", "API Gateway answers 403"),
        (
            (403, {"Content-Type": "text/plain; charset=utf-8"}, b"endpoint-not-allowed: no\n"),
            "FAIL",
            "only the function refuses",
        ),
        (certs_only(ROOT.certificate), "FAIL", "It is open. The answer is 200."),
    ],
)
def test_the_default_endpoint_must_be_closed(smoke, faulty, trusted_here, answer, level, finding):
    faulty.answers[f"/est{CACERTS}"] = answer

    row = smoke(f"--execute-api={faulty.url}/est", "--json").rows["execute-api"]

    assert row["level"] == level
    assert finding in row["finding"]


LOGIN = (200, {"Content-Type": "text/html"}, b'<input name="csrfmiddlewaretoken">')


@pytest.mark.parametrize(
    ("login", "cacerts", "level", "finding"),
    [
        (LOGIN, (404, {}, b""), "OK", "asks for a login"),
        (LOGIN, certs_only(ROOT.certificate), "FAIL", "It serves EST too."),
        (GATEWAY_403, GATEWAY_403, "WARN", "refused the request: 403"),
        ((502, {}, b""), (502, {}, b""), "FAIL", "There is no login"),
    ],
)
def test_the_admins_door(smoke, faulty, login, cacerts, level, finding):
    faulty.answers |= {"/admin/login/": login, CACERTS: cacerts}

    row = smoke(f"--admin={faulty.url}", "--json").rows["admin"]

    assert row["level"] == level
    assert finding in row["finding"]
