"""curl and openssl against a real server process, over real mutual TLS."""

import base64
import itertools
import subprocess
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.interop.curl import PKCS10
from tests.interop.server import printed_commands
from tests.support.builders import make_ca, make_certificate, make_key

pytestmark = pytest.mark.interop


def save_credentials(directory, certificate, key, *chain):
    """Files with a certificate, followed by ``chain``, and its key."""
    pem, key_path = directory / "client.pem", directory / "client.key"
    pem.write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in (certificate, *chain)))
    key_path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return pem, key_path


@pytest.fixture
def csr(openssl, tmp_path):
    """A CSR that openssl made, for a new key and the name given."""

    def make(common_name, **how):
        key = openssl.make_key(tmp_path / f"new-{common_name}.key")
        return openssl.make_csr(key, common_name, **how)

    return make


# What quickstart tells people to type


def type_into_shell(commands, directory):
    """What bash does with them."""
    return subprocess.run(
        ["/bin/bash", "-c", commands], cwd=directory, capture_output=True, text=True, timeout=60
    )


def test_commands_that_quickstart_prints_enroll_a_device(server, quickstart_output, curl, tmp_path):
    done = type_into_shell("set -e\n" + printed_commands(quickstart_output), tmp_path)

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("device.pem: OK")


def test_commands_that_quickstart_prints_show_a_refusal(server, quickstart_output, curl, tmp_path):
    server.deny("my-device-2")
    commands = printed_commands(quickstart_output).replace("my-device-1", "my-device-2")

    done = type_into_shell(commands, tmp_path)

    assert done.stdout.startswith("device-denied: The denylist names this thing name.")


# CA certificates


def test_W17_cacerts_needs_no_client_certificate(curl):
    reply = curl.get("cacerts")

    (ca,) = reply.certificates
    assert ca.subject == ca.issuer
    assert reply.headers["content-type"].startswith("application/pkcs7-mime")


def test_W15_cacerts_is_a_degenerate_signed_data(curl, openssl):
    printed = openssl(
        "cms", "-cmsout", "-print", "-noout", "-inform", "DER", data=curl.get("cacerts").der
    )

    lines = [" ".join(line.split()) for line in printed.splitlines()]
    assert lines[1] == "contentType: pkcs7-signedData (1.2.840.113549.1.7.2)"
    assert "version: 1" in lines
    assert lines[lines.index("digestAlgorithms:") + 1] == "<EMPTY>"
    content = lines.index("encapContentInfo:")
    assert lines[content + 1 : content + 3] == [
        "eContentType: pkcs7-data (1.2.840.113549.1.7.1)",
        "eContent: <ABSENT>",
    ]
    assert lines[lines.index("crls:") + 1] == "<ABSENT>"
    assert lines[lines.index("signerInfos:") + 1] == "<EMPTY>"


def test_W10_every_base64_reply_is_one_line_and_says_its_length(curl, csr):
    for reply in (curl.get("cacerts"), curl.enroll(csr("one-line"))):
        assert reply.status == 200
        assert reply.body.count(b"\n") == 1
        assert reply.body.endswith(b"\n")
        assert int(reply.headers["content-length"]) == len(reply.body)


def test_W10_reply_heads_fit_into_a_kibibyte(curl, csr):
    replies = [
        curl.get("cacerts"),
        curl.get("csrattrs"),
        curl.enroll(csr("short-head")),
        curl.post("simpleenroll", b"?", credentials=None),
    ]

    assert [reply.status for reply in replies] == [200, 204, 200, 401]
    assert all(len(reply.head) < 1024 for reply in replies)


def test_W51_server_certificate_verifies_by_its_anchor_and_names(server, openssl):
    for name, value in (("-verify_hostname", "localhost"), ("-verify_ip", "127.0.0.1")):
        printed = openssl(
            *("s_client", "-connect", f"127.0.0.1:{server.port}", "-CAfile", server.server_ca),
            *("-verify_return_error", name, value),
            data=b"",
        )
        assert "Verify return code: 0 (ok)" in printed


# First enrollment


def test_W20_device_certificate_verifies_by_cacerts_and_comes_alone(curl, openssl, device_ca, csr):
    reply = curl.enroll(csr("first-one"))

    (certificate,) = reply.certificates
    assert reply.headers["content-type"] == "application/pkcs7-mime; smime-type=certs-only"
    assert certificate.subject.rfc4514_string() == "CN=first-one"
    pem = certificate.public_bytes(Encoding.PEM)
    printed = openssl(
        "verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", device_ca, data=pem
    )
    assert printed.strip() == "stdin: OK"


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_W51_enrollment_over_each_tls_version(curl, csr, version):
    only = (f"--tlsv{version}", "--tls-max", version)

    assert curl.enroll(csr(f"over-tls-{version.replace('.', '-')}"), *only).status == 200


