"""Keys in Secrets Manager: fetched once, looked at again, and in no report."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from botocore.client import BaseClient
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import load_pem_x509_certificate

from pki.authorities.bootstrap import bootstrap_cas
from pki.authorities.import_ca import import_authority
from pki.aws import secret_cache
from pki.aws.ownership import MADE_BY
from pki.exceptions import SignerUnavailable
from pki.models import CertificateAuthority
from pki.operators.errors import OperatorError
from pki.signers import get_signer
from pki.signers.secretsmanager.signer import SecretsManagerSigner
from tests.conftest import TESTER
from tests.support.aws_faults import Fault, aws_calls, failing
from tests.support.builders import make_ca, make_csr, make_key
from tests.support.est_client import ESTClient
from tests.support.secrets_manager import (
    CLIENT,
    CLIENT_CA,
    CLIENT_PLAN,
    DEVICE_CERTIFICATE,
    DEVICE_KEY,
    DEVICE_PLAN,
    SIGNERS,
    get,
    key_pem,
    pair,
    pem,
    put,
    secrets_manager,
)

Purpose = CertificateAuthority.Purpose
KEY, ANOTHER_KEY = make_key("ec-p256", 0), make_key("ec-p256", 1)


class Clock:
    """The time that the secrets' cache sees."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(secret_cache, "time", clock)
    return clock


@pytest.fixture
def signer(aws_cloud, data_dir, settings):
    """A signer, and a device CA's key in its secret."""
    settings.PKI = replace(
        settings.PKI, device_ca=DEVICE_PLAN, client_ca=CLIENT_PLAN, signers=SIGNERS
    )
    get_signer.cache_clear()
    put(DEVICE_KEY, key_pem(KEY))
    return get_signer("secretsmanager")


def is_key(key, wanted=KEY):
    return key.public_key() == wanted.public_key()


# Once per process


def test_a_key_is_fetched_and_parsed_once(signer):
    with aws_calls() as calls:
        keys = {id(signer.private_key(DEVICE_KEY)) for _ in range(100)}

    assert (len(keys), calls) == (1, ["secretsmanager:GetSecretValue"])


def test_T140_a_key_that_a_run_left_is_found_by_its_name(signer):
    name = f"{DEVICE_KEY}/device-ca-2-0123abcd"
    assert signer.key_named(name) == ""

    signer.store(name, ANOTHER_KEY)

    assert signer.key_named(name) == name
    assert is_key(signer.private_key(signer.key_named(name)), ANOTHER_KEY)


def test_threads_that_ask_at_once_share_one_fetch(signer):
    with aws_calls() as calls, ThreadPoolExecutor(16) as pool:
        keys = set(map(id, pool.map(lambda _: signer.private_key(DEVICE_KEY), range(64))))

    assert (len(keys), calls) == (1, ["secretsmanager:GetSecretValue"])


def test_threads_that_wait_for_a_fetch_share_its_failure(signer, clock):
    """The clock stands still, so that all of them have asked before it failed."""

    def ask(_):
        with pytest.raises(SignerUnavailable) as caught:
            signer.private_key(DEVICE_KEY)
        return str(caught.value.__cause__)

    with (
        failing("secretsmanager", "GetSecretValue", Fault.ACCESS_DENIED) as failed,
        ThreadPoolExecutor(8) as pool,
    ):
        said = set(pool.map(ask, range(16)))

    assert failed.met == 1
    assert len(said) == 1
    clock.now += 0.001
    assert is_key(signer.private_key(DEVICE_KEY))


def test_two_signers_of_other_places_dont_share(signer):
    other = SecretsManagerSigner(region="us-east-1")

    with pytest.raises(SignerUnavailable) as caught:
        other.private_key(DEVICE_KEY)

    assert "holds no private key" in str(caught.value.__cause__)


def test_an_ARN_will_do_as_well_as_a_name(signer):
    arn = secrets_manager().describe_secret(SecretId=DEVICE_KEY)["ARN"]

    assert is_key(signer.private_key(arn))


# Looked at again


def test_after_the_interval_the_version_is_looked_at_and_nothing_fetched(signer, clock):
    signer.private_key(DEVICE_KEY)
    clock.now += 299
    with aws_calls() as calls:
        signer.private_key(DEVICE_KEY)
    assert calls == []

    clock.now += 2
    with aws_calls() as calls:
        for _ in range(10):
            signer.private_key(DEVICE_KEY)
    assert calls == ["secretsmanager:DescribeSecret"]


