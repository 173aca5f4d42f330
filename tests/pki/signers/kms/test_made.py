"""CA keys that are made in AWS KMS, and which calls signing takes."""

from dataclasses import replace

import pytest
from botocore.stub import Stubber
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pki.authorities.succeed import make_successor
from pki.aws.clients import AWSLocation, aws_client, forget_clients
from pki.exceptions import SignerUnavailable
from pki.issuance.client_certificates import sign_client_csr
from pki.models import CertificateAuthority
from pki.operators.errors import OperatorError
from pki.record.snapshot import current_snapshot
from pki.revocation.crl import make_crl
from pki.signers import get_signer
from pki.signers.kms.signer import KEY_SPECS, KMSSigner
from tests.conftest import TESTER
from tests.pki.signers.kms.keys import (
    ARN,
    DAY,
    OTHER_ACCOUNT,
    Purpose,
    aliases,
    create,
    issuer_of,
    make_kms_key,
)
from tests.support.aws_faults import Fault, aws_calls, failing
from tests.support.builders import make_csr
from tests.support.openssl import verifies

# Made in KMS


@pytest.mark.parametrize("algorithm", KEY_SPECS)
def test_a_CA_of_each_algorithm_is_made_with_a_key_in_KMS(configure, tmp_path, algorithm):
    ca = create(algorithm=algorithm)

    assert (ca.key_algorithm, ca.signer, ca.can_sign) == (algorithm, "kms", True)
    assert verifies(tmp_path, ca.certificate, anchor=ca.certificate)
    described = aws_client("kms").describe_key(KeyId=ca.key_reference)["KeyMetadata"]
    assert described["Arn"] == ca.key_reference
    assert (described["KeySpec"], described["KeyUsage"]) == (KEY_SPECS[algorithm], "SIGN_VERIFY")


def test_a_key_is_found_by_people_description_alias_and_tags(configure):
    configure({"tags": (("cost-center", "42"), ("owner", "fleet"))})

    ca = create()

    kms = aws_client("kms")
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
        f"KMS makes no CA keys of the kind {algorithm}. Choose one of ec-p256, ec-p384, rsa-2048, "
        "rsa-3072, rsa-4096, or another signer."
    )


def test_a_crash_between_key_and_alias_isnt_in_the_way_of_the_next_try(configure):
    with (
        failing("kms", "CreateAlias", Fault.ACCESS_DENIED) as failed,
        pytest.raises(OperatorError) as caught,
    ):
        create()

    assert failed.met == 1
    assert "kms:CreateAlias failed with AccessDeniedException" in str(caught.value)
    (left,) = [key["KeyArn"] for key in aws_client("kms").list_keys()["Keys"]]
    assert f"The key {left} was made before that and is not used" in str(caught.value)
    assert not CertificateAuthority.objects.exists()
    ca = create()
    assert ca.key_reference != left
    assert len(aliases()) == 1


def test_T140_a_creation_that_is_cut_off_after_the_alias_is_finished_with_the_key(
    configure, monkeypatch
):
    class Killed(BaseException):
        """What kill -9 leaves undone."""

    def killed(*args, **kwargs):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr("pki.authorities.create.save_authority", killed)
        with pytest.raises(Killed):
            create()
    (left,) = [key["KeyArn"] for key in aws_client("kms").list_keys()["Keys"]]

    assert create().key_reference == left
    assert get_signer("kms").key_named("of-nobody") == ""


def test_an_alias_whose_answer_was_lost_is_as_good_as_one_that_was_answered(configure):
    with failing("kms", "CreateAlias", Fault.SUCCESS_THEN_TIMEOUT, times=1, attempts=1) as failed:
        ca = create()

    assert failed.met == 1
    (alias,) = aliases()
    assert aws_client("kms").describe_key(KeyId=alias)["KeyMetadata"]["Arn"] == ca.key_reference


def test_an_alias_that_is_another_keys_is_never_moved(configure):
    theirs = make_kms_key()
    aws_client("kms").create_alias(AliasName="alias/est/mine", TargetKeyId=theirs)

    with pytest.raises(
        OperatorError, match=r"AlreadyExistsException: .* is not used. Schedule its"
    ):
        KMSSigner().create_key("mine", "ec-p256")

    found = aws_client("kms").describe_key(KeyId="alias/est/mine")["KeyMetadata"]["Arn"]
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
    forget_clients()

    with aws_calls() as calls:
        assert current_snapshot().authorities
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

    with Stubber(aws_client("kms", AWSLocation("eu-central-1"))) as stub:
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
        match=f"KMSSigner: OPTIONS.{name}: (unknown; the signer takes key, region, roleArn|found )",
    ):
        get_signer("kms")
