"""An upstream EST server: a second instance of this project, and then a hostile one."""

import base64
import json
import logging
import re
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from pki.aws.clients import aws_client
from pki.checks import check_signers
from pki.exceptions import SignerUnavailable
from pki.models import CertificateAuthority, IssuedCertificate
from pki.operators.errors import OperatorError, RemoteFailure
from pki.signers import get_signer
from pki.signers.est.client import MAX_REPLY_BYTES
from pki.signers.est.signer import ESTSigner
from tests.pki.signers.conftest import EST, use_signer
from tests.pki.signers.hostile import CERTS_ONLY, ESTPeer, certs_only
from tests.pki.signers.test_privateca import issuer_of
from tests.support.aws_faults import Fault, failing
from tests.support.builders import make_ca, make_certificate, make_csr, make_key, make_name

State = IssuedCertificate.State
CANARY = "canary-3f9a"


# A second instance


def test_a_device_enrolls_through_this_server_at_the_next(bootstrapped, upstream):
    client = bootstrapped("upstream", EST, upstream.options)

    certificate = client.simpleenroll(make_csr("through-1", key=make_key(index=21))).certificate

    certificate.verify_directly_issued_by(upstream.device_ca)
    assert client.cacerts().certificates == [upstream.device_ca]
    assert IssuedCertificate.objects.get(common_name="through-1").to_x509() == certificate
    assert upstream.certificates_of("through-1") == [certificate]


def test_a_device_renews_with_its_own_certificate_and_the_RA_asks_for_it(bootstrapped, upstream):
    client = bootstrapped("upstream", EST, upstream.options)
    first = client.simpleenroll(make_csr("through-2", key=make_key(index=22))).certificate

    renewed = (
        client.using(first)
        .simplereenroll(make_csr("through-2", key=make_key(index=23)))
        .certificate
    )

    assert renewed.public_key() == make_key(index=23).public_key()
    assert upstream.certificates_of("through-2") == [first, renewed]
    assert IssuedCertificate.objects.get(common_name="through-2", state=State.ISSUED).to_x509() == (
        renewed
    )


def test_what_was_signed_and_lost_is_the_same_certificate_at_the_retry(bootstrapped, upstream):
    client = bootstrapped("upstream", EST, upstream.options)
    csr = make_csr("through-3", key=make_key(index=24))
    signed_before = ESTSigner(**upstream.options)._client.simpleenroll(
        csr
    )  # by a process that died

    certificate = client.simpleenroll(csr).certificate

    assert signed_before.status == 200
    assert upstream.certificates_of("through-3") == [certificate]


def test_a_device_that_upstream_denies_is_refused_here(bootstrapped, upstream, caplog):
    client = bootstrapped("upstream", EST, upstream.options)
    upstream.installation.deny("through-4")

    response = client.simpleenroll(make_csr("through-4", key=make_key(index=25)))

    assert (response.status_code, response.reason) == (403, "signer-refused")
    assert "device-denied" not in response.text
    assert "answered HTTP 403: 'device-denied: " in caplog.text


def test_a_client_certificate_that_upstream_refuses_is_the_operators_to_mend(
    bootstrapped, upstream, settings, tmp_path, caplog
):
    stranger = write_client(tmp_path, make_ca("Somebody's"))
    client = bootstrapped("upstream", EST, upstream.options)
    use_signer(settings, "upstream", EST, {**upstream.options, **stranger})

    response = client.simpleenroll(make_csr("through-5", key=make_key(index=26)))

    assert (response.status_code, response.reason) == (503, "signer-unavailable")
    assert cause_in(caplog).code in ("TLSFailure", "NoConnection")
    assert upstream.certificates_of("through-5") == []


def test_the_CA_of_another_upstream_fails_the_check(upstream):
    with pytest.raises(SignerUnavailable) as caught:
        ESTSigner(**upstream.options).check(issuer_of(make_ca("Somebody's")))
    assert "The CA CN=Somebody's is not among those that" in str(caught.value.__cause__)


# The hostile one


