"""CA keys in AWS KMS: which calls are made, what is adopted, and that nothing leaves KMS."""

import copy
import datetime
import hashlib
import logging
import pickle
import traceback
from dataclasses import replace

import pytest
from botocore.stub import Stubber
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
)
from django.core.management import CommandError, call_command

from pki import aws
from pki.authorities import create_authority, import_authority, make_successor
from pki.aws import Place
from pki.bootstrap import bootstrap_cas
from pki.client_certificates import sign_client_csr
from pki.crl import make_crl
from pki.exceptions import OperatorError, RemoteFailure, SignerUnavailable
from pki.keys import key_algorithm_name, public_key_sha256
from pki.models import AuditEvent, CertificateAuthority
from pki.prepared import current
from pki.signers import authority_key, get_signer
from pki.signers.kms import KEY_SPECS, KMSSigner
from pki.signers.kms_keys import KMSKey, private_key_in_kms
from tests.aws_faults import Fault, Refusal, aws_calls, failing
from tests.builders import make_ca, make_csr, make_key
from tests.conftest import TESTER
from tests.openssl import verifies

Purpose = CertificateAuthority.Purpose
DAY = datetime.timedelta(days=1)
ARN = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
OTHER_ACCOUNT = Place("", "arn:aws:iam::210987654321:role/est")


@pytest.fixture
def configure(aws_cloud, db, data_dir, settings):
    """Give the signer ``kms`` these OPTIONS, and the PKI's settings other values."""

    def configure(changes=None, **options):
        signers = {
            "keyfile": {"BACKEND": "pki.signers.keyfile.KeyFileSigner"},
            "kms": {"BACKEND": "pki.signers.kms.KMSSigner", "OPTIONS": options},
        }
        settings.PKI = replace(settings.PKI, signers=signers, **(changes or {}))
        get_signer.cache_clear()

    configure()
    return configure


def create(name="device-ca", algorithm="ec-p256", purpose=Purpose.DEVICE):
    return create_authority(
        purpose,
        name,
        common_name=f"The {name}",
        key_algorithm=algorithm,
        validity=365 * DAY,
        signer="kms",
        actor=TESTER,
    )


def make_kms_key(spec="ECC_NIST_P256", usage="SIGN_VERIFY", place=aws.HERE):
    made = aws.client("kms", place).create_key(KeySpec=spec, KeyUsage=usage)
    return made["KeyMetadata"]["Arn"]


def import_(certificate, key=None):
    return import_authority(
        Purpose.DEVICE, "imported", [certificate], key=key, signer="kms", actor=TESTER
    )


def self_signed_by(arn):
    """The certificate of a CA that somebody made with a key in KMS."""
    key = KMSSigner().private_key(arn)
    return make_ca("Theirs", key=key).certificate


def aliases():
    listed = aws.client("kms").list_aliases()["Aliases"]
    return [one["AliasName"] for one in listed if one["AliasName"].startswith("alias/est/")]


def issuer_of(ca):
    return next(one.issuer for one in current().authorities if one.row == ca)


# Made in KMS


@pytest.mark.parametrize("algorithm", KEY_SPECS)
def test_a_CA_of_each_algorithm_is_made_with_a_key_in_KMS(configure, tmp_path, algorithm):
    ca = create(algorithm=algorithm)

    assert (ca.key_algorithm, ca.signer, ca.can_sign) == (algorithm, "kms", True)
    assert verifies(tmp_path, ca.certificate, anchor=ca.certificate)
    described = aws.client("kms").describe_key(KeyId=ca.key_reference)["KeyMetadata"]
    assert described["Arn"] == ca.key_reference
    assert (described["KeySpec"], described["KeyUsage"]) == (KEY_SPECS[algorithm], "SIGN_VERIFY")


def test_a_key_is_found_by_people_description_alias_and_tags(configure):
    configure({"tags": (("cost-center", "42"), ("owner", "fleet"))})

    ca = create()

    kms = aws.client("kms")
    (alias,) = aliases()
    described = kms.describe_key(KeyId=alias)["KeyMetadata"]
    assert described["Arn"] == ca.key_reference
    assert alias.removeprefix("alias/est/").startswith("device-ca-")
    assert described["Description"] == f"CA key {alias[10:]} of the EST server"
    tags = kms.list_resource_tags(KeyId=ca.key_reference)["Tags"]
    assert {tag["TagKey"]: tag["TagValue"] for tag in tags} == {
        "cost-center": "42",
        "owner": "fleet",
    }


