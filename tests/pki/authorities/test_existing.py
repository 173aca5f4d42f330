"""CAs in Secrets Manager: the CDK sample's are adopted, others made in its format."""

import json
from contextlib import suppress
from dataclasses import replace

import pytest
from botocore.client import BaseClient
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)
from django.core.management import CommandError, call_command

from pki.authorities.bootstrap import bootstrap_cas
from pki.csr.public_keys import public_key_sha256
from pki.models import CertificateAuthority, CertificateProfile
from pki.operators.command import REMOTE_FAILURE
from pki.operators.errors import OperatorError, RemoteFailure
from pki.signers import get_signer
from tests.conftest import TESTER
from tests.support.aws_faults import Fault, failing
from tests.support.builders import make_ca, make_certificate, make_csr, make_key, make_sample_ca
from tests.support.est_client import ESTClient
from tests.support.openssl import openssl, write_pem
from tests.support.plugins import ExternalPKI
from tests.support.secrets_manager import (
    CLIENT,
    CLIENT_CA,
    CLIENT_PFX,
    CLIENT_PLAN,
    DEVICE_CERTIFICATE,
    DEVICE_KEY,
    DEVICE_PLAN,
    SIGNERS,
    get,
    key_pem,
    names,
    pair,
    pem,
    put,
    secrets_manager,
)

CALLS = 30
"""The most calls of a run. Each secret's owner is looked at before its content (T60)."""
EXTERNAL = {
    "external": {
        "BACKEND": "pki.signers.external.ExternalSigner",
        "OPTIONS": {"class": "tests.support.plugins.ExternalPKI"},
    }
}


def bootstrap(**options):
    return bootstrap_cas(actor=TESTER, **options)


@pytest.fixture
def plan(data_dir, settings, db, aws_cloud):
    """A deployed configuration: both CAs in Secrets Manager. Returns a way to change it."""

    def change(**changes):
        settings.PKI = replace(settings.PKI, **changes)
        get_signer.cache_clear()

    change(device_ca=DEVICE_PLAN, client_ca=CLIENT_PLAN, signers=SIGNERS)
    return change


def kept_client():
    """The test client that is in the secrets."""
    return ESTClient(
        x509.load_pem_x509_certificate(json.loads(get(CLIENT))["certificate"].encode())
    )


def assert_it_enrolls(client=None):
    """A device gets its certificate; returns the device CA's row."""
    response = (client or kept_client()).simpleenroll(make_csr("sensor-1"))
    ca = CertificateProfile.objects.get(active_label="").ca
    response.certificate.verify_directly_issued_by(ca.certificate)
    return ca


# Adopted


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("as_what", [str, bytes])
def test_the_samples_CAs_are_adopted_as_they_are(plan, tmp_path, form, as_what):
    device, clients = make_sample_ca(), make_sample_ca("EST client CA", key=make_key("rsa-4096", 1))
    client = make_certificate(clients, "factory-1")
    encode = (lambda text: text.encode()) if as_what is bytes else (lambda text: text)
    put(DEVICE_CERTIFICATE, encode(pem(device.certificate)))
    put(DEVICE_KEY, encode(key_pem(device.key, form)))
    put(CLIENT_CA, encode(pair(clients)))
    put(CLIENT, json.dumps({"certificate": pem(client), "key": key_pem(make_key())}))
    put(CLIENT_PFX, b"a PKCS #12 file")
    before = {name: get(name) for name in names()}

    lines = bootstrap()

    assert lines[0] == "device CA device-ca: adopted from the secret deviceCaCert, rsa-4096"
    assert lines[1] == "client CA client-ca: adopted from the secret clientCa, rsa-4096"
    assert lines[3] == "test client in the secret testClient: there, left as it is"
    assert {name: get(name) for name in names()} == before
    assert not list(tmp_path.rglob("*.pem"))
    ca = assert_it_enrolls(ESTClient(client))
    assert (ca.certificate, ca.key_reference) == (device.certificate, DEVICE_KEY)
    assert all("left as it is" in line for line in bootstrap())


def test_openssl_verifies_what_an_adopted_CA_signs(plan, tmp_path):
    device = make_sample_ca()
    put(DEVICE_CERTIFICATE, pem(device.certificate))
    put(DEVICE_KEY, key_pem(device.key))
    bootstrap()

    issued = kept_client().simpleenroll(make_csr("sensor-1")).certificate

    root = write_pem(tmp_path / "root", device.certificate)
    said = openssl("verify", "-CAfile", root, write_pem(tmp_path / "leaf", issued))
    assert said.returncode == 0, said.stderr


