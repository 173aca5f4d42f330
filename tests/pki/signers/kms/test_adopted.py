"""Keys that were in AWS KMS before, and the CAs that they become."""

from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki.authorities.bootstrap import bootstrap_cas
from pki.authorities.succeed import make_successor
from pki.aws.clients import aws_client
from pki.models import CertificateAuthority
from pki.operators.errors import OperatorError
from pki.revocation.crl import make_crl
from tests.conftest import TESTER
from tests.pki.signers.kms.keys import Purpose, create, import_, make_kms_key, self_signed_by
from tests.support.aws_faults import aws_calls
from tests.support.builders import make_ca

# A key that was in KMS before


@pytest.mark.parametrize("by_alias", [False, True])
def test_a_key_of_the_operators_becomes_the_CAs(configure, by_alias):
    arn = make_kms_key("RSA_2048")
    aws_client("kms").create_alias(AliasName="alias/our-ca", TargetKeyId=arn)
    configure(key="alias/our-ca" if by_alias else arn)

    with aws_calls() as calls:
        ca = create(algorithm="rsa-2048")

    assert ca.key_reference == arn  # an alias may be moved, and the CA's key may not
    assert calls == ["kms:DescribeKey", "kms:GetPublicKey", "kms:Sign"]
    ca.certificate.verify_directly_issued_by(ca.certificate)


def test_a_key_of_another_kind_than_the_CA_is_to_have_is_refused(configure):
    configure(key=make_kms_key("RSA_2048"))

    with pytest.raises(OperatorError, match=r"is RSA_2048, and the CA is to have ECC_NIST_P256\. "):
        create(algorithm="ec-p256")


@pytest.mark.parametrize("state", ["Disabled", "PendingDeletion"])
def test_a_key_that_wont_sign_is_refused(configure, state):
    arn = make_kms_key()
    kms, key_id = aws_client("kms"), arn.rpartition("/")[2]  # moto takes no ARN here
    if state == "Disabled":
        kms.disable_key(KeyId=key_id)
    else:
        kms.schedule_key_deletion(KeyId=key_id)
    configure(key=arn)

    with pytest.raises(OperatorError, match=f"is for SIGN_VERIFY and {state}. Name one that"):
        create()


def test_a_key_for_something_else_is_refused(configure):
    configure(key=make_kms_key("RSA_2048", "ENCRYPT_DECRYPT"))

    with pytest.raises(OperatorError, match=r"is for ENCRYPT_DECRYPT and Enabled\. Name one"):
        create(algorithm="rsa-2048")


def test_a_key_is_adopted_by_one_CA_only(configure):
    configure(key=make_kms_key())
    ca = create()

    with pytest.raises(
        OperatorError,
        match=r"The signer 'kms' is set to one key, which device-ca has\. Name another in its "
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
        OperatorError, match=f"The key in KMS {another} is not that of CN=Theirs. Name the key that"
    ):
        import_(certificate)
    assert not CertificateAuthority.objects.exists()


def test_without_the_keys_name_it_is_asked_for(configure):
    with pytest.raises(
        OperatorError,
        match=r"Which key in KMS is that of CN=Theirs\? Name its ARN or alias in the signer's",
    ):
        import_(self_signed_by(make_kms_key()))


def test_a_key_from_a_file_is_refused(configure):
    built = make_ca("Theirs")

    with (
        aws_calls() as calls,
        pytest.raises(OperatorError, match="KMS signs with the keys that it m"),
    ):
        import_(built.certificate, key=built.key)
    assert calls == []