@pytest.mark.parametrize("algorithm", ["ec-p521", "rsa-1024", "ed25519"])
def test_an_algorithm_that_isnt_made_in_KMS_is_refused_before_any_call(configure, algorithm):
    with aws_calls() as calls, pytest.raises(OperatorError) as caught:
        create(algorithm=algorithm)

    assert calls == []
    assert str(caught.value) == (
        f"CA keys in KMS aren't made of the kind {algorithm}: wanted ec-p256, ec-p384, rsa-2048, "
        "rsa-3072, rsa-4096; choose one of these, or another signer"
    )


def test_a_crash_between_key_and_alias_isnt_in_the_way_of_the_next_try(configure):
    with (
        failing("kms", "CreateAlias", Fault.ACCESS_DENIED) as failed,
        pytest.raises(OperatorError) as caught,
    ):
        create()

    assert failed.met == 1
    assert "kms:CreateAlias failed with AccessDeniedException" in str(caught.value)
    (left,) = [key["KeyArn"] for key in aws.client("kms").list_keys()["Keys"]]
    assert f"The key {left} was made before that and isn't used" in str(caught.value)
    assert not CertificateAuthority.objects.exists()
    ca = create()
    assert ca.key_reference != left
    assert len(aliases()) == 1


def test_an_alias_whose_answer_was_lost_is_as_good_as_one_that_was_answered(configure):
    with failing("kms", "CreateAlias", Fault.SUCCESS_THEN_TIMEOUT, times=1, attempts=1) as failed:
        ca = create()

    assert failed.met == 1
    (alias,) = aliases()
    assert aws.client("kms").describe_key(KeyId=alias)["KeyMetadata"]["Arn"] == ca.key_reference


def test_an_alias_that_is_another_keys_is_never_moved(configure):
    theirs = make_kms_key()
    aws.client("kms").create_alias(AliasName="alias/est/mine", TargetKeyId=theirs)

    with pytest.raises(OperatorError, match=r"AlreadyExistsException: .* isn't used: schedule its"):
        KMSSigner().create_key("mine", "ec-p256")

    found = aws.client("kms").describe_key(KeyId="alias/est/mine")["KeyMetadata"]["Arn"]
    assert found == theirs


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("operation", ["CreateKey", "CreateAlias", "GetPublicKey", "Sign"])
def test_whatever_fails_while_a_CA_is_made_the_next_try_makes_it(configure, operation, fault):
    with (
        failing("kms", operation, fault, times=1) as failed,
        pytest.raises(OperatorError, match=f"kms:{operation} failed with "),
    ):
        create()
    assert failed.met == 1
    assert not CertificateAuthority.objects.exists()

    ca = create()

    assert CertificateAuthority.objects.get() == ca
    get_signer("kms").check(issuer_of(ca))


# One call for each signature


def test_cacerts_make_no_call_and_a_certificate_one(configure):
    create("client-ca", purpose=Purpose.CLIENT)
    get_signer.cache_clear()  # as in a process that has just started
    aws.forget_clients()

    with aws_calls() as calls:
        assert current().authorities
    assert calls == []
    for name in ("one", "two"):
        with aws_calls() as calls:
            row = sign_client_csr(make_csr(name), validity=DAY, actor=TESTER)
        assert calls == ["kms:Sign"]
        row.to_x509().verify_directly_issued_by(row.ca.certificate)


def test_a_CRL_is_one_call_too(configure, tmp_path):
    ca = create(algorithm="rsa-2048")

    with aws_calls() as calls:
        der = make_crl(ca)

    assert calls == ["kms:Sign"]
    crl = x509.load_der_x509_crl(der)
    assert crl.is_signature_valid(ca.certificate.public_key())


@pytest.mark.parametrize("algorithm", ["ec-p384", "rsa-2048"])
def test_a_successor_and_its_cross_certificates_are_signed_in_KMS(configure, algorithm):
    old = create(algorithm=algorithm)

    with aws_calls() as calls:
        new = make_successor(old, actor=TESTER, reason="half of its time is over")

    assert calls == ["kms:CreateKey", "kms:CreateAlias", "kms:GetPublicKey", *3 * ["kms:Sign"]]
    assert new.key_reference != old.key_reference
    new_with_old, old_with_new = new.cross_certificates
    new_with_old.verify_directly_issued_by(old.certificate)
    old_with_new.verify_directly_issued_by(new.certificate)
    assert new_with_old.public_key() == new.certificate.public_key()
    assert old_with_new.public_key() == old.certificate.public_key()


def test_the_check_asks_for_the_public_key_and_signs_nothing(configure):
    issuer = issuer_of(create())

    with aws_calls() as calls:
        get_signer("kms").check(issuer)

    assert calls == ["kms:GetPublicKey"]


def test_the_check_notices_a_key_that_isnt_the_CAs(configure):
    issuer = replace(issuer_of(create()), key_reference=make_kms_key())

    with pytest.raises(SignerUnavailable) as caught:
        get_signer("kms").check(issuer)
    assert caught.value.reason.code == "signer-misbehaved"