@pytest.fixture
def peer(tmp_path):
    ca, tls_ca = make_ca("Their device CA"), make_ca("Their TLS CA")
    server = ESTPeer(tmp_path, ca=ca, tls_ca=tls_ca)
    (tmp_path / "anchor.pem").write_bytes(tls_ca.certificate.public_bytes(Encoding.PEM))
    yield server
    server.stop()


@pytest.fixture
def options(peer, tmp_path):
    """OPTIONS for the peer."""
    return {
        "url": f"https://localhost:{peer.port}/.well-known/est/line-7",
        "trustAnchor": str(tmp_path / "anchor.pem"),
        **write_client(tmp_path, make_ca("Their RA CA")),
    }


@pytest.fixture
def client(bootstrapped, options):
    """An EST client of this server, whose upstream is the peer."""
    return bootstrapped("upstream", EST, options)


def write_client(directory, ca, *, encryption=None):
    key = make_key(index=2)
    certificate = make_certificate(ca, subject=make_name("our RA"), public_key=key.public_key())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())
    (directory / "ra.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (directory / "ra.key").write_bytes(pem)
    return {
        "clientCertificate": str(directory / "ra.pem"),
        "clientKey": str(directory / "ra.key"),
    }


def test_W8_W12_the_request_is_what_the_standard_says(client, peer):
    csr = make_csr("sensor-1")

    client.simpleenroll(csr)

    path, headers, body = peer.requests[-1]
    assert path == "/.well-known/est/line-7/simpleenroll"
    assert headers["Content-Type"] == "application/pkcs10"
    assert headers["Host"] == f"localhost:{peer.port}"
    assert body == base64.b64encode(csr)


def replying(status, body=b"", **headers):
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda request: request.reply(status, body, names)


def pkcs7(body):
    return replying(200, body, Content_Type=CERTS_ONLY)


def raw(data):
    return lambda request: request.wfile.write(data)


def hang(request):
    request.peer.stopping.wait(30)


def dribble(request):
    """A byte now and then, each well within any timeout of a single read."""
    request.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while not request.peer.stopping.wait(0.1):
        request.wfile.write(b"X")


def somebody_elses(request):
    stranger = make_certificate(
        make_ca("Their device CA"), public_key=make_key(index=9).public_key()
    )
    request.reply(200, certs_only([stranger]), {"Content-Type": CERTS_ONLY})


def another_name(request):
    certificate = make_certificate(
        make_ca("Their device CA"), "our-RA", public_key=make_key().public_key()
    )
    request.reply(200, certs_only([certificate]), {"Content-Type": CERTS_ONLY})


UNAVAILABLE = {
    "202": (replying(202, Retry_After="60"), "answered 202 (Retry-After '60')"),
    "500": (replying(500, CANARY.encode()), f"answered HTTP 500: '{CANARY}'"),
    "503": (replying(503, Retry_After="5"), "answered HTTP 503"),
    "429": (replying(429), "answered HTTP 429"),
    "302": (replying(302, Location="https://localhost/elsewhere"), "answered HTTP 302"),
    "204": (replying(204), "answered HTTP 204"),
    "401": (replying(401, CANARY.encode()), "refuses this server itself with HTTP 401"),
    "403": (replying(403, b"Forbidden"), "refuses this server itself with HTTP 403"),
    "403-client": (replying(403, b"client-denied: no"), "refuses this server itself with HTTP 403"),
    "404": (replying(404), "refuses this server itself with HTTP 404"),
    "hangs": (hang, "est:simpleenroll failed with Timeout: "),
    "dribbles": (dribble, "est:simpleenroll failed with Timeout: "),
    "hangs-up": (raw(b""), "est:simpleenroll failed with NoConnection: "),
    "no-http": (raw(b"SSH-2.0-OpenSSH\r\n\x1b[31m" + CANARY.encode()), "failed with NotHTTP: "),
    "huge": (pkcs7(b"A" * (MAX_REPLY_BYTES + 1)), "failed with TooLarge: "),
    "html": (
        replying(200, b"<html>", Content_Type="text/html"),
        "The reply is 'text/html', not",
    ),
    "untyped": (replying(200, b"AAAA"), "The reply is '', not application/pkcs7-mime"),
    "not-base64": (pkcs7(b"%%%%"), "The reply is not base64"),
    "empty": (pkcs7(b""), "The reply is not a certs-only PKCS #7"),
    "not-PKCS7": (pkcs7(base64.b64encode(b"\x30\x03\x02\x01\x00")), "is not a certs-only PKCS #7"),
    "a-CSR": (pkcs7(base64.b64encode(make_csr("x"))), "is not a certs-only PKCS #7"),
    "somebody-elses": (somebody_elses, "answered with 1 certificates, none for the CSR's key"),
    "another-name": (another_name, "it is for the common name ['our-RA'], not 'sensor-1'"),
}


@pytest.mark.parametrize("name", UNAVAILABLE)
def test_an_upstream_out_of_order_loses_nothing_and_doubles_nothing(
    client, peer, options, settings, caplog, name
):
    behaviour, said = UNAVAILABLE[name]
    csr = make_csr("sensor-1")
    peer.behave, asked_before = behaviour, len(peer.requests)
    caplog.set_level(logging.INFO)
    if name in ("hangs", "dribbles"):
        use_signer(settings, "upstream", EST, {**options, "timeoutSeconds": 1})

    refused = client.simpleenroll(csr)
    on_record = IssuedCertificate.objects.get(common_name="sensor-1")
    peer.behave = None
    use_signer(settings, "upstream", EST, options)
    answered = client.simpleenroll(csr)

    assert refused.status_code == 503
    assert int(refused["Retry-After"]) > 0
    assert said in caplog.text + "".join(str(one.exc_info) for one in caplog.records)
    assert CANARY not in refused.text
    assert "\x1b" not in caplog.text
    assert len(peer.requests) == asked_before + 2  # nothing was repeated, no redirect followed
    assert on_record.state == State.INTENT
    row = IssuedCertificate.objects.get(common_name="sensor-1")
    assert (row.pk, row.state) == (on_record.pk, State.ISSUED)
    assert row.to_x509() == answered.certificate
    assert peer.issued == [answered.certificate]


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (400, b"csr-malformed: no"),
        (400, f"the key\n\x1b[31m is weak: {CANARY}".encode() + b"\xff" * 5000),
        (403, b"device-denied: stolen"),
        (415, b""),
        (422, b"no"),
    ],
)
def test_W22_what_upstream_says_no_to_is_refused_and_its_words_are_the_logs(
    client, peer, caplog, status, text
):
    peer.behave = replying(status, text, Content_Type="text/plain")

    response = client.simpleenroll(make_csr("sensor-1"))

    assert (response.status_code, response.reason) == (403, "signer-refused")
    assert CANARY not in response.text
    (record,) = [one for one in caplog.records if "answered HTTP" in one.getMessage()]
    assert f"HTTP {status}: " in record.getMessage()
    assert record.getMessage().isprintable()
    assert len(record.getMessage()) < 1000