def test_a_new_version_is_fetched(signer, clock):
    signer.private_key(DEVICE_KEY)
    put(DEVICE_KEY, key_pem(ANOTHER_KEY))
    assert is_key(signer.private_key(DEVICE_KEY))

    clock.now += 301
    with aws_calls() as calls:
        assert is_key(signer.private_key(DEVICE_KEY), ANOTHER_KEY)

    assert calls == ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]


def test_the_interval_is_an_option(signer, clock):
    often = SecretsManagerSigner(refreshSeconds=10)
    often.private_key(DEVICE_KEY)
    clock.now += 11

    with aws_calls() as calls:
        often.private_key(DEVICE_KEY)

    assert calls == ["secretsmanager:DescribeSecret"]


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("operation", ["DescribeSecret", "GetSecretValue"])
def test_a_look_that_fails_leaves_the_key_in_memory_signing(
    signer, clock, caplog, fault, operation
):
    signer.private_key(DEVICE_KEY)
    put(DEVICE_KEY, key_pem(ANOTHER_KEY))
    clock.now += 301

    with failing("secretsmanager", operation, fault):
        for _ in range(5):
            assert is_key(signer.private_key(DEVICE_KEY))

    (said,) = (record for record in caplog.records if record.name == "pki.aws.secret_cache")
    assert said.levelname == "WARNING"
    assert f"the secret {DEVICE_KEY} is used as it was: secretsmanager:{operation}" in (
        said.getMessage()
    )
    clock.now += 301
    assert is_key(signer.private_key(DEVICE_KEY), ANOTHER_KEY)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda: put(DEVICE_KEY, "NULL"), "holds no private key"),
        (lambda: put(DEVICE_KEY, "something else altogether"), "holds something else"),
        (lambda: secrets_manager().delete_secret(SecretId=DEVICE_KEY), "scheduled for deletion"),
        (
            lambda: secrets_manager().delete_secret(
                SecretId=DEVICE_KEY, ForceDeleteWithoutRecovery=True
            ),
            "holds no private key",
        ),
    ],
    ids=["placeholder", "garbage", "scheduled", "gone"],
)
def test_a_key_that_AWS_says_is_gone_signs_no_more(signer, clock, change, complaint):
    signer.private_key(DEVICE_KEY)
    change()
    clock.now += 301

    for _ in range(2):
        with pytest.raises(SignerUnavailable) as caught:
            signer.private_key(DEVICE_KEY)
        assert complaint in str(caught.value.__cause__)

    if complaint == "scheduled for deletion":
        secrets_manager().restore_secret(SecretId=DEVICE_KEY)
    put(DEVICE_KEY, key_pem(KEY))
    clock.now += 1
    assert is_key(signer.private_key(DEVICE_KEY))


def test_while_one_thread_looks_the_others_go_on(signer, clock, monkeypatch):
    signer.private_key(DEVICE_KEY)
    clock.now += 301
    looking, go_on, original = threading.Event(), threading.Event(), BaseClient._make_api_call

    def slow(client, operation, parameters):
        looking.set()
        go_on.wait()
        return original(client, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", slow)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(signer.private_key, DEVICE_KEY)
        looking.wait()
        assert is_key(signer.private_key(DEVICE_KEY))
        go_on.set()
        assert is_key(first.result())


# Checked


def spoilt(key):
    """An RSA key whose private exponent isn't its own."""
    numbers = key.private_numbers()
    return rsa.RSAPrivateNumbers(
        p=numbers.p,
        q=numbers.q,
        d=numbers.d + 2,
        dmp1=numbers.dmp1 + 2,
        dmq1=numbers.dmq1,
        iqmp=numbers.iqmp,
        public_numbers=numbers.public_numbers,
    ).private_key(unsafe_skip_rsa_key_validation=True)


def test_an_RSA_key_that_is_spoilt_isnt_adopted(signer, db):
    ca = make_ca("Their CA", key=make_key("rsa-2048"))
    put(DEVICE_CERTIFICATE, pem(ca.certificate))
    put(DEVICE_KEY, key_pem(spoilt(ca.key)))

    with pytest.raises(OperatorError, match="deviceCaKey cannot be read"):
        bootstrap_cas(actor=TESTER)


def test_what_an_RSA_key_signs_that_was_spoilt_since_reaches_nobody(signer, db, caplog):
    ca = make_ca("Their CA", key=make_key("rsa-2048"))
    put(DEVICE_CERTIFICATE, pem(ca.certificate))
    put(DEVICE_KEY, key_pem(ca.key))
    bootstrap_cas(actor=TESTER)
    put(DEVICE_KEY, key_pem(spoilt(ca.key)))
    get_signer.cache_clear()  # a new process doesn't check the numbers

    client = json.loads(get(CLIENT))["certificate"].encode()
    response = ESTClient(load_pem_x509_certificate(client)).simpleenroll(make_csr("sensor-1"))

    assert (response.status_code, response.reason) == (503, "signer-misbehaved")
    assert "it isn't signed by the CA device-ca" in caplog.text


def test_a_new_version_is_checked(signer, clock):
    put(DEVICE_KEY, key_pem(make_key("rsa-2048")))
    signer.private_key(DEVICE_KEY)
    put(DEVICE_KEY, key_pem(spoilt(make_key("rsa-2048"))))
    clock.now += 301

    with pytest.raises(SignerUnavailable) as caught:
        signer.private_key(DEVICE_KEY)
    assert "cannot be read" in str(caught.value.__cause__)


def test_a_key_that_cant_sign_certificates_is_refused(signer):
    key = ed25519.Ed25519PrivateKey.generate()
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    put("other", text)

    with pytest.raises(SignerUnavailable) as caught:
        signer.private_key("other")
    assert "is a Ed25519PrivateKey. Store an EC or RSA key" in str(caught.value.__cause__)


@pytest.mark.parametrize("options", [{"regoin": "x"}, {"region": 1}, {"refreshSeconds": "10"}])
def test_options_that_dont_do_are_refused(options):
    with pytest.raises(OperatorError, match=f"OPTIONS.{next(iter(options))}: (unknown|found)"):
        SecretsManagerSigner(**options)


def test_making_the_signer_calls_nobody(aws_cloud):
    with aws_calls() as calls:
        SecretsManagerSigner(region="eu-west-1", roleArn="arn:aws:iam::123456789012:role/x")

    assert calls == []


# Stored


def test_the_same_key_is_stored_twice_without_a_write(signer):
    with aws_calls() as calls:
        assert signer.store(DEVICE_KEY, KEY) == DEVICE_KEY

    assert calls == ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]