def test_the_check_notices_a_key_of_a_kind_that_no_CA_has(configure):
    issuer = replace(issuer_of(create()), key_reference=ARN)
    public_key = (
        ed25519.Ed25519PrivateKey.generate()
        .public_key()
        .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )

    with Stubber(aws.client("kms", Place("eu-central-1"))) as stub:
        stub.add_response("get_public_key", {"PublicKey": public_key}, {"KeyId": ARN})
        with pytest.raises(SignerUnavailable) as caught:
            get_signer("kms").check(issuer)
    assert caught.value.reason.code == "signer-misbehaved"


# Where


def test_keys_are_made_in_the_region_and_account_of_the_options(configure):
    configure(region="us-east-1", roleArn=OTHER_ACCOUNT.role_arn)

    ca = create()

    assert ca.key_reference.startswith("arn:aws:kms:us-east-1:210987654321:key/")
    assert make_crl(ca)


def test_a_key_is_found_in_its_own_region_after_the_configuration_has_moved(configure):
    ca = create()
    configure({"aws_region": "us-east-1"}, region="eu-west-1")

    assert make_crl(ca)
    get_signer("kms").check(issuer_of(ca))


@pytest.mark.parametrize("options", [{"keyId": ARN}, {"region": 5}, {"key": None}])
def test_an_option_that_is_unknown_or_no_text_is_refused(configure, options):
    configure(**options)
    (name,) = options

    with pytest.raises(
        OperatorError,
        match=f"no use for the option '{name}': wanted are key, region, roleArn, each a text",
    ):
        get_signer("kms")


# A key that was in KMS before


@pytest.mark.parametrize("by_alias", [False, True])
def test_a_key_of_the_operators_becomes_the_CAs(configure, by_alias):
    arn = make_kms_key("RSA_2048")
    aws.client("kms").create_alias(AliasName="alias/our-ca", TargetKeyId=arn)
    configure(key="alias/our-ca" if by_alias else arn)

    with aws_calls() as calls:
        ca = create(algorithm="rsa-2048")

    assert ca.key_reference == arn  # an alias may be moved, and the CA's key may not
    assert calls == ["kms:DescribeKey", "kms:GetPublicKey", "kms:Sign"]
    ca.certificate.verify_directly_issued_by(ca.certificate)


def test_a_key_of_another_kind_than_the_CA_is_to_have_is_refused(configure):
    configure(key=make_kms_key("RSA_2048"))

    with pytest.raises(OperatorError, match="is RSA_2048, and the CA's is to be ECC_NIST_P256: "):
        create(algorithm="ec-p256")


@pytest.mark.parametrize("state", ["Disabled", "PendingDeletion"])
def test_a_key_that_wont_sign_is_refused(configure, state):
    arn = make_kms_key()
    kms, key_id = aws.client("kms"), arn.rpartition("/")[2]  # moto takes no ARN here
    if state == "Disabled":
        kms.disable_key(KeyId=key_id)
    else:
        kms.schedule_key_deletion(KeyId=key_id)
    configure(key=arn)

    with pytest.raises(OperatorError, match=f"is for SIGN_VERIFY and {state}: wanted is one that"):
        create()


def test_a_key_for_something_else_is_refused(configure):
    configure(key=make_kms_key("RSA_2048", "ENCRYPT_DECRYPT"))

    with pytest.raises(OperatorError, match="is for ENCRYPT_DECRYPT and Enabled: wanted is one"):
        create(algorithm="rsa-2048")


def test_a_key_is_adopted_by_one_CA_only(configure):
    configure(key=make_kms_key())
    ca = create()

    with pytest.raises(
        OperatorError,
        match="the signer 'kms' is set to one key, which device-ca has: name another in its "
        "OPTIONS, or none, so that it makes one",
    ):
        create("client-ca", purpose=Purpose.CLIENT)
    with pytest.raises(OperatorError, match="is set to one key, which device-ca has"):
        make_successor(ca, actor=TESTER, reason="test")


def test_the_successor_gets_the_key_that_is_named_by_then(configure):
    configure(key=make_kms_key())
    old = create()
    second = make_kms_key()
    configure(key=second)

    new = make_successor(old, actor=TESTER, reason="its key is five years old")

    assert new.key_reference == second
    assert make_crl(old)


# A CA that was made elsewhere, with its key in KMS


@pytest.mark.parametrize("spec", ["ECC_NIST_P256", "RSA_3072"])
def test_a_CA_whose_key_is_in_KMS_is_imported_without_a_key_file(configure, spec):
    arn = make_kms_key(spec)
    certificate = self_signed_by(arn)
    configure(key=arn)

    ca = import_(certificate)

    assert (ca.signer, ca.key_reference, ca.can_sign) == ("kms", arn, True)
    assert x509.load_der_x509_crl(make_crl(ca)).is_signature_valid(certificate.public_key())