def test_a_server_with_a_certificate_from_elsewhere_is_told_nothing(client, peer, tmp_path, caplog):
    asked_before = len(peer.requests)
    peer.show(tmp_path, make_ca("Somebody's"), "localhost")

    response = client.simpleenroll(make_csr("sensor-1"))

    assert response.status_code == 503
    assert len(peer.requests) == asked_before
    cause = cause_in(caplog)
    assert cause.code == "CertificateRefused"
    assert "Check that trustAnchor is the server's CA, and serverName" in str(cause)


def cause_in(caplog):
    (error,) = {one.exc_info[1] for one in caplog.records if one.exc_info}
    return error.__cause__


def test_a_server_certificate_for_another_name_is_refused_unless_it_is_the_one_expected(
    client, options, peer, tmp_path, settings
):
    peer.show(tmp_path, make_ca("Their TLS CA"), "est.corp.example")
    assert client.simpleenroll(make_csr("sensor-1")).status_code == 503

    use_signer(settings, "upstream", EST, {**options, "serverName": "est.corp.example"})

    assert client.simpleenroll(make_csr("sensor-1")).status_code == 200
    assert peer.requests[-1][1]["Host"] == f"est.corp.example:{peer.port}"


def test_a_client_certificate_refused_in_TLS_and_then_renewed_is_read_again(
    client, peer, tmp_path, caplog
):
    peer.demand_clients_of(tmp_path, make_ca("Their new RA CA"))
    csr = make_csr("sensor-1")
    assert client.simpleenroll(csr).status_code == 503
    assert cause_in(caplog).code in ("TLSFailure", "NoConnection")

    write_client(tmp_path, make_ca("Their new RA CA"))

    assert client.simpleenroll(csr).status_code == 200