def test_W51_tls_1_1_is_refused_by_the_server(server, openssl):
    printed = openssl(
        *("s_client", "-connect", f"localhost:{server.port}"),
        *("-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"),
        data=b"",
        check=False,
    )

    # The alert is the server's; a client that refuses by itself would say something else.
    assert "alert protocol version" in printed


def der(csr_der):
    return csr_der


def crlf_wrapped(csr_der):
    return base64.encodebytes(csr_der).replace(b"\n", b"\r\n")


@pytest.mark.parametrize("encode", [base64.b64encode, base64.encodebytes, crlf_wrapped, der])
def test_W10_W11_bodies_that_clients_send_are_accepted(curl, csr, encode):
    body = encode(csr(f"body-{encode.__name__.replace('_', '-')}"))

    reply = curl.post("simpleenroll", body, credentials=curl.server.test_client)

    assert len(reply.certificates) == 1


def test_W11_pem_body_is_accepted(curl, csr):
    body = csr("body-pem", form="PEM")

    reply = curl.post("simpleenroll", body, credentials=curl.server.test_client)

    assert body.startswith(b"-----BEGIN CERTIFICATE REQUEST-----")
    assert len(reply.certificates) == 1


def test_W10_chunked_body_is_accepted(curl, csr):
    reply = curl.enroll(csr("body-chunked"), "-H", "Transfer-Encoding: chunked")

    assert len(reply.certificates) == 1


def test_W52_one_connection_carries_two_requests(curl, csr):
    certificate, key = curl.server.test_client
    csr_path = curl.directory / "keep-alive.b64"
    csr_path.write_bytes(base64.b64encode(csr("keep-alive")))

    done = curl.run(
        *("--cert", certificate, "--key", key, "--output", "/dev/null"),
        *("--write-out", "%{http_code} %{num_connects}\n", curl.server.url("csrattrs"), "--next"),
        *("--silent", "--cacert", curl.server.server_ca, "--cert", certificate, "--key", key),
        *(*PKCS10, "--data-binary", f"@{csr_path}", "--output", "/dev/null"),
        *("--write-out", "%{http_code} %{num_connects}\n", curl.server.url("simpleenroll")),
    )

    assert done.stdout.splitlines() == ["204 1", "200 0"]


def test_T18_request_that_is_sent_again_gets_the_same_certificate(curl, csr):
    request = csr("sent-twice")

    assert curl.enroll(request).der == curl.enroll(request).der


# Renewal


@pytest.mark.parametrize("rekeyed", [False, True], ids=["renew", "rekey"])
def test_W28_device_renews_with_its_own_certificate(curl, openssl, device_ca, tmp_path, rekeyed):
    name = "rekeyed" if rekeyed else "renewed"
    device = curl.make_device(name)
    key = openssl.make_key(tmp_path / "next.key") if rekeyed else device.key

    reply = curl.enroll(
        openssl.make_csr(key, name), credentials=device.credentials, operation="simplereenroll"
    )

    before, after = device.x509(), curl.keep(name, key, reply)
    assert after.x509().subject == before.subject
    assert after.x509().serial_number != before.serial_number
    assert (after.x509().public_key() == before.public_key()) is not rekeyed
    assert openssl("verify", "-CAfile", device_ca, after.certificate).strip().endswith("OK")


def test_device_goes_on_with_its_renewed_certificate(curl, openssl, tmp_path):
    device = curl.make_device("renewed-twice")
    key = openssl.make_key(tmp_path / "next.key")
    first = curl.enroll(
        openssl.make_csr(key, "renewed-twice"),
        credentials=device.credentials,
        operation="simplereenroll",
    )
    device = curl.keep("renewed-twice", key, first)

    second = curl.enroll(
        openssl.make_csr(key, "renewed-twice"),
        credentials=device.credentials,
        operation="simplereenroll",
    )

    assert len(second.certificates) == 1


def test_device_is_renewed_by_the_bootstrap_client_that_enrolled_it(curl, openssl):
    device = curl.make_device("renewed-by-bootstrap")

    reply = curl.enroll(
        openssl.make_csr(device.key, "renewed-by-bootstrap"), operation="simplereenroll"
    )

    (certificate,) = reply.certificates
    assert certificate.subject == device.x509().subject
    assert certificate.serial_number != device.x509().serial_number


def test_T12_device_cannot_renew_as_another(curl, csr):
    device = curl.make_device("honest")
    curl.make_device("victim")

    reply = curl.enroll(csr("victim-2"), credentials=device.credentials, operation="simplereenroll")
    hijack = curl.enroll(
        (curl.directory / "victim.csr").read_bytes(),
        credentials=device.credentials,
        operation="simplereenroll",
    )

    assert (reply.status, reply.reason) == (403, "subject-changed")
    assert (hijack.status, hijack.reason) == (403, "subject-changed")