def test_bootstrap_imports_it_from_the_configuration_alone(configure, data_dir, settings):
    arn = make_kms_key()
    path = data_dir / "ca.pem"
    path.write_bytes(self_signed_by(arn).public_bytes(Encoding.PEM))
    plan = replace(settings.PKI.device_ca, certificate_path=path, signer="kms")
    configure({"device_ca": plan}, key=arn)

    lines = bootstrap_cas(actor=TESTER)

    assert "device CA device-ca: imported, with the key that the signer 'kms' has" in lines
    assert "device CA device-ca: on record, left as it is" in bootstrap_cas(actor=TESTER)


def test_a_key_that_isnt_the_certificates_is_refused(configure):
    certificate = self_signed_by(make_kms_key())
    another = make_kms_key()
    configure(key=another)

    with pytest.raises(
        OperatorError, match=f"the key in KMS {another} isn't that of CN=Theirs: name the key that"
    ):
        import_(certificate)
    assert not CertificateAuthority.objects.exists()


def test_without_the_keys_name_it_is_asked_for(configure):
    with pytest.raises(
        OperatorError,
        match=r"which key in KMS is that of CN=Theirs\? Name it in the signer's OPTIONS, as key",
    ):
        import_(self_signed_by(make_kms_key()))


def test_a_key_from_a_file_is_refused(configure):
    built = make_ca("Theirs")

    with aws_calls() as calls, pytest.raises(OperatorError, match="KMS keeps the keys that it m"):
        import_(built.certificate, key=built.key)
    assert calls == []


# Operators learn which call failed, with AWS's code


def test_an_operator_reads_call_code_and_advice(configure):
    ca = create()

    with failing("kms", "Sign", Fault.ACCESS_DENIED), pytest.raises(RemoteFailure) as caught:
        make_crl(ca)

    sentence = str(caught.value)
    assert sentence.startswith("kms:Sign failed with AccessDeniedException: ")
    assert sentence.endswith("let the role or user that this runs as call kms:Sign")


@pytest.mark.parametrize(
    ("operation", "command"),
    [("Sign", ["crl", "device-ca"]), ("CreateAlias", ["bootstrap_cas"])],
)
def test_a_command_that_KMS_failed_exits_3(configure, settings, operation, command):
    if command[0] == "crl":
        create()
    plan = replace(settings.PKI.device_ca, signer="kms")
    configure({"device_ca": plan})

    with (
        failing("kms", operation, Fault.ACCESS_DENIED),
        pytest.raises(CommandError, match=f"kms:{operation} failed with AccessDenied") as caught,
    ):
        call_command(*command)
    assert caught.value.returncode == 3


def test_a_new_key_that_cant_be_looked_at_is_told_with_the_call_and_exits_3(configure, settings):
    configure({"device_ca": replace(settings.PKI.device_ca, signer="kms")})

    with (
        failing("kms", "GetPublicKey", Fault.ACCESS_DENIED),
        pytest.raises(CommandError, match=r"made a key, arn:aws:kms.*kms:GetPublicKey f") as caught,
    ):
        call_command("bootstrap_cas")
    assert caught.value.returncode == 3


@pytest.mark.parametrize("code", ["DisabledException", "KMSInvalidStateException"])
def test_a_key_that_was_disabled_is_no_bug_but_an_outage(configure, code):
    issuer = issuer_of(create())

    with failing("kms", "GetPublicKey", Refusal(code)), pytest.raises(SignerUnavailable) as caught:
        get_signer("kms").check(issuer)
    assert f"kms:GetPublicKey failed with {code}" in str(caught.value.__cause__)


# The key object


def key_in_kms(algorithm="ec-p256"):
    return private_key_in_kms(KMSKey(ARN, Place("eu-central-1")), make_key(algorithm).public_key())


@pytest.mark.parametrize("algorithm", KEY_SPECS)
def test_it_is_a_private_key_of_its_kind(configure, algorithm):
    arn = KMSSigner().create_key("ca", algorithm)

    key = KMSSigner().private_key(arn)

    kind = ec.EllipticCurvePrivateKey if algorithm.startswith("ec") else rsa.RSAPrivateKey
    assert isinstance(key, kind)
    assert key.key_size == key.public_key().key_size
    assert key_algorithm_name(key.public_key()) == algorithm
    real = aws.client("kms").get_public_key(KeyId=arn)["PublicKey"]
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
    client = aws.client("kms", Place("eu-central-1"))

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
        with pytest.raises(TypeError, match="is in AWS KMS and never leaves it"):
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