def test_a_client_certificate_that_was_refused_is_read_again(client, peer, tmp_path):
    ca = make_ca("Their RA CA")
    peer.demand_clients_of(tmp_path, ca)
    peer.behave = replying(403, b"expired")
    client.simpleenroll(make_csr("sensor-1"))
    write_client(tmp_path, ca)

    client.simpleenroll(make_csr("sensor-1"))

    renewed = x509.load_pem_x509_certificate((tmp_path / "ra.pem").read_bytes())
    assert peer.clients[-2] != peer.clients[-1] == renewed.public_bytes(Encoding.DER)


def test_no_proxy_is_asked(client, monkeypatch):
    for name in ("https_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    assert client.simpleenroll(make_csr("sensor-1")).status_code == 200


# The CA of an upstream


def test_bootstrap_takes_the_issuing_CA_with_its_chain(peer, options, bootstrapped):
    root = make_ca("Their root")
    between = make_ca("Their intermediate", issuer=root)
    peer.ca = make_ca("Their issuing CA", issuer=between)
    everything = [root.certificate, peer.ca.certificate, between.certificate]
    peer.behave = pkcs7(certs_only(everything))

    bootstrapped("upstream", EST, options)

    ca = CertificateAuthority.objects.device().get()
    assert ca.certificate == peer.ca.certificate
    assert ca.chain == [between.certificate, root.certificate]


def test_of_several_CAs_the_operator_has_to_choose(peer, options):
    peer.behave = pkcs7(certs_only([make_ca("One").certificate, make_ca("Two").certificate]))

    with pytest.raises(OperatorError, match=r"publishes, 2 could be the issuing one\. Put"):
        ESTSigner(**options).existing_authority("device")


@pytest.mark.parametrize(
    ("behaviour", "complaint"),
    [
        (
            replying(500, b"no"),
            "^est:cacerts failed with HTTP 500: the EST server .* says 'no'. Check",
        ),
        (pkcs7(b"AAAA"), "^est:cacerts failed with Unreadable: .* is not a certs-only PKCS #7"),
    ],
)
def test_cacerts_that_cant_be_had_are_a_remote_failure(peer, options, behaviour, complaint):
    peer.behave = behaviour

    with pytest.raises(RemoteFailure, match=complaint):
        ESTSigner(**options).existing_authority("device")
    with pytest.raises(SignerUnavailable):
        ESTSigner(**options).check(issuer_of(peer.ca))


# OPTIONS


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"url": None}, "OPTIONS.url: missing, wanted the https URL of an EST server"),
        ({"url": "http://est.example.com"}, "OPTIONS.url: found 'http://est.example.com', wanted"),
        ({"url": "https://u:p@est.example.com"}, "OPTIONS.url: found"),
        ({"url": "https://est.example.com/est"}, "OPTIONS.url: found"),
        ({"url": "https://est.example.com/.well-known/est/simpleenroll"}, "OPTIONS.url: found"),
        ({"url": "https://est.example.com/.well-known/est?x=1"}, "OPTIONS.url: found"),
        ({"url": "https://est.example.com:99999"}, "OPTIONS.url: .* Port out of range"),
        ({"trustAnchor": None}, "OPTIONS.trustAnchor: missing, wanted the PEM file"),
        ({"trustAnchor": "/nowhere.pem"}, "/nowhere.pem cannot be read: No such file"),
        ({"trustAnchor": "ra.key"}, "OPTIONS.trustAnchor: .*ra.key holds no certificate"),
        ({"clientKey": None}, "OPTIONS.clientKey: missing, wanted clientCertificate and clientKey"),
        ({"clientCertificate": None}, "OPTIONS.clientCertificate: missing, wanted"),
        ({"clientCertificate": "/nowhere.pem"}, "/nowhere.pem cannot be read: No such file"),
        ({"clientCertificate": "ra.key"}, "The client certificate cannot be read. Give it as PEM"),
        (
            {"clientCertificate": "anchor.pem"},
            "The client key is not that of the client certificate",
        ),
        ({"clientKey": "ra.pem"}, "The client key cannot be read. Give it as PEM"),
        ({"clientKey": "locked.key"}, "The client key is encrypted, and this server has no"),
        ({"clientSecret": "ra"}, "OPTIONS.clientSecret: given beside clientCertificate"),
        ({"serverName": "a b"}, "OPTIONS.serverName: found 'a b', wanted a host name"),
        ({"timeoutSeconds": 60}, "OPTIONS.timeoutSeconds: found 60, wanted a whole number"),
        ({"verify": False}, "OPTIONS.verify: unknown; the signer takes url, trustAnchor,"),
    ],
)
def test_bad_options_are_said_in_a_sentence_at_start(
    options, settings, tmp_path, changes, complaint
):
    locked = make_key(index=2).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )
    (tmp_path / "locked.key").write_bytes(locked)
    given = {**options, **changes}
    for name, value in given.items():
        if isinstance(value, str) and (tmp_path / value).is_file():
            given[name] = str(tmp_path / value)
    use_signer(settings, "up", EST, {name: one for name, one in given.items() if one is not None})

    (problem,) = check_signers(None)

    assert problem.id == "pki.E001"
    assert re.search(complaint, problem.msg)