# Refusals


def test_denied_device_neither_enrolls_nor_renews(server, curl, csr, openssl):
    device = curl.make_device("denied-later")
    server.deny("denied-later")

    for credentials, operation in (
        (server.test_client, "simpleenroll"),
        (device.credentials, "simplereenroll"),
    ):
        reply = curl.enroll(csr("denied-later"), credentials=credentials, operation=operation)
        assert (reply.status, reply.reason) == (403, "device-denied")


def test_W30_revoked_device_certificate_authenticates_nobody(server, curl, openssl):
    device = curl.make_device("revoked")
    server.revoke(device.x509().fingerprint(SHA256()).hex())

    reply = curl.enroll(
        openssl.make_csr(device.key, "revoked"),
        credentials=device.credentials,
        operation="simplereenroll",
    )

    assert (reply.status, reply.reason) == (403, "client-certificate-revoked")


def test_W43_no_client_certificate_is_a_challenge(curl, csr):
    reply = curl.post("simpleenroll", base64.b64encode(csr("nobody")), credentials=None)

    assert (reply.status, reply.reason) == (401, "client-certificate-missing")
    assert reply.headers["www-authenticate"].startswith("Basic realm=")


def test_T01_W54_certificate_in_a_header_is_nobody(curl, csr):
    pem = curl.server.test_client[0].read_text()
    forged = [
        ("-H", f"{name}: {quote(pem)}")
        for name in (
            "X-SSL-Client-Cert",
            "X-Amzn-Mtls-Clientcert",
            "Client-Cert",
            "SSL_CLIENT_CERT",
        )
    ]

    reply = curl.post(
        "simpleenroll",
        base64.b64encode(csr("forger")),
        *itertools.chain(*forged, ("-H", "X-SSL-Client-Verify: SUCCESS")),
        credentials=None,
    )

    assert (reply.status, reply.reason) == (401, "client-certificate-missing")


def test_W12_forgotten_media_type_is_415(curl, csr):
    reply = curl.post(
        "simpleenroll",
        base64.b64encode(csr("form-data")),
        credentials=curl.server.test_client,
        headers=(),  # curl then says application/x-www-form-urlencoded
    )

    assert (reply.status, reply.reason) == (415, "media-type-wrong")


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"", 400, "body-empty"),
        (b"!" * 1_048_576, 413, "body-too-large"),
        (b"MIIB", 400, "csr-malformed"),
        (b"not base64 at all!", 400, "body-not-base64"),
    ],
    ids=["0 bytes", "1 MiB", "no CSR", "no base64"],
)
def test_W13_body_that_is_no_csr_is_refused_in_words(curl, body, status, reason):
    for how in ((), ("-H", "Transfer-Encoding: chunked")):
        reply = curl.post("simpleenroll", body, *how, credentials=curl.server.test_client)

        assert (reply.status, reply.reason) == (status, reason)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("fault", ["another CA's", "expired", "self-signed"])
def test_T13_tls_refuses_a_client_certificate_that_is(curl, csr, factory, tmp_path, fault, version):
    key = make_key("ec-p256", 1)
    issuer = {
        "another CA's": make_ca("Nobody's Root"),
        "expired": factory.root,
        "self-signed": make_ca("stranger", key=key),
    }[fault]
    not_after = datetime.now(UTC) + timedelta(days=-1 if fault == "expired" else 1)
    certificate = make_certificate(
        issuer,
        "stranger",
        public_key=key.public_key(),
        not_before=not_after - timedelta(days=9),
        not_after=not_after,
    )

    reply = curl.enroll(
        csr("stranger"),
        *("--verbose", f"--tlsv{version}", "--tls-max", version),
        credentials=save_credentials(tmp_path, certificate, key),
    )

    assert (reply.exit_code != 0, reply.status) == (True, 0)
    alert = "certificate expired" if fault == "expired" else "unknown CA"
    assert f"(IN), TLS alert, {alert}" in reply.complaint


def test_client_certificate_from_an_intermediate_sent_in_the_handshake(
    curl, csr, factory, tmp_path
):
    key = make_key("ec-p256", 2)
    certificate = make_certificate(factory.intermediate, "made-there", public_key=key.public_key())
    issuer = factory.intermediate.certificate

    alone = curl.enroll(csr("alone"), credentials=save_credentials(tmp_path, certificate, key))
    reply = curl.enroll(
        csr("with-chain"), credentials=save_credentials(tmp_path, certificate, key, issuer)
    )

    assert alone.status == 0
    assert len(reply.certificates) == 1