def test_a_chain_in_the_secret_is_published(plan):
    root = make_ca("Root")
    theirs = make_ca("Their CA", issuer=root)
    put(DEVICE_CERTIFICATE, pem(theirs.certificate) + pem(root.certificate))
    put(DEVICE_KEY, key_pem(theirs.key))

    bootstrap()

    assert set(kept_client().cacerts().certificates) == {theirs.certificate, root.certificate}


def test_a_chain_that_doesnt_hold_is_refused(plan):
    theirs = make_ca("Their CA", issuer=make_ca("Root"))
    put(DEVICE_CERTIFICATE, pem(theirs.certificate) + pem(make_ca("Other").certificate))
    put(DEVICE_KEY, key_pem(theirs.key))

    with pytest.raises(OperatorError, match="CN=Their CA is not signed by CN=Other"):
        bootstrap()


PLACEHOLDERS = ["NULL", "NONE", " ", "tbd", b"NULL"]


@pytest.mark.parametrize("placeholder", PLACEHOLDERS)
def test_placeholders_are_filled_with_CAs_that_are_made(plan, placeholder):
    for name in (DEVICE_CERTIFICATE, DEVICE_KEY, CLIENT_CA, CLIENT, CLIENT_PFX):
        put(name, placeholder)

    lines = bootstrap()

    assert [line.split(": ", 1)[1].split(",")[0] for line in lines] == ["made"] * 4
    assert_it_enrolls()


def test_a_pair_of_placeholders_is_one_too(plan):
    put(CLIENT_CA, json.dumps({"certificate": "NULL", "key": "NULL"}))

    assert "made" in bootstrap()[1]
    assert "BEGIN PRIVATE KEY" in json.loads(get(CLIENT_CA))["key"]


def test_a_secret_that_never_had_a_value_is_filled(plan):
    secrets_manager().create_secret(Name=DEVICE_KEY)

    assert "made" in bootstrap()[0]
    assert get(DEVICE_KEY).startswith("-----BEGIN PRIVATE KEY-----")


@pytest.mark.parametrize("key", ["NULL", None])
def test_a_certificate_without_key_is_signed_for_by_the_PKI_outside(plan, monkeypatch, key):
    theirs = make_sample_ca()
    put(DEVICE_CERTIFICATE, pem(theirs.certificate))
    if key is not None:
        put(DEVICE_KEY, key)
    monkeypatch.setattr(
        ExternalPKI,
        "answer",
        staticmethod(
            lambda csr, *_: make_certificate(
                theirs, subject=csr.subject, public_key=csr.public_key()
            )
        ),
    )
    plan(signers=SIGNERS | EXTERNAL)

    assert bootstrap()[0] == (
        "device CA device-ca: adopted from the secret deviceCaCert, rsa-4096, signed by the PKI "
        "behind the signer 'external'"
    )
    assert assert_it_enrolls().signer == "external"


def test_a_certificate_without_key_and_without_a_PKI_outside_is_refused(plan):
    put(DEVICE_CERTIFICATE, pem(make_sample_ca().certificate))

    with pytest.raises(
        OperatorError, match=r"no secret holds its key\. .* set Properties.externalSignerClass"
    ):
        bootstrap()


def test_a_client_CA_without_key_is_refused_with_what_to_do(plan):
    put(CLIENT_CA, json.dumps({"certificate": pem(make_sample_ca().certificate), "key": "NULL"}))

    with pytest.raises(OperatorError, match=r"and no key\. .*mTlsTruststoreCertificatesChainFile"):
        bootstrap()


def test_another_CAs_key_is_refused(plan):
    put(DEVICE_CERTIFICATE, pem(make_sample_ca().certificate))
    put(DEVICE_KEY, key_pem(make_key()))

    with pytest.raises(
        OperatorError, match=r"The key in the secret deviceCaKey is not that of .*CA"
    ):
        bootstrap()
    assert not CertificateAuthority.objects.exists()


def test_a_key_that_somebody_else_put_there_gets_no_certificate_of_ours(plan):
    put(DEVICE_KEY, key_pem(make_key()))

    with pytest.raises(OperatorError, match="holds a key, and the secret deviceCaCert no certific"):
        bootstrap()
    assert not CertificateAuthority.objects.exists()


def encrypted_key():
    encryption = BestAvailableEncryption(b"secret")
    return make_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption).decode()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("this is no key at all", "holds something else than a certificate or a private key"),
        (b"\xff\xfe\x00" * 20, "holds something else"),
        ("{not really JSON}", "holds something else"),
        ('{"key": "a long text that is no PEM"}', "holds something else"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "cannot be read. Store"),
        (encrypted_key(), "is encrypted. Store it decrypted"),
    ],
    ids=["text", "bytes", "braces", "pair", "broken", "encrypted"],
)
def test_a_secret_of_another_format_is_refused(plan, content, complaint):
    put(DEVICE_KEY, content)

    with pytest.raises(OperatorError, match=complaint):
        bootstrap()
    assert get(DEVICE_KEY) == content


