"""A key in AWS KMS as an object: it signs, and nothing leaves KMS."""

import copy
import hashlib
import logging
import pickle
import traceback

import pytest
from botocore.stub import Stubber
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_public_key,
)

from pki.aws.clients import AWSLocation, aws_client
from pki.csr.public_keys import key_algorithm_name, public_key_sha256
from pki.exceptions import SignerUnavailable
from pki.issuance.client_certificates import sign_client_csr
from pki.models import AuditEvent
from pki.signers import authority_key
from pki.signers.kms.keys import KMSKey, private_key_in_kms
from pki.signers.kms.signer import KEY_SPECS, KMSSigner
from tests.conftest import TESTER
from tests.pki.signers.kms.keys import ARN, DAY, Purpose, create
from tests.support.aws_faults import Fault, aws_calls, failing
from tests.support.builders import make_csr, make_key


def key_in_kms(algorithm="ec-p256"):
    return private_key_in_kms(
        KMSKey(ARN, AWSLocation("eu-central-1")), make_key(algorithm).public_key()
    )


@pytest.mark.parametrize("algorithm", KEY_SPECS)
def test_it_is_a_private_key_of_its_kind(configure, algorithm):
    arn = KMSSigner().create_key("ca", algorithm)

    key = KMSSigner().private_key(arn)

    kind = ec.EllipticCurvePrivateKey if algorithm.startswith("ec") else rsa.RSAPrivateKey
    assert isinstance(key, kind)
    assert key.key_size == key.public_key().key_size
    assert key_algorithm_name(key.public_key()) == algorithm
    real = aws_client("kms").get_public_key(KeyId=arn)["PublicKey"]
    assert public_key_sha256(key.public_key()) == public_key_sha256(load_der_public_key(real))
    if algorithm.startswith("ec"):
        assert key.curve.name == key.public_key().curve.name


@pytest.mark.parametrize("size", [1, 4096])
def test_a_message_up_to_4096_bytes_is_hashed_by_KMS(configure, size):
    key = KMSSigner().private_key(KMSSigner().create_key("ca", "ec-p384"))
    message = b"m" * size

    signature = key.sign(message, ec.ECDSA(hashes.SHA384()))

    key.public_key().verify(signature, message, ec.ECDSA(hashes.SHA384()))


@pytest.mark.parametrize(
    ("algorithm", "sign", "name"),
    [
        ("ec-p256", lambda k, m: k.sign(m, ec.ECDSA(hashes.SHA256())), "ECDSA_SHA_256"),
        ("ec-p384", lambda k, m: k.sign(m, ec.ECDSA(hashes.SHA384())), "ECDSA_SHA_384"),
        (
            "rsa-2048",
            lambda k, m: k.sign(m, padding.PKCS1v15(), hashes.SHA256()),
            "RSASSA_PKCS1_V1_5_SHA_256",
        ),
    ],
    ids=["ec-p256", "ec-p384", "rsa-2048"],
)
@pytest.mark.parametrize("size", [4096, 4097, 100_000])
def test_a_longer_message_is_hashed_here(aws_cloud, algorithm, sign, name, size):
    message = bytes(range(256)) * 400
    message = message[:size]
    is_raw = size == 4096
    sha2 = hashlib.new(f"sha{name[-3:]}", message).digest()
    client = aws_client("kms", AWSLocation("eu-central-1"))

    with Stubber(client) as stub:  # which holds the parameters against the service's own model
        stub.add_response(
            "sign",
            {"Signature": b"signed"},
            {
                "KeyId": ARN,
                "Message": message if is_raw else sha2,
                "MessageType": "RAW" if is_raw else "DIGEST",
                "SigningAlgorithm": name,
            },
        )
        assert sign(key_in_kms(algorithm), message) == b"signed"
        stub.assert_no_pending_responses()


@pytest.mark.parametrize(
    "sign",
    [
        lambda: key_in_kms().sign(b"m", ec.ECDSA(hashes.SHA3_256())),
        lambda: key_in_kms().sign(b"m", ec.ECDSA(Prehashed(hashes.SHA256()))),
        lambda: key_in_kms("rsa-2048").sign(b"m", padding.PKCS1v15(), hashes.SHA1()),
        lambda: key_in_kms("rsa-2048").sign(
            b"m", padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256()
        ),
    ],
    ids=["sha3", "prehashed", "sha1", "pss"],
)
def test_a_signature_of_another_kind_is_refused_without_a_call(aws_cloud, sign):
    with aws_calls() as calls, pytest.raises(UnsupportedAlgorithm):
        sign()
    assert calls == []


@pytest.mark.parametrize("algorithm", ["ec-p256", "rsa-2048"])
def test_T22_a_key_in_KMS_does_nothing_but_sign(algorithm):
    key = key_in_kms(algorithm)

    for refused in (
        lambda: key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        key.private_numbers,
        lambda: pickle.dumps(key),
        lambda: copy.copy(key),
        lambda: copy.deepcopy(key),
        lambda: (
            key.exchange(ec.ECDH(), key.public_key())
            if algorithm == "ec-p256"
            else key.decrypt(b"", padding.PKCS1v15())
        ),
    ):
        with pytest.raises(TypeError, match="private key never leaves AWS KMS"):
            refused()
    assert "arn:" not in repr(key)


def test_T22_a_failing_signature_tells_no_message_and_no_credentials(configure, caplog, settings):
    for name in ("botocore", "urllib3"):
        caplog.set_level(settings.LOGGING["loggers"][name]["level"], name)
    caplog.set_level(logging.DEBUG)  # as lambdaLoggerLevel may be
    create("client-ca", purpose=Purpose.CLIENT)

    with (
        failing("kms", "Sign", Fault.SERVER_ERROR),
        pytest.raises(SignerUnavailable) as caught,
    ):
        sign_client_csr(make_csr("canary-7f3a"), validity=DAY, actor=TESTER)

    told = "".join(traceback.format_exception(caught.value)) + caplog.text
    told += "".join(f"{event.before}{event.after}" for event in AuditEvent.objects.all())
    assert "kms:Sign failed with InternalFailure" in told
    for secret in ("testing/", "AWS4-HMAC", "Signature=", "MessageType"):
        assert secret not in told


def test_the_key_of_a_CA_is_had_without_a_call(configure):
    ca = create()

    with aws_calls() as calls:
        key = authority_key(ca, otherwise="")
    assert calls == []
    assert key.public_key() == ca.certificate.public_key()