@pytest.mark.parametrize(
    "take",
    [
        lambda signer: signer.store(DEVICE_KEY, KEY),
        lambda signer: signer.existing_authority("device"),
        lambda signer: signer.find_key(make_ca("device", key=KEY).certificate),
        lambda signer: signer.is_free(DEVICE_KEY),
        lambda signer: signer.fill(DEVICE_KEY, "{}", "a client"),
    ],
    ids=["store", "existing", "find", "is_free", "fill"],
)
def test_T60_a_secret_of_another_project_is_neither_taken_over_nor_filled(signer, take):
    secrets_manager().tag_resource(SecretId=DEVICE_KEY, Tags=[{"Key": MADE_BY, "Value": "staging"}])

    with pytest.raises(OperatorError) as refused, aws_calls() as calls:
        take(signer)

    assert str(refused.value) == (
        "The secret deviceCaKey belongs to the project staging (its tag est-server:made-by), and "
        "this is the project est-server, which must not share it. Take its name out of the "
        "configuration, so that the project gets secrets of its own, or name another secret."
    )
    assert set(calls) == {"secretsmanager:DescribeSecret"}


@pytest.mark.parametrize("tags", [{}, {MADE_BY: "est-server"}, {"CostCenter": "Factory"}])
def test_T60_a_secret_of_this_project_or_of_a_person_is_taken(signer, tags):
    listed = [{"Key": key, "Value": value} for key, value in tags.items()]
    secrets_manager().tag_resource(SecretId=DEVICE_KEY, Tags=listed)

    assert signer.store(DEVICE_KEY, KEY) == DEVICE_KEY


def test_a_key_is_never_overwritten(signer):
    with pytest.raises(OperatorError, match="holds another key, and keys are never overwritten"):
        signer.store(DEVICE_KEY, ANOTHER_KEY)

    assert is_key(signer.private_key(DEVICE_KEY))


def test_a_certificate_is_never_overwritten(signer):
    ours, theirs = make_ca("Ours", key=KEY), make_ca("Theirs")
    put(DEVICE_CERTIFICATE, pem(theirs.certificate))
    put(CLIENT_CA, pair(theirs))

    for reference, name in ((DEVICE_KEY, DEVICE_CERTIFICATE), (CLIENT_CA, CLIENT_CA)):
        before = get(name)
        with pytest.raises(OperatorError, match=f"{name} holds something already, and is never"):
            signer.keep_certificate(reference, ours.certificate)
        assert get(name) == before


def test_the_key_of_a_CA_is_found_by_its_certificate(signer, db):
    ca = make_ca("Their CA", key=KEY)

    row = import_authority(
        Purpose.DEVICE, "ca", [ca.certificate], key=None, signer="secretsmanager", actor=TESTER
    )

    assert row.key_reference == DEVICE_KEY
    assert signer.find_key(make_ca("Another").certificate) == ""