def test_a_broken_certificate_is_refused(plan):
    put(DEVICE_CERTIFICATE, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----")

    with pytest.raises(OperatorError, match="deviceCaCert holds a certificate that cannot be read"):
        bootstrap()


def test_without_anything_in_the_secrets_no_CA_is_made_against_the_word(plan):
    plan(device_ca=replace(DEVICE_PLAN, generate_certificate=False))

    with pytest.raises(OperatorError, match="generateIotCaCertificate is false"):
        bootstrap()
    assert names() == set()


def test_what_is_in_the_secrets_may_be_adopted_where_none_may_be_made(plan):
    device = make_sample_ca()
    put(DEVICE_CERTIFICATE, pem(device.certificate))
    put(DEVICE_KEY, key_pem(device.key))
    plan(device_ca=replace(DEVICE_PLAN, generate_certificate=False))

    assert "adopted" in bootstrap()[0]


def test_another_CA_in_the_secrets_needs_force(plan):
    bootstrap()
    theirs = make_ca("Their CA")
    put(DEVICE_CERTIFICATE, pem(theirs.certificate))
    put(DEVICE_KEY, key_pem(theirs.key))

    with pytest.raises(OperatorError, match=r"device-ca is on record, and the secret deviceCaCert"):
        bootstrap()
    assert "adopted" in bootstrap(force=True)[0]
    assert CertificateProfile.objects.get(active_label="").ca.certificate == theirs.certificate


# Made


def test_a_device_CA_is_written_in_the_samples_format(plan):
    plan(tags=(("project", "est"),))

    assert "device CA device-ca: made, ec-p256" in bootstrap()[0]

    ca = assert_it_enrolls()
    assert get(DEVICE_CERTIFICATE) == ca.pem
    key = load_pem_private_key(get(DEVICE_KEY).encode(), None)
    assert public_key_sha256(key.public_key()) == ca.key_sha256
    described = secrets_manager().describe_secret(SecretId=DEVICE_KEY)
    assert described["Tags"] == [{"Key": "project", "Value": "est"}]
    assert described["Description"] == "EST server: private key of a CA"


def test_the_KMS_key_of_the_options_encrypts_what_is_created(plan):
    signers = {
        **SIGNERS,
        "secretsmanager": SIGNERS["secretsmanager"] | {"OPTIONS": {"kmsKeyId": "alias/secrets"}},
    }
    plan(signers=signers)

    bootstrap()

    described = [secrets_manager().describe_secret(SecretId=name) for name in names()]
    assert {one["KmsKeyId"] for one in described} == {"alias/secrets"}


def test_client_CA_and_test_client_are_written_as_the_sample_does(plan, tmp_path):
    lines = bootstrap()

    ca = CertificateAuthority.objects.client().get()
    content = json.loads(get(CLIENT_CA))
    assert content["certificate"] == ca.pem
    key = load_pem_private_key(content["key"].encode(), None)
    assert public_key_sha256(key.public_key()) == ca.key_sha256
    client = json.loads(get(CLIENT))
    key, certificate, above = pkcs12.load_key_and_certificates(get(CLIENT_PFX), None)
    assert pem(certificate) == client["certificate"]
    assert key_pem(key) == client["key"]
    assert above == [ca.certificate]
    assert lines[3] == (
        "test client test-client: made, in the secrets testClient and testClientPfx (without "
        "password)"
    )
    assert not list(tmp_path.rglob("test-client*"))


def test_force_makes_successors_beside_and_overwrites_nothing(plan):
    bootstrap()
    before = {name: get(name) for name in names()}

    lines = bootstrap(force=True)

    assert "succeeds device-ca, which stays trusted" in lines[0]
    assert {name: get(name) for name in before} == before
    assert {name.rpartition("-")[0] or name for name in names() - before.keys()} == {
        "deviceCaKey/device-ca-2",
        "clientCa/client-ca-2",
        "testClient/test-client",
        "testClientPfx/test-client",
    }
    ca = assert_it_enrolls()
    assert json.loads(get(ca.key_reference))["certificate"] == ca.pem
    assert all("left as it is" in line for line in bootstrap())


def test_a_CA_from_files_goes_to_the_configured_secrets(plan, tmp_path):
    theirs = make_ca("Their CA")
    key = tmp_path / "ca.key"
    key.write_text(key_pem(theirs.key))
    certificate = write_pem(tmp_path / "ca.pem", theirs.certificate)
    plan(device_ca=replace(DEVICE_PLAN, certificate_path=certificate, private_key_path=key))

    assert "imported, its key is with the signer 'secretsmanager' now" in bootstrap()[0]

    assert get(DEVICE_CERTIFICATE) == pem(theirs.certificate)
    assert get(DEVICE_KEY) == key_pem(theirs.key)
    assert_it_enrolls()


def test_a_CA_from_files_never_overwrites_one_in_the_secrets(plan, tmp_path):
    theirs, other = make_ca("Their CA"), make_ca("Other CA")
    put(DEVICE_CERTIFICATE, pem(other.certificate))
    put(DEVICE_KEY, key_pem(other.key))
    key = tmp_path / "ca.key"
    key.write_text(key_pem(theirs.key))
    certificate = write_pem(tmp_path / "ca.pem", theirs.certificate)
    plan(device_ca=replace(DEVICE_PLAN, certificate_path=certificate, private_key_path=key))

    with pytest.raises(OperatorError, match="deviceCaKey holds another key, and keys are never ov"):
        bootstrap()
    assert get(DEVICE_KEY) == key_pem(other.key)


# Cut off, contended, out of reach


def assert_one_of_each():
    """One CA of each kind, and the secrets hold just these."""
    device = CertificateAuthority.objects.device().get()
    client = CertificateAuthority.objects.client().get()
    assert get(DEVICE_CERTIFICATE) == device.pem
    assert json.loads(get(CLIENT_CA))["certificate"] == client.pem
    assert names() == {DEVICE_CERTIFICATE, DEVICE_KEY, CLIENT_CA, CLIENT, CLIENT_PFX}
    pkcs12.load_key_and_certificates(get(CLIENT_PFX), None)
    assert_it_enrolls()


class Killed(BaseException):
    """What no code of ours catches."""


@pytest.mark.parametrize("cut_at", range(CALLS))
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_run_cut_off_around_any_call_is_completed_by_the_next(plan, monkeypatch, cut_at, after):
    made = []
    original = BaseClient._make_api_call

    def cut_off(client, operation, parameters):
        made.append(operation)
        if len(made) == cut_at + 1 and not after:
            raise Killed
        answer = original(client, operation, parameters)
        if len(made) == cut_at + 1:
            raise Killed
        return answer

    with monkeypatch.context() as patched:
        patched.setattr(BaseClient, "_make_api_call", cut_off)
        with suppress(Killed):
            bootstrap()
    assert len(made) <= CALLS
    get_signer.cache_clear()

    bootstrap()

    assert_one_of_each()


@pytest.mark.parametrize(
    "fault", [Fault.TIMEOUT, Fault.SUCCESS_THEN_TIMEOUT, Fault.THROTTLE, Fault.SERVER_ERROR]
)
@pytest.mark.parametrize("operation", ["GetSecretValue", "CreateSecret", "PutSecretValue"])
def test_a_run_that_AWS_failed_says_so_and_is_completed_by_the_next(plan, operation, fault):
    put(DEVICE_KEY, "NULL")
    with (
        failing("secretsmanager", operation, fault, times=1),
        pytest.raises(RemoteFailure, match=f"secretsmanager:{operation} failed with "),
    ):
        bootstrap()
    get_signer.cache_clear()

    bootstrap()

    assert_one_of_each()


@pytest.mark.parametrize("operation", ["GetSecretValue", "CreateSecret"])
def test_the_command_says_what_AWS_refused_and_exits_with_3(plan, operation):
    with (
        failing("secretsmanager", operation, Fault.ACCESS_DENIED),
        pytest.raises(CommandError, match=f"call secretsmanager:{operation}") as caught,
    ):
        call_command("bootstrap_cas")

    assert caught.value.returncode == REMOTE_FAILURE


def test_a_secret_scheduled_for_deletion_is_neither_used_nor_made_again(plan):
    put(DEVICE_KEY, key_pem(make_key()))
    secrets_manager().delete_secret(SecretId=DEVICE_KEY, RecoveryWindowInDays=7)

    with pytest.raises(
        OperatorError,
        match=r"deviceCaKey is scheduled for deletion. Restore it .*, or wait until it is gone",
    ):
        bootstrap()


def test_of_two_that_fill_a_placeholder_at_once_one_is_refused(plan, monkeypatch):
    put(DEVICE_KEY, "NULL")
    original = BaseClient._make_api_call
    theirs = key_pem(make_key("ec-p256", 8))

    def somebody_is_faster(client, operation, parameters):
        if operation == "PutSecretValue" and parameters["SecretId"] == DEVICE_KEY:
            original(client, operation, parameters | {"SecretString": theirs})
        return original(client, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", somebody_is_faster)

    with pytest.raises(
        OperatorError, match=r"Another process filled the secret deviceCaKey at this mom"
    ):
        bootstrap()

    assert get(DEVICE_KEY) == theirs
    assert not CertificateAuthority.objects.exists()