# The client certificate in Secrets Manager


@pytest.fixture
def secret_options(aws_cloud, options):
    """OPTIONS that name a secret, which isn't there yet."""
    kept = {name: one for name, one in options.items() if not name.startswith("client")}
    return kept | {"clientSecret": "est/ra"}


def store_secret(options, **changes):
    said = {
        "certificate": Path(options["clientCertificate"]).read_text(),
        "key": Path(options["clientKey"]).read_text(),
        **changes,
    }
    aws_client("secretsmanager").create_secret(Name="est/ra", SecretString=json.dumps(said))


def test_the_client_certificate_can_be_in_secrets_manager(
    bootstrapped, options, secret_options, peer, tmp_path
):
    peer.demand_clients_of(tmp_path, make_ca("Their RA CA"))
    store_secret(options)

    client = bootstrapped("upstream", EST, secret_options)

    assert client.simpleenroll(make_csr("sensor-1")).status_code == 200


@pytest.mark.parametrize("fault", Fault)
def test_a_secret_that_cant_be_had_loses_nothing(
    bootstrapped, options, secret_options, settings, peer, fault
):
    store_secret(options)
    client = bootstrapped("upstream", EST, secret_options)
    get_signer.cache_clear()
    csr = make_csr("sensor-1")

    with failing("secretsmanager", "GetSecretValue", fault, times=1) as met:
        refused = client.simpleenroll(csr)
    state = IssuedCertificate.objects.get(common_name="sensor-1").state
    answered = client.simpleenroll(csr)

    assert met.met == 1
    assert (refused.status_code, refused.reason) == (503, "signer-unavailable")
    assert state == State.INTENT
    assert peer.issued == [answered.certificate]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"key": 5}, "is not the JSON object"),
        ({"key": CANARY}, "The client key cannot be read"),
        ({"certificate": CANARY}, "The client certificate cannot be read"),
    ],
)
def test_T22_a_secret_that_isnt_fit_is_named_and_not_quoted(
    options, secret_options, changes, complaint
):
    store_secret(options, **changes)
    signer = ESTSigner(**secret_options)

    with pytest.raises(OperatorError, match=f"ESTSigner: the secret est/ra.*{complaint}") as caught:
        signer.existing_authority("device")

    assert CANARY not in str(caught.value)
    assert "PRIVATE KEY" not in repr(vars(signer))


def test_bootstrap_without_the_upstream_says_so(bootstrapped, options):
    with pytest.raises(RemoteFailure, match=r"^est:cacerts failed with NoConnection: .*127"):
        bootstrapped("upstream", EST, {**options, "url": "https://127.0.0.1:9"})
    assert not CertificateAuthority.objects.exists()
